"""Assignments of a device to encounters, and the timeline of them."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The assignment of a device's observations from `from_us` and before `until_us` (None: open) to an encounter.

    A voided assignment was moved and has no effect any more; `replaces` is the voided one that this replaces.
    """

    tenant_id: str
    id: str
    organization_id: str
    device_id: str
    encounter_id: str
    from_us: int
    until_us: int | None
    assigned_by: str
    assigned_at_us: int
    closed_by: str | None
    voided_at_us: int | None
    voided_by: str | None
    replaces: str | None


class Timeline:
    """The assignments of one device in order, for looking up many times. They never overlap."""

    def __init__(self, assignments: Iterable[Assignment]) -> None:
        self.assignments = sorted((one for one in assignments if one.voided_at_us is None), key=_begin)
        self._begins = [one.from_us for one in self.assignments]

    def encounter_at(self, at_us: int) -> str | None:
        """Return the encounter of an observation at this time; None: it is unassigned, never guessed."""
        index = bisect_right(self._begins, at_us) - 1
        if index < 0:
            return None
        found = self.assignments[index]
        return found.encounter_id if found.until_us is None or at_us < found.until_us else None


def _begin(assignment: Assignment) -> int:
    return assignment.from_us
