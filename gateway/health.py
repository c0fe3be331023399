"""Whether this gateway is well, said to systemd: READY when it serves, WATCHDOG while its parts answer, STOPPING at the
end.

The protocol is a datagram to the socket that `NOTIFY_SOCKET` names; the few lines here spare a dependency. The watchdog
is fed only while the event loop turns *and* the store's writer answers: a process that runs but can no longer commit
must be started again by systemd, because it acknowledges nothing and looks alive.
"""

import os
import socket
from collections.abc import Mapping

from gateway.transports.clock import Clock

STORE_SILENT_S = 150.0
"""The wall time is persisted every minute; two missed in a row and some patience for a slow disk mean that the writer
hangs."""


class Notifier:
    """systemd's side. Does nothing where systemd did not ask."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environment.get("WATCHDOG_USEC", "")
        self.watchdog_s: float | None = int(microseconds) / 2_000_000 if mine and microseconds.isdigit() else None
        """How often `watchdog` is due: half of what systemd allows. None: it does not watch."""

    def ready(self) -> None:
        self._say("READY=1\nSTATUS=serving devices")

    def watchdog(self) -> None:
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        self._say("STOPPING=1\nSTATUS=releasing devices, last commit, last batches")

    def _say(self, message: str) -> None:
        if not self._address:
            return
        # An address that begins with @ is in the abstract namespace, whose first octet is zero.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto(message.encode(), address)
        except OSError:
            # systemd gone or restarting: it asks again by starting us again, and devices are served meanwhile.
            return


class Health:
    """What the watchdog goes by."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._store_answered_s = clock.monotonic_s()

    def store_answered(self) -> None:
        """The store's writer committed something just now."""
        self._store_answered_s = self._clock.monotonic_s()

    @property
    def well(self) -> bool:
        return self._clock.monotonic_s() - self._store_answered_s < STORE_SILENT_S
