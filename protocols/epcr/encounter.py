"""Status of an encounter, and the changes of it that are permitted, for the vehicle and the cloud."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


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
