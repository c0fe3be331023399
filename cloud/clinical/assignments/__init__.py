"""Which encounter a device's values belong to, and when (D16)."""

from cloud.clinical.assignments.errors import AssignmentEnded, AssignmentOverlaps, AssignmentUnknown, IntervalEmpty
from cloud.clinical.assignments.model import Assignment, Timeline
from cloud.clinical.assignments.service import AssignmentDesk
from cloud.clinical.assignments.store import Assignments

__all__ = [
    "Assignment",
    "AssignmentDesk",
    "AssignmentEnded",
    "AssignmentOverlaps",
    "AssignmentUnknown",
    "Assignments",
    "IntervalEmpty",
    "Timeline",
]
