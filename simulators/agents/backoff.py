"""Pauses between connection attempts: doubling, limited, and different for each device, so that the devices of a
vehicle do not all reconnect at once. The difference is computed from the system id, so a run is reproducible.
"""

from typing import Final
from zlib import crc32

FIRST_S: Final = 0.2
LAST_S: Final = 3.0
"""Limit of the pause. A gateway that was killed is back within three seconds; the devices should reconnect soon
after."""


class Backoff:
    def __init__(self, identity: bytes) -> None:
        self._spread = 0.8 + 0.4 * (crc32(identity) % 1000) / 1000
        self._pause_s = FIRST_S

    def next_s(self) -> float:
        """Return the pause before the next attempt in seconds. Each call doubles the pause of the following call, up to
        a limit."""
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, LAST_S)
        return pause_s * self._spread

    def reset(self) -> None:
        self._pause_s = FIRST_S
