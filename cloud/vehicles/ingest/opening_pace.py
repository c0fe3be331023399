"""Decide when numerics and waveforms are opened: those of many vehicles together.

Each opening reads the gateways from the database, and a statement costs as much as opening some batches. A fleet sends
a message in each millisecond or two. They wait for their group (`live_queue`, `staging`) several times as long as here.
A delivery that arrives after a pause is opened at once, and so are all deliveries of other lanes.
"""

from typing import Final

OPENING_EVERY_S: Final = 0.05
"""Shortest time between two openings of a few batches of the live lanes."""
OPENING_ENOUGH: Final = 16
"""Deliveries that do not wait for others. With 64, the backlog of one vehicle waited with each part of it."""


class OpeningPace:
    """The pace of the openings of one ingest. Times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._next_s = float("-inf")

    def wait_s(self, deliveries: int, now_s: float) -> float:
        """Return for how long the opening of so many deliveries of the live lanes waits for others."""
        return 0.0 if deliveries >= OPENING_ENOUGH else max(0.0, self._next_s - now_s)

    def begin(self, now_s: float) -> None:
        """Note that an opening begins."""
        self._next_s = now_s + OPENING_EVERY_S
