"""Supervision of a link by its data: whether a device that streams values still sends them.

A stack may report a link as connected although it carries nothing any more (a daemon that died, a subscription that was
lost). So only received values count. Two services stream while they measure, about one value a second: a pulse
oximeter's continuous values and a heart rate. When the values stop, the link is closed and connected again, which
repairs either fault. A pulse oximeter that is not on a finger looks the same to the gateway. So each time that a new
link brings no values either, the next limit is doubled.

A device that does not stream (a thermometer, a cuff) gets a small read request instead when it was silent for a while.
"""

from typing import Final

from protocols.waits import GrowingWait

CONTINUOUS: Final = frozenset({0x2A37, 0x2A5F})
"""Streaming characteristics: Heart Rate Measurement, PLX Continuous Measurement."""
SILENT_S: Final = 30.0
"""Silence after which a streaming link is ended: thirty missing values. After a chest strap is put right, its values
return within seconds."""
SILENT_S_MAX: Final = 600.0
ASK_EVERY_S: Final = 60.0
"""Interval of the request that checks whether a quiet device still responds; it costs one packet."""


def new_patience() -> GrowingWait:
    """Return the limit for the silence of one device, over all its links. It doubles after each link without values."""
    return GrowingWait(SILENT_S, SILENT_S_MAX)


class DataWatch:
    """Supervision of one link after its last subscription. Times are monotonic. `heard_s` is the time of the last value
    that arrived over the link, even if it is still queued: a slow store must not look like a silent device."""

    def __init__(self, *, streams: bool, patience: GrowingWait, now_s: float) -> None:
        self.streams = streams
        self._patience = patience
        self._since_s = now_s

    def due_s(self, heard_s: float) -> float:
        """Return the time of the next check. A value on this link resets the limit for silence."""
        if heard_s > self._since_s:
            self._patience.reset()
        wait_s = self._patience.now_s if self.streams else ASK_EVERY_S
        return max(heard_s, self._since_s) + wait_s

    def end_link(self, heard_s: float) -> None:
        """Double the limit for silence, if the link that is ended now has brought no values."""
        if heard_s <= self._since_s:
            self._patience.next_s()
