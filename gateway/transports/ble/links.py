"""The links over one adapter, established or being made, and the limit on their number (`slots`)."""

import asyncio
from contextlib import suppress

from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.options import CentralOptions
from gateway.transports.ble.scanner import BleScanner
from gateway.transports.ble.slots import Slots
from gateway.transports.clock import Clock


class Links:
    """The links to devices over one adapter, at most one per device. The number of links is reported to `scanner`."""

    def __init__(self, clock: Clock, options: CentralOptions, scanner: BleScanner) -> None:
        self._clock = clock
        self._options = options
        self._scanner = scanner
        self._crowd = asyncio.Event()
        self._links: dict[str, BleConnection] = {}
        self.slots = Slots(options.connections_max, self._crowd.set)

    def of(self, address: str) -> BleConnection | None:
        """Return the link to the device, even if it has ended and was not closed yet; None where there is no link."""
        return self._links.get(address)

    def add(self, link: BleConnection) -> None:
        """Register a link to a device, before the link's connect begins."""
        assert link.address not in self._links
        self._links[link.address] = link
        self._scanner.links = len(self._links)

    def remove(self, link: BleConnection) -> None:
        """Unregister a closed link. Repeated calls do nothing."""
        if self._links.get(link.address) is link:
            del self._links[link.address]
            self._scanner.links = len(self._links)

    def end(self, why: str) -> None:
        """End all links at once, for the reason `why`. Each owner must still close its link."""
        for link in tuple(self._links.values()):
            link.end(why)

    async def close(self) -> None:
        """Close all links, whichever task owns them."""
        async with asyncio.TaskGroup() as tasks:
            for link in tuple(self._links.values()):
                tasks.create_task(link.close())

    async def share(self) -> None:
        """End idle links, the longest idle first and one at a time, while devices wait for a link. Runs until
        cancelled."""
        while True:
            await self._crowd.wait()
            self._crowd.clear()
            if not self.slots.queued:
                continue
            standing = [link for link in self._links.values() if not link.ended.is_set()]
            idlest = min(standing, key=lambda it: it.last_arrival_s, default=None)
            now_s = self._clock.monotonic_s()
            idle_s = self._options.idle_urgent_s if self.slots.urgent else self._options.idle_s
            due_s = now_s if idlest is None else idlest.last_arrival_s + idle_s
            if idlest is not None and due_s <= now_s:
                idlest.end("it had sent nothing for a while and gave its place to a device that waits")
            # A place becomes free only when its link has been closed. A device that begins to wait is handled at once.
            with suppress(TimeoutError):
                async with self._clock.timeout_at(max(due_s, now_s + 1.0)):
                    await self._crowd.wait()
            self._crowd.set()
