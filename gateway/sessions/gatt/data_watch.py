"""Whether a device that promised a stream of values still keeps its word: supervision of a link by its data.

A stack may call a link connected that nothing comes over any more (a daemon that died, a subscription that got lost on
the way), so what counts is what arrives. Two services stream by their nature while they measure: a pulse oximeter's
continuous values and a heart rate, about one a second. When they fall silent the link is given up and made again, which
repairs whichever of these it was. That the finger is simply out of the clip cannot be told from here: so each silence
that a new link did not end lets the next one be twice as long.

Devices that promise nothing (a thermometer, a cuff) are asked something small instead when they have been quiet.
"""

from typing import Final

CONTINUOUS: Final = frozenset({0x2A37, 0x2A5F})
"""Heart Rate Measurement, PLX Continuous Measurement."""
SILENT_S: Final = 30.0
"""Thirty values that did not come. A strap that is put right again is back within seconds."""
SILENT_S_MAX: Final = 600.0
ASK_EVERY_S: Final = 60.0
"""A quiet device is asked whether it is still there; costs it one packet."""


class Patience:
    """How long this device may be silent; over all its links."""

    def __init__(self) -> None:
        self._seconds = SILENT_S

    @property
    def seconds(self) -> float:
        return self._seconds

    def in_vain(self) -> None:
        """A new link brought no values either."""
        self._seconds = min(SILENT_S_MAX, self._seconds * 2)

    def rewarded(self) -> None:
        self._seconds = SILENT_S


class DataWatch:
    """Of one link, from its last subscription on. Times monotonic; `heard_s` is when something last came over it, taken
    or still waiting: a store that is slow is no silence of the device."""

    def __init__(self, *, streams: bool, patience: Patience, now_s: float) -> None:
        self.streams = streams
        self._patience = patience
        self._since_s = now_s

    def due_s(self, heard_s: float) -> float:
        """When to look again."""
        if heard_s > self._since_s:
            self._patience.rewarded()
        wait_s = self._patience.seconds if self.streams else ASK_EVERY_S
        return max(heard_s, self._since_s) + wait_s

    def given_up(self, heard_s: float) -> None:
        """The link is ended for its silence."""
        if heard_s <= self._since_s:
            self._patience.in_vain()
