"""Whether a device that promised a stream of values still keeps its word: supervision of a link by its data.

A stack may call a link connected that nothing comes over any more (a daemon that died, a subscription that got lost on
the way), so what counts is what arrives. Two services stream by their nature while they measure: a pulse oximeter's
continuous values and a heart rate, about one a second. When they fall silent the link is given up and made again, which
repairs whichever of these it was. A finger that is simply out of the clip looks the same from here: so each silence
that a new link did not end lets the next one be twice as long.

Devices that promise nothing (a thermometer, a cuff) are asked something small instead when they have been quiet.
"""

from typing import Final

from protocols.waits import GrowingWait

CONTINUOUS: Final = frozenset({0x2A37, 0x2A5F})
"""Heart Rate Measurement, PLX Continuous Measurement."""
SILENT_S: Final = 30.0
"""Thirty values that did not come. A strap that is put right again is back within seconds."""
SILENT_S_MAX: Final = 600.0
ASK_EVERY_S: Final = 60.0
"""A quiet device is asked whether it is still there; costs it one packet."""


def new_patience() -> GrowingWait:
    """The time for which one device may be silent, over all its links: doubled by each link without values."""
    return GrowingWait(SILENT_S, SILENT_S_MAX)


class DataWatch:
    """Supervision of one link from its last subscription on. Times are monotonic; `heard_s` is the last arrival over
    the link, delivered or still queued: a slow store is no silence of the device."""

    def __init__(self, *, streams: bool, patience: GrowingWait, now_s: float) -> None:
        self.streams = streams
        self._patience = patience
        self._since_s = now_s

    def due_s(self, heard_s: float) -> float:
        """When to look again."""
        if heard_s > self._since_s:
            self._patience.reset()
        wait_s = self._patience.now_s if self.streams else ASK_EVERY_S
        return max(heard_s, self._since_s) + wait_s

    def end_link(self, heard_s: float) -> None:
        """The link is ended for its silence."""
        if heard_s <= self._since_s:
            self._patience.next_s()
