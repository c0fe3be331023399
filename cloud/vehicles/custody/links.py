"""One link of a lane's chain: does a batch follow the one before it?

The chain is only as good as its neighbours: a batch whose predecessor has not arrived is pending, not good, and is
judged when the predecessor comes. A broken link is a fact to show, so nothing is dropped for it: the signed batch is
kept, marked, listed in quarantine and reported, and evidence that rests on it says so.

Leaves hashing and signatures to `protocols.provenance.hash_chain` and `protocols.uplink.envelope`.
"""

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """LINKED: `previous_hash` is the hash of what came before. PENDING: that is not held yet. BROKEN: it is another
    one."""

    LINKED = "linked"
    PENDING = "pending"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedBatch:
    """A batch as its chain sees it. A gap stands in for `sequence`…`through`; its `previous_hash` is the chain before
    that range and its `tail_hash` the hash of the last batch it replaces. A real batch ends where it begins, in its
    own hash."""

    sequence: int
    through: int
    hash: bytes
    previous_hash: bytes
    tail_hash: bytes
    is_gap: bool
    link: LinkState = LinkState.PENDING


def link_between(tail_hash: bytes | None, previous_hash: bytes) -> LinkState:
    """`tail_hash` of what ends right before, None when that is not held."""
    if tail_hash is None:
        return LinkState.PENDING
    return LinkState.LINKED if tail_hash == previous_hash else LinkState.BROKEN
