"""State of each lane (a separate queue of batches): the end of its hash chain, and its sequence numbers.

Only the writer's thread uses `LaneHead`. The writer replaces the immutable `LaneMarks` after each commit, so the event
loop reads it without a lock.
"""

from dataclasses import dataclass

from protocols.uplink.lanes import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMarks:
    """Sequence numbers and sizes of one lane.

    `first`: oldest batch that is kept in full (0: none). `last`: newest committed batch. `acked`: the cloud has
    acknowledged everything up to this batch. `backlog_batches` and `backlog_observations`: number of batches and
    observations above `acked`, including those that gap records replace. `bytes`: sealed bytes of the lane.
    """

    first: int = 0
    last: int = 0
    acked: int = 0
    backlog_batches: int = 0
    backlog_observations: int = 0
    bytes: int = 0


@dataclass(slots=True, kw_only=True)
class LaneHead:
    """The end of one lane. `tip` is the hash of the last batch, which the next row states as the previous hash."""

    lane: Lane
    tip: bytes
    last: int = 0
    observations_total: int = 0
    bytes_total: int = 0
    first: int = 0
    bytes_dropped: int = 0
    acked: int = 0
    acked_observations: int = 0
    open_loss: int = 0
    """Sequence number of the gap record that still grows while a full store refuses observations; it is sent only after
    it is closed. 0: none."""
    open_loss_since_s: float = 0.0

    def marks(self) -> LaneMarks:
        last = self.last if not self.open_loss else self.open_loss - 1
        return LaneMarks(
            first=self.first,
            last=last,
            acked=self.acked,
            backlog_batches=last - self.acked,
            backlog_observations=self.observations_total - self.acked_observations,
            bytes=self.bytes_total - self.bytes_dropped,
        )
