"""One link of a lane's chain: whether a batch follows the one before it.

A batch whose predecessor has not arrived is pending, and is judged when the predecessor arrives. A broken link is
shown, and nothing is dropped for it: the signed batch is kept, marked, listed in quarantine and reported, and evidence
that depends on it reports the broken link.

Hashes and signatures are in `protocols.provenance.hash_chain` and `protocols.uplink.envelope`.
"""

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """The state of a link.

    LINKED: `previous_hash` is the hash of the predecessor. PENDING: the predecessor is not held yet. BROKEN: it is
    another hash.
    """

    LINKED = "linked"
    PENDING = "pending"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedBatch:
    """A batch or a gap as a part of its chain.

    A gap replaces `sequence`…`through`: its `previous_hash` is the chain hash before that range, and its `tail_hash`
    the hash of the last batch that it replaces. For a real batch, `through` is its sequence and `tail_hash` its own
    hash.
    """

    sequence: int
    through: int
    hash: bytes
    previous_hash: bytes
    tail_hash: bytes
    is_gap: bool
    link: LinkState = LinkState.PENDING


def link_between(tail_hash: bytes | None, previous_hash: bytes) -> LinkState:
    """Return the state of a link. `tail_hash` is that of the predecessor, None when it is not held."""
    if tail_hash is None:
        return LinkState.PENDING
    return LinkState.LINKED if tail_hash == previous_hash else LinkState.BROKEN
