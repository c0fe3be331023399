"""The link of a batch to its predecessor in the hash chain of a lane (a numbered stream of batches).

A batch with a broken link is not dropped. The batch is stored, marked, listed in quarantine and reported, and evidence
that depends on the batch reports the broken link. Hashes and signatures are in `protocols.provenance.hash_chain` and
`protocols.uplink.envelope`.
"""

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """The state of a batch's link to its predecessor. LINKED: `previous_hash` is the predecessor's hash. BROKEN:
    `previous_hash` is another hash. PENDING: the predecessor has not arrived."""

    LINKED = "linked"
    PENDING = "pending"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedBatch:
    """A batch or a gap record in its hash chain. A gap record replaces the batches `sequence`…`through`, which the
    gateway dropped: `previous_hash` is the chain hash before that range, and `tail_hash` the hash of the last replaced
    batch. In a batch, `through` equals `sequence`, and `tail_hash` equals `hash`."""

    sequence: int
    through: int
    hash: bytes
    previous_hash: bytes
    tail_hash: bytes
    is_gap: bool
    link: LinkState = LinkState.PENDING


def link_between(tail_hash: bytes | None, previous_hash: bytes) -> LinkState:
    """Return the state of a batch's link to its predecessor. `tail_hash` is the predecessor's hash, None when the
    predecessor has not arrived. `previous_hash` is the predecessor's hash as the batch states it."""
    if tail_hash is None:
        return LinkState.PENDING
    return LinkState.LINKED if tail_hash == previous_hash else LinkState.BROKEN
