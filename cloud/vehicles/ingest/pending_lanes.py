"""Let live batches wait for those of their lanes that are being written at once, so that they can be staged.

A batch is staged only behind the last one of its lane, and that must be written first. Under load this takes longer
than the second after which a vehicle sends the next one. If that was written at once too, the lane would never be
staged again, at several times the cost, and the load would never end.
"""

from collections.abc import Iterable

from cloud.vehicles.custody import LaneKey
from cloud.vehicles.ingest.opening import Opened
from protocols.uplink.block_runs import BlockHead

PENDING_BYTES_MAX = 8 << 20
"""Bytes of the envelopes that wait. What arrives beyond that is written at once."""


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
        key, batch = one.lane_key, one.batch
        end = self._ends.get(key)
        if (
            end is None
            or one.envelope.historical
            or not isinstance(one.content, BlockHead)
            or (batch.sequence, batch.previous_hash) != (end[0] + 1, end[1])
            or self._bytes >= PENDING_BYTES_MAX
        ):
            return False
        self._ends[key] = batch.sequence, one.hash
        self._pending.setdefault(key, []).append(one)
        self._bytes += len(one.delivery.octets)
        return True

    def end(self, keys: Iterable[LaneKey]) -> list[Opened]:
        """Note that nothing of these lanes is being written at once any more; return what waited for it, in order."""
        found: list[Opened] = []
        for key in keys:
            self._ends.pop(key, None)
            found += self._pending.pop(key, ())
        self._bytes -= sum([len(one.delivery.octets) for one in found])
        return found
