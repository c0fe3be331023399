"""State of each lane (a separate queue of batches): the end of its hash chain, and its sequence numbers.

Only the writer's thread uses `LaneHead`. The writer replaces the immutable `LaneMarks` after each commit, so the event
loop reads it without a lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.buffer.rows import Row
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMarks:
    """Sequence numbers and sizes of one lane.

    `first`: oldest batch that is kept in full (0: none). `last`: newest batch that is complete, so that it can be sent.
    `acked`: the cloud has acknowledged everything up to this batch. `backlog_batches`: number of batches above `acked`,
    up to `last`. `backlog_observations`: number of stored observations above `acked`. Both include those that gap
    records replace. `bytes`: sealed bytes of the lane.
    """

    first: int = 0
    last: int = 0
    acked: int = 0
    backlog_batches: int = 0
    backlog_observations: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """The last batch of a lane while it takes further observations: it is durable, and is not sent yet. The next commit
    of the lane replaces `row` by a row with more `sections`. After a crash the batch is complete as it is."""

    row: Row
    payload_bytes: int
    sections: Sequence[DeviceObservations]


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
    open_batch: OpenBatch | None = None
    """The last batch, while it takes further observations. None: it is complete."""

    @property
    def complete(self) -> int:
        """Sequence number of the newest batch or gap record before those that may still grow."""
        last = self.last if self.open_batch is None else self.open_batch.row.sequence - 1
        return min(last, self.open_loss - 1) if self.open_loss else last

    def marks(self) -> LaneMarks:
        last = self.complete
        return LaneMarks(
            first=self.first if self.first <= last else 0,
            last=last,
            acked=self.acked,
            backlog_batches=last - self.acked,
            backlog_observations=self.observations_total - self.acked_observations,
            bytes=self.bytes_total - self.bytes_dropped,
        )
