"""Declare that a slice needs a part of a slice that it may not import.

A room (a group of slices) imports only the rooms below it. When it needs a part of a higher room, it declares a `Need`,
and the composition root (`cloud/supplies.py`) supplies the implementation.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Need(Generic[T]):
    """One part that a slice needs from a higher room. `T` is the type of the part, and `meaning` describes it."""

    meaning: str


class Supplies:
    """The parts that the composition root supplies, by the `Need` that each fulfils."""

    def __init__(self) -> None:
        self._given: dict[Need[Any], Any] = {}

    def supply(self, need: Need[T], value: T) -> None:
        self._given[need] = value

    def __getitem__(self, need: Need[T]) -> T:
        """Return the part that was supplied for this need. Every need must be supplied before its first use."""
        assert need in self._given, f"the composition root supplies nothing for: {need.meaning}"
        return cast(T, self._given[need])
