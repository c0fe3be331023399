"""Supervision of a link by its data: whether a device that streams values still sends them.

A stack may report a link as connected that carries nothing any more (a daemon that died, a subscription that was lost),
so only arrivals count. Two services stream by their nature while they measure: a pulse oximeter's continuous values and
a heart rate, about one a second. When they fall silent the link is ended and made again, which repairs either fault. A
finger that is simply out of the clip looks the same from here: so each silence that a new link did not end doubles the
next limit.

Devices that do not stream (a thermometer, a cuff) are sent a small request instead when they have been quiet.
"""

from typing import Final

from protocols.waits import GrowingWait

CONTINUOUS: Final = frozenset({0x2A37, 0x2A5F})
"""Streaming characteristics: Heart Rate Measurement, PLX Continuous Measurement."""
SILENT_S: Final = 30.0
"""Silence after which a streaming link is ended: thirty missing values. A strap that is put right again is back within
seconds."""
SILENT_S_MAX: Final = 600.0
ASK_EVERY_S: Final = 60.0
"""Interval of the request that checks whether a quiet device still responds; it costs one packet."""


def new_patience() -> GrowingWait:
    """Return the time for which one device may be silent, over all its links: doubled by each link without values."""
    return GrowingWait(SILENT_S, SILENT_S_MAX)


class DataWatch:
    """Supervision of one link from its last subscription on. Times are monotonic; `heard_s` is the last arrival over
    the link, delivered or still queued: a slow store is no silence of the device."""

    def __init__(self, *, streams: bool, patience: GrowingWait, now_s: float) -> None:
        self.streams = streams
        self._patience = patience
        self._since_s = now_s

    def due_s(self, heard_s: float) -> float:
        """Return the time of the next check."""
        if heard_s > self._since_s:
            self._patience.reset()
        wait_s = self._patience.now_s if self.streams else ASK_EVERY_S
        return max(heard_s, self._since_s) + wait_s

    def end_link(self, heard_s: float) -> None:
        """Double the patience where the link that ended for its silence brought no values."""
        if heard_s <= self._since_s:
            self._patience.next_s()
