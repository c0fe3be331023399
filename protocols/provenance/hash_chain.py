"""A chain of hashes over numbered links, and the check of it.

Each link's hash covers its content and the hash before it, so a link cannot be changed, dropped, inserted or reordered
without changing every hash after it. A chain begins at `genesis`, which names its gateway, epoch and lane: links cannot
be carried from one chain to another. A link may *stand in* for several that were dropped because the disk was full: it
names the hash of the last of them, and the chain continues from there. Then the number of dropped links is known, their
content is not.

`protocols.uplink.envelope` has the signatures of links; `merkle` has the transcript over an encounter.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

HASH_BYTES = 32
_GENESIS = b"argus/v1/chain/genesis"
_LINK = b"argus/v1/chain/link"


def digest(domain: bytes, *fields: bytes) -> bytes:
    """Return the SHA-256 over `domain` and `fields`, each with its length before it: no two field lists give the same
    input."""
    lengths_and_fields = [part for field in (domain, *fields) for part in (len(field).to_bytes(8, "big"), field)]
    return hashlib.sha256(b"".join(lengths_and_fields)).digest()


def genesis(gateway: str, epoch: str, lane: str) -> bytes:
    """Return the hash before the first link of a lane: 32 bytes."""
    return digest(_GENESIS, gateway.encode(), epoch.encode(), lane.encode())


def link_hash(previous_hash: bytes, *fields: bytes) -> bytes:
    """Return the hash of a link with this content after `previous_hash`: 32 bytes."""
    assert len(previous_hash) == HASH_BYTES
    return digest(_LINK, previous_hash, *fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link in the form that a verifier checks.

    It covers the sequences `first`…`last` (equal for a batch, a range for a stand-in). `previous` is the hash that it
    claims as the one before it, `after` the hash of the chain after it: the link's own for a batch, the named one for a
    stand-in.
    """

    first: int
    last: int
    previous: bytes
    after: bytes
    stands_in: bool = False


@dataclass(frozen=True, slots=True)
class Intact:
    """Verdict on an intact chain: every sequence up to `through` is present or replaced by a stand-in, and the hashes
    match; `head` is the hash after it.

    `stood_in` counts the sequences of which only a gap record is left.
    """

    through: int
    head: bytes
    stood_in: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Verdict on an incomplete chain: the sequences `first`…`last` are neither present nor replaced by a stand-in."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Broken:
    """Verdict on a broken chain: the link at `sequence` does not match the hash before it, so a link was changed,
    dropped or inserted there."""

    sequence: int


ChainVerdict = Intact | Hole | Broken


def check_chain(links: Iterable[Link], start: bytes, *, after: int = 0) -> ChainVerdict:
    """Check `links` from the hash `start` after sequence `after`, and return the first fault as the verdict.

    `links` are ordered by `first`, stand-ins before batches of the same `first` (`chain_order` sorts so). A stand-in
    may overlap batches that arrived before their gateway dropped them: then the batches count and the stand-in fills
    the rest. Memory does not grow with the chain.
    """
    through, head, stood_in = after, start, 0
    pending: Link | None = None
    for link in links:
        if link.last <= through:
            continue
        if link.first > through + 1 and pending is not None and pending.last > through:
            stood_in += pending.last - through
            through, head = pending.last, pending.after
        if link.first > through + 1:
            return Hole(through + 1, link.first - 1)
        if link.first == through + 1 and link.previous != head:
            return Broken(link.first)
        if link.stands_in:
            if pending is None or link.last > pending.last:
                pending = link
        elif link.first == through + 1:
            through, head = link.last, link.after
    if pending is not None and pending.last > through:
        stood_in += pending.last - through
        through, head = pending.last, pending.after
    return Intact(through, head, stood_in)


def chain_order(link: Link) -> tuple[int, bool]:
    """Return the sort key for the order of links that `check_chain` requires."""
    return link.first, not link.stands_in
