"""An interval of a device's life that belongs to an encounter, and the line of such intervals."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The device's values from `from_us` on and before `until_us` (None: until further notice) belong to the encounter.

    A voided assignment was moved or taken back, and counts no more; `replaces` is the one that this stands in for.
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
    """One device's assignments in order, to ask for many moments at once. They never overlap."""

    def __init__(self, assignments: Iterable[Assignment]) -> None:
        self.assignments = sorted((one for one in assignments if one.voided_at_us is None), key=_begin)
        self._begins = [one.from_us for one in self.assignments]

    def encounter_at(self, at_us: int) -> str | None:
        """The encounter that a value of this moment belongs to; None: visibly unassigned, never guessed."""
        place = bisect_right(self._begins, at_us) - 1
        if place < 0:
            return None
        found = self.assignments[place]
        return found.encounter_id if found.until_us is None or at_us < found.until_us else None


def _begin(assignment: Assignment) -> int:
    return assignment.from_us
