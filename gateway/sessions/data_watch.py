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
    """Of one link, from its last subscription on. Times monotonic."""

    def __init__(self, *, streams: bool, patience: Patience, now_s: float) -> None:
        self._streams = streams
        self._patience = patience
        self._heard_s = now_s
        self._came = False

    @property
    def due_s(self) -> float:
        """When to look again."""
        return self._heard_s + (self._patience.seconds if self._streams else ASK_EVERY_S)

    @property
    def streams(self) -> bool:
        return self._streams

    def heard(self, now_s: float) -> None:
        """Anything came."""
        self._heard_s = now_s
        if not self._came:
            self._came = True
            self._patience.rewarded()

    def given_up(self) -> None:
        """The link is ended for its silence."""
        if not self._came:
            self._patience.in_vain()
