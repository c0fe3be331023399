"""Supervision of a link by its data: whether a device that streams values still sends them.

A stack may report a link as connected although it carries nothing (a daemon died, a subscription was lost). So only
received values count. Two services stream about one value a second while they measure: a pulse oximeter's continuous
values and a heart rate. When the values stop, the link is closed and connected again, which repairs such a link. A
pulse oximeter that is not on a finger sends no values either. So each new link without values doubles the silence that
is allowed on the next one.

A device that does not stream (a thermometer, a cuff) gets a small read request after a time of silence.
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
    """Return a new limit for the silence of one streaming device. The limit is kept over all links of the device, and
    each link without values doubles it."""
    return GrowingWait(SILENT_S, SILENT_S_MAX)


class DataWatch:
    """Supervision of one link, which begins after the last subscription. Times are monotonic. The argument `heard_s` is
    the arrival of the last value. A value counts even while it is still queued, because a slow store must not look like
    a silent device."""

    def __init__(self, *, streams: bool, patience: GrowingWait, now_s: float) -> None:
        self.streams = streams
        self._patience = patience
        self._since_s = now_s

    def due_s(self, heard_s: float) -> float:
        """Return the monotonic time at which the link must be checked for silence. If a value arrived on this link,
        reset the limit for silence."""
        if heard_s > self._since_s:
            self._patience.reset()
        wait_s = self._patience.now_s if self.streams else ASK_EVERY_S
        return max(heard_s, self._since_s) + wait_s

    def end_link(self, heard_s: float) -> None:
        """Double the device's limit for silence if no value arrived on the link that is being ended."""
        if heard_s <= self._since_s:
            self._patience.next_s()
