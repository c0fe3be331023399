"""Chain of hashes over numbered links, and the check of it.

Each link's hash covers its content and the hash before it, so a link cannot be changed, dropped, inserted or reordered
without a change of every later hash. A chain begins at `genesis`, which covers its gateway, epoch (one life of the
gateway's store) and lane, so a link cannot be moved from one chain to another.

A stand-in is a link that replaces several links that were dropped because the disk was full. It contains the hash of
the last dropped link, from which the chain continues. So the number of dropped links is known; their content is not.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

HASH_BYTES = 32
_GENESIS = b"argus/v1/chain/genesis"
_LINK = b"argus/v1/chain/link"
_LENGTHS = tuple(length.to_bytes(8, "big") for length in range(65))
"""The encoded lengths of short fields."""


def digest(domain: bytes, *fields: bytes) -> bytes:
    """Return the SHA-256 over `domain` and `fields`. Each is preceded by its length, so that no two lists of fields
    give the same input."""
    parts: list[bytes] = []
    for field in (domain, *fields):
        length = len(field)
        parts += (_LENGTHS[length] if length < len(_LENGTHS) else length.to_bytes(8, "big")), field
    return hashlib.sha256(b"".join(parts)).digest()


def genesis(gateway: str, epoch: str, lane: str) -> bytes:
    """Return the 32-byte hash that precedes the first link of a lane."""
    return digest(_GENESIS, gateway.encode(), epoch.encode(), lane.encode())


def link_hash(previous_hash: bytes, *fields: bytes) -> bytes:
    """Return the 32-byte hash of a link whose content is `fields` and whose predecessor has `previous_hash`."""
    assert len(previous_hash) == HASH_BYTES
    return digest(_LINK, previous_hash, *fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Link in the form that a verifier checks: a batch, or a stand-in for dropped batches.

    It covers the sequences `first`…`last` (equal for a batch, a range for a stand-in). `previous` is the hash of the
    preceding link as this link states it. `after` is the hash from which the chain continues: the link's own hash for a
    batch, the hash of the last dropped batch for a stand-in.
    """

    first: int
    last: int
    previous: bytes
    after: bytes
    stands_in: bool = False


@dataclass(frozen=True, slots=True)
class Intact:
    """Verdict on an intact chain: every sequence up to `through` is present or replaced by a stand-in, and all hashes
    match. `head` is the hash of the chain after `through`. `stood_in` counts the sequences that only a stand-in covers.
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
    """Verdict on a broken chain: the link at `sequence` states a previous hash that is not the hash of the chain there.
    A link was changed, dropped or inserted."""

    sequence: int


ChainVerdict = Intact | Hole | Broken


def check_chain(links: Iterable[Link], start: bytes, *, after: int = 0) -> ChainVerdict:
    """Check the links after sequence `after`, where the chain has hash `start`. Return the first fault or `Intact`.

    `links` must be sorted by `first`, with stand-ins before batches of the same `first` (`chain_order`). A stand-in may
    overlap batches that arrived before their gateway dropped them; the batches are then checked, and the stand-in fills
    the remaining sequences. The memory used does not grow with the chain.
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
    """Return the sort key of a link: its first sequence, with stand-ins for dropped batches before batches."""
    return link.first, not link.stands_in
