"""One attempt at a link: its turn, scanning paused, a separate client, and the end of that client if it fails.

Attempts are made one after the other on an adapter (misbehaviours 2, 16), each within a limit (4: BlueZ repeats an
aborted connect inside, for ever), and with the latest scan result (6: BlueZ forgets a device soon after).

`central` decides what follows a failed one.
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
    """Attempts on one adapter."""

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
        """Yield a connected link, closed again when the block raises. Yield None where, when the turn has come, the
        device was not heard since `since_s`, or nothing is allowed any more: the turn may have been long in coming. The
        turn is over when the block begins: an operator who types a passkey delays no other device."""
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
        """Close a failed link before anything else (1): a client that is not disconnected stays subscribed in the
        stack."""
        try:
            await connection.close()
        finally:
            self._links.remove(connection)
