"""What can be refused about assignments."""

from cloud.foundation.errors import DomainError


class AssignmentUnknown(DomainError):
    """There is no such assignment."""

    code = "assignment_unknown"
    status = 404


class AssignmentOverlaps(DomainError):
    """The device already belongs to an encounter in this time; close or move that assignment first."""

    code = "assignment_overlaps"
    status = 409


class AssignmentEnded(DomainError):
    """This assignment is closed or was moved; it cannot be changed any more."""

    code = "assignment_ended"
    status = 409


class IntervalEmpty(DomainError):
    """An assignment must end after it begins."""

    code = "interval_empty"
    status = 422
