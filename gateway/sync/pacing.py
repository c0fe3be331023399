"""Limits the bytes in flight to what the path carries within the target delay.

What is sent too early waits in a kernel's or a modem's buffer, where nothing can overtake it: an alarm would queue
behind a minute of backlog. So the window follows the delay from sending to the cloud's acknowledgement: it grows by
what was acknowledged while the delay is below the aim, and shrinks by a third, once per delay, when it is above.
(The idea is that of LEDBAT, RFC 6817; here the delay includes the cloud's commit, because that is a queue too.)
"""

from dataclasses import dataclass

_SHRINK = 2 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PacingSettings:
    """Bytes and seconds. `least_bytes` must let one ordinary batch travel."""

    first_bytes: int = 128 * 1024
    least_bytes: int = 32 * 1024
    most_bytes: int = 2 * 1024 * 1024
    aimed_delay_s: float = 1.0


class Pacing:
    """`window_bytes` is what may be under way now."""

    def __init__(self, settings: PacingSettings) -> None:
        self._settings = settings
        self._shrunk_at_s = float("-inf")
        self.window_bytes = settings.first_bytes

    def acknowledge(self, octets: int, *, sent_at_s: float, now_s: float, under_way_bytes: int) -> None:
        """A batch of `octets` that was sent once, at `sent_at_s`, has its acknowledgement; `under_way_bytes` were
        under way with it. A window that is not filled says nothing about the path, and does not grow."""
        settings = self._settings
        if now_s - sent_at_s <= settings.aimed_delay_s:
            if 2 * under_way_bytes >= self.window_bytes:
                self.window_bytes = min(settings.most_bytes, self.window_bytes + octets)
        elif sent_at_s >= self._shrunk_at_s:
            # What was sent before the last shrinking reflects the window of that time.
            self._shrink_window(now_s)

    def shrink(self, now_s: float) -> None:
        """Something that was sent got no acknowledgement in time."""
        self._shrink_window(now_s)

    def _shrink_window(self, now_s: float) -> None:
        self._shrunk_at_s = now_s
        self.window_bytes = max(self._settings.least_bytes, int(self.window_bytes * _SHRINK))
