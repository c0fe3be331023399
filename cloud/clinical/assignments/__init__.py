"""The assignment of a device's observations to encounters (DESIGN D16)."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.assignments.errors import (
        AssignmentEnded,
        AssignmentOverlaps,
        AssignmentUnknown,
        EncounterHeld,
        IntervalEmpty,
        IntervalOutside,
    )
    from cloud.clinical.assignments.model import Timeline
    from cloud.clinical.assignments.service import AssignmentService
    from cloud.clinical.assignments.store import Assignments, find_moves
    from cloud.clinical.assignments.tables import assignments
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    ids={"assignment": IdKind("assignment", "assignments")},
    events="event_types:EVENTS",
    tables="tables",
    commands={"assignments": "cli:assignments"},
)
