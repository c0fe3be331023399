"""Errors of tree heads."""

from cloud.foundation.errors import DomainError, PrivateError


class TreeHeadUnknown(DomainError, code="tree_head_unknown", status=404):
    """Tree head not found. The list of tree heads has the sizes that have one."""


class RecordNotInTree(DomainError, code="record_not_in_tree", status=404):
    """The tree head does not contain this record. A record is in the heads from the midnight after it on."""


class TimeStampRefused(PrivateError, code="time_stamp_refused", status=502):
    """The time-stamping service gave no valid time stamp."""
