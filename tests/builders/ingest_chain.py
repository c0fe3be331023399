"""Chained batches as the lane book sees them: readable hashes, and links that follow from the batches before."""

import hashlib
from collections.abc import Sequence

from cloud.vehicles.custody.links import ChainedBatch

GENESIS = hashlib.sha256(b"genesis").digest()


def hash_of(sequence: int, history: str = "") -> bytes:
    """Return the hash of the batch with this sequence in one history; sequence 0 is the genesis of them all."""
    return GENESIS if sequence == 0 else hashlib.sha256(f"{history}{sequence}".encode()).digest()


def batch(sequence: int, *, history: str = "", after: bytes | None = None) -> ChainedBatch:
    """Return a real batch that follows its predecessor in `history`, or the given hash."""
    own = hash_of(sequence, history)
    before = hash_of(sequence - 1, history) if after is None else after
    return ChainedBatch(
        sequence=sequence, through=sequence, hash=own, previous_hash=before, tail_hash=own, is_gap=False
    )


def batches(sequences: Sequence[int], *, history: str = "") -> list[ChainedBatch]:
    return [batch(sequence, history=history) for sequence in sequences]


def gap(first: int, last: int, *, history: str = "") -> ChainedBatch:
    """Return a gap that replaces first…last of `history`."""
    return ChainedBatch(
        sequence=first,
        through=last,
        hash=hashlib.sha256(f"gap {history}{first}-{last}".encode()).digest(),
        previous_hash=hash_of(first - 1, history),
        tail_hash=hash_of(last, history),
        is_gap=True,
    )
