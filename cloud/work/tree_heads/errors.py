"""Errors of tree heads."""

from cloud.foundation.errors import DomainError, PrivateError


class TreeHeadUnknown(DomainError, code="tree_head_unknown", status=404):
    """Tree head not found. The list of tree heads has the sizes that have one."""


class RecordNotInTree(DomainError, code="record_not_in_tree", status=404):
    """The tree head does not contain this record. A record is in the heads from the midnight after it on."""


class TimeStampRefused(PrivateError, code="time_stamp_refused", status=502):
    """The time-stamping service gave no valid time stamp."""


class TreeDamaged(PrivateError, code="tree_damaged", status=500):
    """Rows of the tree of evidence records were changed or removed by hand; argus-cloud tree-heads check names them."""


class KeptHeadsMalformed(PrivateError, code="kept_heads_malformed"):
    """The file has no tree heads: give a head, a page of heads, or tree-heads.json of an export."""
