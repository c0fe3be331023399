"""Which encounter a device's values belong to, and when (D16)."""

from cloud.assignments.errors import AssignmentEnded, AssignmentOverlaps, AssignmentUnknown, IntervalEmpty
from cloud.assignments.model import Assignment, Timeline
from cloud.assignments.service import AssignmentDesk
from cloud.assignments.store import Assignments

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
