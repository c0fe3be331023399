"""Chained batches for tests of the lane book, which is the ingest's record of the batches stored from one lane (a
gateway's queue). Hashes follow from the sequence number, so they are reproducible.
"""

import hashlib
from collections.abc import Sequence

from cloud.vehicles.custody.links import ChainedBatch

GENESIS = hashlib.sha256(b"genesis").digest()


def hash_of(sequence: int, history: str = "") -> bytes:
    """Return the hash of batch number `sequence` in a history (one possible chain of batches). Number 0 is the genesis,
    which all histories share."""
    return GENESIS if sequence == 0 else hashlib.sha256(f"{history}{sequence}".encode()).digest()


def batch(sequence: int, *, history: str = "", after: bytes | None = None) -> ChainedBatch:
    """Return a batch with this sequence number, chained to its predecessor in `history`, or to the hash `after` if
    given."""
    own = hash_of(sequence, history)
    before = hash_of(sequence - 1, history) if after is None else after
    return ChainedBatch(
        sequence=sequence, through=sequence, hash=own, previous_hash=before, tail_hash=own, is_gap=False
    )


def batches(sequences: Sequence[int], *, history: str = "") -> list[ChainedBatch]:
    return [batch(sequence, history=history) for sequence in sequences]


def gap(first: int, last: int, *, history: str = "") -> ChainedBatch:
    """Return a gap batch that replaces the batches `first` to `last` of `history`."""
    return ChainedBatch(
        sequence=first,
        through=last,
        hash=hashlib.sha256(f"gap {history}{first}-{last}".encode()).digest(),
        previous_hash=hash_of(first - 1, history),
        tail_hash=hash_of(last, history),
        is_gap=True,
    )
