"""Declare what a slice needs from a slice that it may not import.

A room imports only the rooms below it. If it needs a part of a room above, it declares a `Need`; the composition root
(`cloud/supplies.py`) supplies the implementation.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Need(Generic[T]):
    """One need, with the type of its supply."""

    meaning: str


class Supplies:
    """The supplies of the composition root, by need."""

    def __init__(self) -> None:
        self._given: dict[Need[Any], Any] = {}

    def supply(self, need: Need[T], value: T) -> None:
        self._given[need] = value

    def __getitem__(self, need: Need[T]) -> T:
        """Return the supply of a need. The composition root must supply every need."""
        assert need in self._given, f"the composition root supplies nothing for: {need.meaning}"
        return cast(T, self._given[need])
