"""Attempts at a link: wait for the lock, pause the scan, connect a new client, and close the client on failure.

Attempts on one adapter are made one at a time, since stacks fail at concurrent connects. Each has a time limit, because
BlueZ retries an aborted connect without end. Each uses the latest scan result, because BlueZ forgets a device soon
after a scan.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bleak.backends.device import BLEDevice

from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.links import Links
from gateway.transports.ble.options import CentralOptions
from gateway.transports.ble.scanner import BleScanner
from gateway.transports.ble.stack import BleBackend
from gateway.transports.clock import Clock


class Attempts:
    """Attempts to connect over one adapter, one at a time."""

    def __init__(
        self, backend: BleBackend, clock: Clock, options: CentralOptions, scanner: BleScanner, links: Links
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._options = options
        self._scanner = scanner
        self._links = links
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def link_to(
        self, address: str, since_s: Callable[[], float], allowed: Callable[[], bool]
    ) -> AsyncIterator[BleConnection | None]:
        """Connect a device and yield its link, which is closed if the block raises.

        Earlier attempts are awaited first. Yield None if the device has not advertised since `since_s()`, if
        `allowed()` returns False, or if the device has a link already. Other attempts may begin while the block runs,
        so a block in which an operator types a passkey delays no other device.
        """
        async with self._turn:
            device = self._scanner.device(address, since_s())
            free = allowed() and self._links.of(address) is None
            connection = None if device is None or not free else await self._connected(device)
        try:
            yield connection
        except BaseException:
            if connection is not None:
                await self._close(connection)
            raise

    async def _connected(self, device: BLEDevice) -> BleConnection:
        connection = BleConnection(
            device.address.upper(),
            self._clock,
            request_s=self._options.request_s,
            arrivals_max=self._options.arrivals_max,
        )
        self._links.add(connection)
        try:
            async with self._scanner.paused():
                await connection.open(self._backend.client(device, connection.lost), self._options.connect_s)
        except BaseException:
            await self._close(connection)
            raise
        return connection

    async def _close(self, connection: BleConnection) -> None:
        """Close a failed link before the next attempt, because an open client stays subscribed in the stack."""
        try:
            await connection.close()
        finally:
            self._links.remove(connection)
