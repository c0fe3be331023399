"""Decide when deliveries are opened: numerics and waveforms of many vehicles together, all others at once.

Each opening reads the gateways from the database, and a statement costs as much as opening a batch. A fleet sends a
message in each millisecond or two. They wait for their group (`live_queue`) ten times as long as here. A delivery that
arrives after a pause is opened at once.
"""

from collections.abc import Sequence
from typing import Final

from cloud.vehicles.ingest.source import BatchDelivery, Delivery
from protocols.uplink.lanes import Lane

LIVE_LANES: Final = (Lane.NUMERIC, Lane.WAVEFORM)
"""Lanes (numbered streams of batches) whose batches wait for others to share a commit."""
OPENING_EVERY_S: Final = 0.02
"""Shortest time between two openings of a few batches of these lanes."""
OPENING_ENOUGH: Final = 64
"""Deliveries that do not wait for others, since the statement is a hundredth of their cost."""


class OpeningPace:
    """The pace of the openings of one ingest. Times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._next_s = float("-inf")

    def wait_s(self, deliveries: Sequence[Delivery], now_s: float) -> float:
        """Return for how long the opening of `deliveries` waits for others."""
        if len(deliveries) >= OPENING_ENOUGH or not all(map(_is_live, deliveries)):
            return 0.0
        return max(0.0, self._next_s - now_s)

    def begin(self, now_s: float) -> None:
        """Note that an opening begins."""
        self._next_s = now_s + OPENING_EVERY_S


def _is_live(delivery: Delivery) -> bool:
    return isinstance(delivery, BatchDelivery) and delivery.lane in LIVE_LANES
