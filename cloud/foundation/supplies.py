"""Give a slice (the folder of one capability) the objects that it needs from slices that it may not import.

A room (a group of slices) imports only lower rooms. `cloud/supplies.py` supplies the object for each declared `Need`.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Need(Generic[T]):
    """An object that a slice (the folder of one capability) needs from a slice that it may not import. `T` is the type
    of the object, and `meaning` describes it."""

    meaning: str


class Supplies:
    """A mapping from each `Need` to the object that the composition root supplies for it."""

    def __init__(self) -> None:
        self._given: dict[Need[Any], Any] = {}

    def supply(self, need: Need[T], value: T) -> None:
        self._given[need] = value

    def __getitem__(self, need: Need[T]) -> T:
        """Return the object that was supplied for this need. Every need must be supplied before its first use."""
        assert need in self._given, f"the composition root supplies nothing for: {need.meaning}"
        return cast(T, self._given[need])
