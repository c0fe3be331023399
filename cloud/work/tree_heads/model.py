"""Data classes of tree heads, and the times at which they are made."""

import base64
from dataclasses import dataclass, field
from typing import Any

from cloud.foundation.moments import write_moment
from protocols.provenance.signatures import Algorithm
from protocols.provenance.transcript import Signature
from protocols.provenance.tree_head import TreeHead, stamped_bytes, write_head

DAY_US = 86_400_000_000
SETTLE_US = 300_000_000
"""Time after midnight at which a head is made. A record has its time before its transaction commits, which takes some
seconds at most, so all records of the day are visible by then."""


@dataclass(frozen=True, slots=True)
class TreeState:
    """The number of leaves that a tree has taken, of heads that were signed and of those that are stored, and the time
    at which the next head is due."""

    size: int
    heads: int
    heads_stored: int
    due_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHead:
    """A signed head as stored. `stamp` is the response of the time-stamping service, None if there is none (yet);
    `stamped_at_us` is the time that it confirms. `stamp_due_us` None: stamped, or given up."""

    tenant_id: str
    tree_size: int
    root_hash: bytes
    signed_at_us: int
    signature_kid: str
    signature: bytes = field(repr=False)
    stamp_due_us: int | None = None
    stamp_attempts: int = 0
    stamp_failure: str | None = None
    stamped_at_us: int | None = None
    stamp: bytes | None = field(default=None, repr=False)

    @property
    def head(self) -> TreeHead:
        signed_at = write_moment(self.signed_at_us)
        assert signed_at is not None
        return TreeHead(tenant_id=self.tenant_id, tree_size=self.tree_size, root=self.root_hash, signed_at=signed_at)

    @property
    def signed(self) -> Signature:
        return Signature(algorithm=Algorithm.ML_DSA_65, kid=self.signature_kid, value=self.signature)

    @property
    def stamped_bytes(self) -> bytes:
        """The bytes whose SHA-256 the time-stamping service signs."""
        return stamped_bytes(self.head, self.signed)

    def document(self) -> dict[str, Any]:
        """Return the head as it is published: with its signature, and with its time stamp if it has one."""
        stamp = None
        if self.stamp is not None:
            stamp = {"time": write_moment(self.stamped_at_us), "response": base64.b64encode(self.stamp).decode()}
        return {**write_head(self.head, self.signed), "time_stamp": stamp}


def cutoff_of(now_us: int) -> int:
    """Return the midnight (UTC) up to which a head that is made now contains all records."""
    return (now_us - SETTLE_US) // DAY_US * DAY_US


def next_due_us(now_us: int) -> int:
    """Return the time at which the next head is due."""
    return cutoff_of(now_us) + DAY_US + SETTLE_US
