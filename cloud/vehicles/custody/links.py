"""The link of a batch to its predecessor in a lane's hash chain.

A batch whose predecessor has not arrived is pending until the predecessor arrives. A batch with a broken link is not
dropped: it is stored, marked, listed in quarantine and reported, and evidence that depends on it reports the broken
link.

Hashes and signatures are in `protocols.provenance.hash_chain` and `protocols.uplink.envelope`.
"""

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """The state of the link between a batch and its predecessor.

    LINKED: `previous_hash` is the hash of the predecessor. PENDING: the predecessor has not arrived. BROKEN:
    `previous_hash` is not the predecessor's hash.
    """

    LINKED = "linked"
    PENDING = "pending"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedBatch:
    """A batch or a gap record as a part of its hash chain.

    A gap record replaces the batches `sequence`…`through`, which the gateway dropped. Its `previous_hash` is the chain
    hash before that range, and its `tail_hash` the hash of the last replaced batch. For a real batch `through` is its
    sequence, and `tail_hash` its own hash.
    """

    sequence: int
    through: int
    hash: bytes
    previous_hash: bytes
    tail_hash: bytes
    is_gap: bool
    link: LinkState = LinkState.PENDING


def link_between(tail_hash: bytes | None, previous_hash: bytes) -> LinkState:
    """Return the state of a link. `tail_hash` is the hash of the predecessor, None when the predecessor has not
    arrived."""
    if tail_hash is None:
        return LinkState.PENDING
    return LinkState.LINKED if tail_hash == previous_hash else LinkState.BROKEN
