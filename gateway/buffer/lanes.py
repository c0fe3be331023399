"""The state of each lane: the end of its chain, for appending, and its marks, for sending and showing.

`LaneHead` belongs to the writer's thread. `LaneMarks` is a value that the writer replaces after each commit, so the
loop reads it without a lock.
"""

from dataclasses import dataclass

from protocols.uplink.lanes import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMarks:
    """Marks of one lane. `first`: oldest batch that is kept in full (0: none). `last`: newest that is committed and may
    be sent. `acked`: the cloud has acknowledged everything up to it. The backlog is what lies above `acked`: sequences,
    and their observations, including those that a gap record stands in for. `bytes`: sealed bytes that the lane
    holds."""

    first: int = 0
    last: int = 0
    acked: int = 0
    backlog_batches: int = 0
    backlog_observations: int = 0
    bytes: int = 0


@dataclass(slots=True, kw_only=True)
class LaneHead:
    """The end of one lane. The next row names the hash `tip` as its predecessor's."""

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
    """The gap record that still counts what a full store refuses: not sent before it is closed. 0: none."""
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
