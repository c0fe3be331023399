"""Errors about assignments."""

from cloud.foundation.errors import PrivateError


class AssignmentUnknown(PrivateError):
    """Assignment not found."""

    code = "assignment_unknown"
    status = 404


class AssignmentOverlaps(PrivateError):
    """The device is already assigned to an encounter in this interval. Close or move that assignment first."""

    code = "assignment_overlaps"
    status = 409


class AssignmentEnded(PrivateError):
    """The assignment was closed or moved and cannot be changed."""

    code = "assignment_ended"
    status = 409


class IntervalEmpty(PrivateError):
    """An assignment ends after it begins."""

    code = "interval_empty"
    status = 422
