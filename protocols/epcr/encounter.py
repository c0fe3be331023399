"""Status of an encounter, and the changes of it that are permitted, for the vehicle and the cloud.

The dispatch system and the operator set the status. The vehicle's record states times, from which `stated_status`
follows; it never changes the status. Where the two differ, both are shown, and the one who ends the encounter decides.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from protocols.epcr.record import CareRecord


class EncounterStatus(StrEnum):
    """Status of an encounter."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    TRANSFERRED = "transferred"

    @property
    def is_final(self) -> bool:
        """True when the encounter has ended."""
        return not NEXT[self]

    def may_become(self, status: "EncounterStatus") -> bool:
        """Return whether an encounter of this status may get `status`. Setting the same status again is permitted,
        because a request may be repeated."""
        return status is self or status in NEXT[self]


NEXT: Mapping[EncounterStatus, frozenset[EncounterStatus]] = MappingProxyType(
    {
        EncounterStatus.IN_PROGRESS: frozenset(
            (EncounterStatus.COMPLETED, EncounterStatus.CANCELLED, EncounterStatus.TRANSFERRED)
        ),
        EncounterStatus.COMPLETED: frozenset(),
        EncounterStatus.CANCELLED: frozenset(),
        EncounterStatus.TRANSFERRED: frozenset(),
    }
)
"""Life cycle of an encounter: the status that may follow each status. An ended encounter stays ended; its record gets
addenda."""

FINAL_STATUSES: tuple[EncounterStatus, ...] = tuple(status for status in EncounterStatus if status.is_final)
"""Each status with which an encounter ends."""

_STATED = {
    "times.cancelled": EncounterStatus.CANCELLED,
    "times.handed_over": EncounterStatus.TRANSFERRED,
    "times.transfer_of_care": EncounterStatus.COMPLETED,
    "times.in_service": EncounterStatus.COMPLETED,
}
"""Elements whose time states an end, the most specific first: a cancelled unit is back in service too."""

STATED_KEYS = frozenset(_STATED)


def stated_status(record: CareRecord) -> EncounterStatus | None:
    """Return the final status that the times in a care record state, or None while they state no end."""
    stated = {
        field.name.key for field in record.fields if any(statement.value is not None for statement in field.shown)
    }
    return next((status for key, status in _STATED.items() if key in stated), None)
