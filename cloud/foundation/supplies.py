"""Name what a slice needs from a slice that it may not import.

A room imports only the rooms below it. Where it needs something from above, it declares a `Need`; the composition root
(`cloud/supplies.py`) supplies the implementation.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Need(Generic[T]):
    """One need, with the type of what is supplied."""

    meaning: str


class Supplies:
    """What the composition root supplies, by need."""

    def __init__(self) -> None:
        self._given: dict[Need[Any], Any] = {}

    def supply(self, need: Need[T], value: T) -> None:
        self._given[need] = value

    def __getitem__(self, need: Need[T]) -> T:
        """Return what was supplied. The composition root supplies every need, so an absent one is our mistake."""
        assert need in self._given, f"the composition root supplies nothing for: {need.meaning}"
        return cast(T, self._given[need])
