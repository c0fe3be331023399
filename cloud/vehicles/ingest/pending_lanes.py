"""Let live batches wait for those of their lanes that are being written at once, so that they can be staged.

A batch is staged only behind the last one of its lane, and that must be written first. Under load this takes longer
than the second after which a vehicle sends the next one. If that was written at once too, the lane would never be
staged again, at several times the cost, and the load would never end.

Only a lane that is sent in one order waits. A vehicle with backlog sends it beside the live batches, and as long as it
lasts some of it is always being written: live values would wait for the end of it.
"""

from collections.abc import Iterable
from typing import Final

from cloud.vehicles.custody import LaneKey
from cloud.vehicles.ingest.opening import Opened
from protocols.uplink.block_runs import BlockHead

PENDING_BYTES_MAX = 8 << 20
"""Bytes of the envelopes that wait. What arrives beyond that is written at once."""
LANE_BATCHES_MAX = 32
"""Batches of one lane that wait. They are written one after the other if they may not be staged after all, so a gateway
that sends many would make others wait. Behind some twenty seconds of live batches, a vehicle sends them as backlog."""
BATCH_ROWS_MAX = 2_000
"""Rows of a batch that may wait, many times those of a second."""
NO_END: Final = (1 << 64, b"")
"""The end of a lane that is not sent in one order: above all sequence numbers, so no batch continues it."""


class PendingLanes:
    """The last batch of each lane that is being written at once, and the batches that wait behind it."""

    def __init__(self) -> None:
        self._ends: dict[LaneKey, tuple[int, bytes]] = {}
        """The sequence number and the chain hash of the last batch that is being written, or waits."""
        self._pending: dict[LaneKey, list[Opened]] = {}
        self._bytes = 0

    def begin(self, one: Opened) -> None:
        """Note that a batch is about to be written at once."""
        end = self._ends.get(one.lane_key)
        if end is None or one.batch.sequence > end[0]:
            self._ends[one.lane_key] = one.batch.sequence, one.hash

    def add(self, one: Opened) -> bool:
        """Let a batch wait. Return False if it does not continue its lane, or may never be staged."""
        key = one.lane_key
        end = self._ends.get(key)
        if (
            end is None
            or one.envelope.historical
            or not isinstance(one.content, BlockHead)
            or not _continues(one, end)
            or one.batch.count > BATCH_ROWS_MAX
            or len(self._pending.get(key, ())) >= LANE_BATCHES_MAX
            or self._bytes >= PENDING_BYTES_MAX
        ):
            return False
        self._ends[key] = one.batch.sequence, one.hash
        self._pending.setdefault(key, []).append(one)
        self._bytes += len(one.delivery.octets)
        return True

    def release(self, one: Opened) -> list[Opened]:
        """Return what waits in the lane of a batch that is about to be written at once, in order: it is written too,
        so that none overtakes another. If the batch does not continue the lane, no other one waits until `end`."""
        end = self._ends.get(one.lane_key)
        if end is not None and not _continues(one, end):
            self._ends[one.lane_key] = NO_END
        return self._take(one.lane_key)

    def end(self, keys: Iterable[LaneKey]) -> list[Opened]:
        """Note that nothing of these lanes is being written at once any more; return what waited for it, in order."""
        found: list[Opened] = []
        for key in keys:
            self._ends.pop(key, None)
            found += self._take(key)
        return found

    def _take(self, key: LaneKey) -> list[Opened]:
        taken = self._pending.pop(key, [])
        self._bytes -= sum([len(one.delivery.octets) for one in taken])
        return taken


def _continues(one: Opened, end: tuple[int, bytes]) -> bool:
    return (one.batch.sequence, one.batch.previous_hash) == (end[0] + 1, end[1])
