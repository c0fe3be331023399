"""Data classes: the assignment of a device to an encounter, and the timeline of a device's assignments."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The assignment of a device to an encounter: the device's observations from `from_us` on and before `until_us`
    (None: no end yet) belong to the encounter. A moved assignment is voided and has no effect. `replaces` is the id of
    the voided assignment that this one replaces, or None."""

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
    """The assignments of one device, which never overlap, in the order of time. Build it once for many look-ups."""

    def __init__(self, assignments: Iterable[Assignment]) -> None:
        self.assignments = sorted((one for one in assignments if one.voided_at_us is None), key=_begin)
        self._begins = [one.from_us for one in self.assignments]

    def encounter_at(self, at_us: int) -> str | None:
        """Return the encounter to which the device's observations at `at_us` are assigned; None if they are not
        assigned, since an encounter is never guessed."""
        index = bisect_right(self._begins, at_us) - 1
        if index < 0:
            return None
        found = self.assignments[index]
        return found.encounter_id if found.until_us is None or at_us < found.until_us else None


def _begin(assignment: Assignment) -> int:
    return assignment.from_us
