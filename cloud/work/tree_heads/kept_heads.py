"""Read tree heads that someone else has kept, such as a tenant or a court, to compare them with the stored ones."""

import base64
import binascii

import orjson
from pydantic import ValidationError

from cloud.foundation.moments import MomentMalformed, read_moment
from cloud.work.tree_heads.errors import KeptHeadsMalformed
from cloud.work.tree_heads.model import StoredHead
from cloud.work.tree_heads.schemas import TimeStampShown, TreeHeadShown
from protocols.provenance.transcript import VERSION

FILE_BYTES_MAX = 1 << 26
"""Limit of a file: a head with its time stamp has at most 25 kB, so 2,700 heads, those of seven years."""


class _KeptHead(TreeHeadShown):
    """A head in a file. The file whose hash was stamped has no time stamp."""

    time_stamp: TimeStampShown | None = None


def read_kept_heads(data: bytes, tenant_id: str) -> list[StoredHead]:
    """Return the heads of a file: of one head, or of a document with `tree_heads`. Raises `KeptHeadsMalformed`, also
    for a head of another tenant."""
    if len(data) > FILE_BYTES_MAX:
        raise KeptHeadsMalformed(f"(It has more than {FILE_BYTES_MAX} bytes.)")
    try:
        document = orjson.loads(data)
        listed = document.get("tree_heads", [document])
        return [_read_head(one, tenant_id) for one in listed]
    except (ValueError, AttributeError, TypeError, ValidationError, MomentMalformed, binascii.Error):
        raise KeptHeadsMalformed from None


def _read_head(document: object, tenant_id: str) -> StoredHead:
    head = _KeptHead.model_validate(document)
    if head.tenant_id != tenant_id:
        raise KeptHeadsMalformed("(A head is of another tenant.)")
    if head.version != VERSION or not 0 < head.tree_size < 2**53:
        raise ValueError
    stamp = head.time_stamp
    return StoredHead(
        tenant_id=head.tenant_id,
        tree_size=head.tree_size,
        root_hash=bytes.fromhex(head.root_hash.removeprefix("sha256:")),
        signed_at_us=read_moment(head.signed_at),
        signature_kid=head.signature_kid,
        signature=bytes.fromhex(head.signature),
        stamped_at_us=None if stamp is None else read_moment(stamp.time),
        stamp=None if stamp is None else base64.b64decode(stamp.response, validate=True),
    )
