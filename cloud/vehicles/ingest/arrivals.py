"""The verified batches of one lane (numbered stream of batches) in a group, in the order in which they are judged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from cloud.vehicles.custody import FIRST_SEQUENCE, ChainedBatch, LaneMarks
from cloud.vehicles.ingest.opening import Opened
from protocols.uplink.gaps import Gap


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified batch, and its place in the hash chain."""

    chained: ChainedBatch
    one: Opened

    @classmethod
    def of(cls, one: Opened) -> Self:
        """Return the arrival of a verified batch or gap record."""
        gap = one.content if isinstance(one.content, Gap) else None
        chained = ChainedBatch(
            sequence=one.batch.sequence,
            through=one.batch.sequence if gap is None else gap.through_sequence,
            hash=one.hash,
            previous_hash=one.batch.previous_hash,
            tail_hash=one.hash if gap is None else gap.chain_after,
            is_gap=gap is not None,
        )
        return cls(chained, one)


def arrivals_of(opened: Iterable[Opened]) -> list[Arrival]:
    """Return the batches of one lane (numbered stream of batches), lowest sequence number first."""
    return sorted(map(Arrival.of, opened), key=lambda arrival: arrival.chained.sequence)


def sequences_near(marks: LaneMarks, arrivals: Sequence[Arrival]) -> set[int]:
    """Return the sequence numbers at which stored batches and gap records are needed to judge the arrivals: their own
    and the adjacent ones, as far as the cloud holds them. For batches that continue a lane this is one number."""
    return {
        sequence
        for chained in (arrival.chained for arrival in arrivals)
        for sequence in (chained.sequence - 1, chained.sequence, chained.through, chained.through + 1)
        if sequence >= FIRST_SEQUENCE and marks.covers(sequence)
    }
