"""Errors about assignments."""

from cloud.foundation.errors import PrivateError


class AssignmentUnknown(PrivateError, code="assignment_unknown", status=404):
    """Assignment not found."""


class AssignmentOverlaps(PrivateError, code="assignment_overlaps", status=409):
    """The device is already assigned to an encounter in this interval. Close or move that assignment first."""


class AssignmentEnded(PrivateError, code="assignment_ended", status=409):
    """The assignment was closed or moved and cannot be changed."""


class IntervalEmpty(PrivateError, code="interval_empty", status=422):
    """An assignment ends after it begins."""


class IntervalOutside(PrivateError, code="interval_outside", status=422):
    """The interval is not within that of the assignment. List it with `argus-cloud assignments list`."""


class EncounterHeld(PrivateError, code="encounter_held", status=409):
    """A legal hold keeps this encounter, so its observations are not moved. Release the hold with `argus-cloud
    retention release` first."""
