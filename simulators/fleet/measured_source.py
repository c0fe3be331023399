"""Buffer of one simulated vehicle, as its uplink uses it, with a count of the batches that the cloud acknowledges.

The delay of an acknowledgement is the time from a batch's last commit in the vehicle to the arrival of the cloud's
acknowledgement. Both times are read from the clock of this machine. An open batch is cut within a second of its first
value, and this time is included.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.buffer import Buffer, LaneMarks
from gateway.transports.clock import Clock
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch, BatchKind
from protocols.uplink.lanes import Lane
from protocols.uplink.status import StoreState
from simulators.fleet.latency import Latencies


@dataclass(slots=True)
class Acknowledged:
    """Sums over the batches of a fleet that the cloud has acknowledged. `dropped_batches`: gap records in the place of
    data that the vehicle had to drop. `payload_bytes`: the content of the batches, as sent. `latencies` of each
    lane has only batches that were committed after `since_us`, since earlier ones were made by an earlier run."""

    since_us: int
    batches: int = 0
    observations: int = 0
    dropped_batches: int = 0
    payload_bytes: int = 0
    latencies: Mapping[Lane, Latencies] = field(default_factory=lambda: {lane: Latencies() for lane in Lane})


@dataclass(frozen=True, slots=True)
class _Unacknowledged:
    kind: BatchKind
    count: int
    payload_bytes: int
    created_at_us: int


class MeasuredSource:
    """The buffer of one vehicle, as a `BatchSource`. Every call goes to the buffer unchanged. Facts about a batch are
    kept from its first reading to its acknowledgement, so their number is bounded by the uplink's window."""

    def __init__(self, buffer: Buffer, clock: Clock, acknowledged: Acknowledged) -> None:
        self._buffer = buffer
        self._clock = clock
        self._acknowledged = acknowledged
        self._read: dict[Lane, dict[int, _Unacknowledged]] = {lane: {} for lane in Lane}
        self._counted: dict[Lane, int] = dict.fromkeys(Lane, 0)
        """The last counted batch of each lane: one that is sent again after its acknowledgement counts once."""

    @property
    def epoch(self) -> str:
        return self._buffer.epoch

    @property
    def store_state(self) -> StoreState:
        return self._buffer.store_state

    def marks(self) -> Mapping[Lane, LaneMarks]:
        return self._buffer.marks()

    async def next_batches(self, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int) -> list[Batch]:
        found = await self._buffer.next_batches(lane, after=after, limit_batches=limit_batches, limit_bytes=limit_bytes)
        read = self._read[lane]
        acked = max(self._buffer.marks()[lane].acked, self._counted[lane])
        for batch in found:
            if batch.sequence > acked and batch.sequence not in read:
                read[batch.sequence] = _Unacknowledged(batch.kind, batch.count, len(batch.payload), batch.created_at_us)
        return found

    async def acknowledge(self, ack: Ack) -> None:
        now_us = self._clock.wall_us()
        read = self._read[ack.lane]
        for sequence in [each for each in read if each <= ack.through_sequence]:
            self._count(ack.lane, read.pop(sequence), now_us)
            self._counted[ack.lane] = max(self._counted[ack.lane], sequence)
        await self._buffer.acknowledge(ack)

    def _count(self, lane: Lane, batch: _Unacknowledged, now_us: int) -> None:
        sums = self._acknowledged
        sums.batches += 1
        sums.payload_bytes += batch.payload_bytes
        if batch.kind is BatchKind.GAP:
            sums.dropped_batches += 1
        if batch.kind is BatchKind.OBSERVATIONS:
            sums.observations += batch.count
        if batch.created_at_us >= sums.since_us:
            sums.latencies[lane].add((now_us - batch.created_at_us) / 1000)

    async def rewind(self, lane: Lane, through: int) -> None:
        await self._buffer.rewind(lane, through)

    def wait_for_commit(self) -> asyncio.Event:
        return self._buffer.wait_for_commit()
