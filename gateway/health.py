"""Health of the gateway for systemd (READY, WATCHDOG, STOPPING) and for the operator (longest stall of the event loop).

systemd's protocol is one datagram per message to the socket `NOTIFY_SOCKET`; these few lines save a dependency. Only a
stall of the event loop stops the watchdog message. A slow disk does not stop it, because a restart would not repair the
disk, and would break the devices' links and the crew's page. A store writer that does not respond is shown in `status`
and on the crew's page instead.
"""

import os
import socket
from collections.abc import Mapping

from gateway.transports.clock import Clock

BEAT_S = 0.25
"""Interval at which the loop checks whether it is late, and the resolution of a measured stall."""
FEED_EVERY_S = 1.0
"""Interval at which systemd is notified, unless its own limit requires a shorter one: 60 datagrams in the 60 s of the
unit."""
STORE_SILENT_S = 150.0
"""Time after which the writer counts as hanging, so that nothing is recorded. The wall time is persisted every minute:
this allows for two missed in a row and a slow disk."""


class Notifier:
    """Sends notifications to systemd. Does nothing where systemd expects none (no NOTIFY_SOCKET in the environment)."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environment.get("WATCHDOG_USEC", "")
        self.watchdog_s: float | None = int(microseconds) / 2_000_000 if mine and microseconds.isdigit() else None
        """Interval of `watchdog`: half of what systemd allows. None: systemd does not watch."""

    def ready(self) -> None:
        self._notify("READY=1\nSTATUS=serving devices")

    def watchdog(self) -> None:
        self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        self._notify("STOPPING=1\nSTATUS=releasing devices, last commit, last batches")

    def _notify(self, message: str) -> None:
        if not self._address:
            return
        # An address that begins with @ is in the abstract namespace, whose first byte is zero.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto(message.encode(), address)
        except OSError:
            # systemd has ended or is restarting. Devices are served meanwhile, and the next start notifies it.
            return


class Heartbeat:
    """Sends systemd's watchdog message while the event loop runs. `longest_stall_s`: longest stall in this run."""

    def __init__(self, clock: Clock, notifier: Notifier) -> None:
        self._clock = clock
        self._notifier = notifier
        self.longest_stall_s = 0.0

    async def run(self) -> None:
        """Measure stalls and send watchdog messages until cancelled. The loop awaits only the clock, so that nothing
        but a stall of the event loop stops the messages."""
        watchdog_s = self._notifier.watchdog_s
        every_s = BEAT_S if watchdog_s is None else min(BEAT_S, watchdog_s)
        feed_every_s = FEED_EVERY_S if watchdog_s is None else min(FEED_EVERY_S, watchdog_s)
        fed_s = float("-inf")
        while True:
            now_s = self._clock.monotonic_s()
            if watchdog_s is not None and now_s - fed_s >= feed_every_s:
                self._notifier.watchdog()
                fed_s = now_s
            await self._clock.sleep_until(now_s + every_s)
            self.longest_stall_s = max(self.longest_stall_s, self._clock.monotonic_s() - now_s - every_s)


class StoreHealth:
    """Time since the store's writer last responded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._responded_s = clock.monotonic_s()

    def note_response(self) -> None:
        """Record that the store's writer has just committed, or has refused to commit because the disk is full."""
        self._responded_s = self._clock.monotonic_s()

    @property
    def silent_s(self) -> float:
        """Seconds since the store's writer last responded."""
        return self._clock.monotonic_s() - self._responded_s

    @property
    def hangs(self) -> bool:
        """True when the store's writer has not responded for longer than any working disk takes."""
        return self.silent_s >= STORE_SILENT_S
