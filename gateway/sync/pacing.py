"""Limits the bytes in flight to what the path carries within the target delay.

Bytes that are sent too early are queued in a kernel's or a modem's buffer, where nothing can overtake them: an alarm
would queue behind a minute of backlog. So the window follows the delay from sending to the cloud's acknowledgement: it
grows by the acknowledged bytes while the delay is below the target, and shrinks by a third, once per delay, when it is
above. (The idea is that of LEDBAT, RFC 6817; here the delay includes the cloud's commit, because that is a queue too.)
"""

from dataclasses import dataclass

_SHRINK = 2 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PacingSettings:
    """Settings of the pacing, in bytes and seconds. `least_bytes` must let one ordinary batch travel."""

    first_bytes: int = 128 * 1024
    least_bytes: int = 32 * 1024
    most_bytes: int = 2 * 1024 * 1024
    aimed_delay_s: float = 1.0


class Pacing:
    """The window of bytes in flight: `window_bytes` may be in flight now."""

    def __init__(self, settings: PacingSettings) -> None:
        self._settings = settings
        self._shrunk_at_s = float("-inf")
        self.window_bytes = settings.first_bytes

    def acknowledge(self, octets: int, *, sent_at_s: float, now_s: float, under_way_bytes: int) -> None:
        """Adapt the window to the acknowledgement of a batch of `octets` bytes that was sent once, at `sent_at_s`, when
        `under_way_bytes` were in flight with it. A window that is not filled gives no measure of the path, and does not
        grow."""
        settings = self._settings
        if now_s - sent_at_s <= settings.aimed_delay_s:
            if 2 * under_way_bytes >= self.window_bytes:
                self.window_bytes = min(settings.most_bytes, self.window_bytes + octets)
        elif sent_at_s >= self._shrunk_at_s:
            # A batch sent before the last shrinking reflects the window of that time.
            self._shrink_window(now_s)

    def shrink(self, now_s: float) -> None:
        """Shrink the window after a batch got no acknowledgement in time."""
        self._shrink_window(now_s)

    def _shrink_window(self, now_s: float) -> None:
        self._shrunk_at_s = now_s
        self.window_bytes = max(self._settings.least_bytes, int(self.window_bytes * _SHRINK))
