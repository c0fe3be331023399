"""Limits the bytes in flight to what the path to the cloud carries within the target delay.

Bytes sent too early queue in a kernel's or a modem's buffer, where an alarm would wait behind a minute of backlog. So
the limit (the window) follows the delay from sending to the cloud's acknowledgement. While the delay is below the
target, the window grows by the acknowledged bytes. When the delay is above it, the window shrinks by a third, at most
once per delay. (The idea is that of LEDBAT, RFC 6817; here the delay includes the cloud's commit, because batches queue
for it too.)
"""

from dataclasses import dataclass

_SHRINK = 2 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PacingSettings:
    """Bounds of the window in bytes, and target delay in seconds. `least_bytes` must hold one ordinary batch."""

    first_bytes: int = 128 * 1024
    least_bytes: int = 32 * 1024
    most_bytes: int = 2 * 1024 * 1024
    aimed_delay_s: float = 1.0


class Pacing:
    """Limit on the bytes in flight: at most `window_bytes` now."""

    def __init__(self, settings: PacingSettings) -> None:
        self._settings = settings
        self._shrunk_at_s = float("-inf")
        self.window_bytes = settings.first_bytes

    def acknowledge(self, octets: int, *, sent_at_s: float, now_s: float, under_way_bytes: int) -> None:
        """Adapt the window to the acknowledgement of a batch of `octets` bytes that was sent only once.
        `under_way_bytes`: bytes in flight when the acknowledgement arrived. The window grows only if these bytes filled
        at least half of the window, since fewer bytes do not show what the path can carry."""
        settings = self._settings
        if now_s - sent_at_s <= settings.aimed_delay_s:
            if 2 * under_way_bytes >= self.window_bytes:
                self.window_bytes = min(settings.most_bytes, self.window_bytes + octets)
        elif sent_at_s >= self._shrunk_at_s:
            # A batch sent before the last shrinking reflects the window of that time.
            self._shrink_window(now_s)

    def shrink(self, now_s: float) -> None:
        """Shrink the window, because a batch got no acknowledgement in time or was lost."""
        self._shrink_window(now_s)

    def _shrink_window(self, now_s: float) -> None:
        self._shrunk_at_s = now_s
        self.window_bytes = max(self._settings.least_bytes, int(self.window_bytes * _SHRINK))
