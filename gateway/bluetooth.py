"""Bluetooth of one gateway: the adapter, the pairings, the sessions of paired devices, and operators' requests.

No other part depends on Bluetooth. Without an adapter or a working stack the other links work; Bluetooth reports what
is missing, and retries where that can help. This module is imported only where the settings name Bluetooth.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from gateway.buffer import Buffer
from gateway.buffer.ble_devices import PairedDevice
from gateway.sessions.context import SessionContext
from gateway.sessions.gatt.context import GattContext
from gateway.sessions.gatt.pairing import Pairings
from gateway.sessions.gatt.record_fetching import FetchRules
from gateway.sessions.gatt.record_marks import RecordMarks
from gateway.sessions.gatt.session import GattSession
from gateway.sessions.gatt.supervisor import BleSupervisor
from gateway.sessions.gatt.trusted_devices import TrustedDevices
from gateway.sessions.session import Session
from gateway.settings import Settings
from gateway.transports.ble.backend import load_ble_backend
from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.options import CentralOptions
from gateway.transports.ble.stack import BleBackend
from protocols.waits import GrowingWait

LOOK_EVERY_S = 2.0
"""Interval at which the adapter is checked. A change is reported once, and only when it lasts that long."""


class Bluetooth:
    """Bluetooth of one gateway. `adapter` is the name of the adapter in the settings; None: the first adapter."""

    def __init__(
        self,
        adapter: str | None,
        backend: BleBackend,
        central: BleCentral,
        trust: TrustedDevices,
        pairings: Pairings,
        supervisor: BleSupervisor,
        context: SessionContext,
    ) -> None:
        self.trust = trust
        self.pairings = pairings
        self.adapter = adapter
        self.central = central
        self._backend = backend
        self._supervisor = supervisor
        self._journal = context.journal
        self._clock = context.clock
        self._served = asyncio.Event()
        self._served.set()

    @property
    def parts(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        """The endless tasks of Bluetooth that the gateway must run, as pairs of a name and a function."""
        return [
            ("bluetooth adapter", self.central.run),
            ("bluetooth devices", self._serve),
            ("bluetooth watch", self._watch),
        ]

    @property
    def sessions(self) -> Sequence[Session]:
        """Running sessions of Bluetooth devices, oldest first."""
        return self._supervisor.sessions

    async def release_all(self) -> None:
        """End all sessions by an orderly release, and return when each has recorded its end."""
        await self._supervisor.release_all()
        await self._served.wait()

    async def _serve(self) -> None:
        self._served.clear()
        try:
            await self._supervisor.run()
        finally:
            self._served.set()

    def trouble_of(self, address: str) -> str:
        """Return a sentence about a device's fault that an operator must remedy before the device can be used; "" if
        the device has no such fault."""
        return self._supervisor.trouble_of(address)

    async def is_healthy(self, address: str) -> bool:
        """Return whether a paired device has no known fault and the stack still has its bond."""
        device = self.trust.trusted(address)
        if device is None or self._supervisor.trouble_of(address) or self.central.trouble:
            return False
        return not device.bonded or await self._backend.bonded(address)

    async def follow(self, buffer: Buffer) -> None:
        """Merge the pairings in memory with those in `buffer`, which now works on another store. Both then have all
        pairings. Raises StoreFull."""
        for device in self.trust.follow(await buffer.ble_devices()):
            await buffer.remember_ble_device(device)

    async def _watch(self) -> None:
        """Record an event when the adapter becomes unusable and when it becomes usable again. Never returns."""
        reported, seen = "", ""
        while True:
            before, seen = seen, self.central.trouble
            if seen == before and bool(seen) != bool(reported):
                reported = seen
                if seen:
                    await self._journal.record("ble.not_usable", None, why=seen)
                else:
                    await self._journal.record("ble.usable", None)
            await self._clock.sleep_until(self._clock.monotonic_s() + LOOK_EVERY_S)


async def compose_bluetooth(settings: Settings, context: SessionContext, number: Callable[[], int]) -> Bluetooth:
    """Make the gateway's Bluetooth parts. `number()` returns a new link's number, unique among all links of the
    gateway. Raises `BleBackendUnusable`."""
    buffer = context.store
    assert settings.bluetooth is not None
    stack, section = settings.bluetooth
    backend: BleBackend = load_ble_backend(stack)(section.adapter, settings.bonds_dir)
    trust = TrustedDevices(buffer)
    trust.load(await buffer.ble_devices())
    pairings = Pairings(trust, context.journal, context.clock, require_bond=section.require_bond)
    marks = RecordMarks()
    marks.load(await buffer.fetched_records())
    gatt = GattContext(
        store=buffer,
        marks=marks,
        rules=FetchRules(fetch=section.fetch_records, delete=section.delete_records),
        clock_read_every_s=float(settings.clocks.read_every_s),
        identify=trust.identify,
    )
    options = CentralOptions(connections_max=section.connections_max)
    central = BleCentral(backend, context.clock, options, pairings)
    new_session = partial(_session, context, gatt)
    supervisor = BleSupervisor(central, trust, new_session, number, context.clock, context.journal)
    return Bluetooth(section.adapter, backend, central, trust, pairings, supervisor, context)


def _session(
    context: SessionContext,
    gatt: GattContext,
    link: BleConnection,
    number: int,
    paired: PairedDevice,
    patience: GrowingWait,
) -> GattSession:
    return GattSession(link, number, paired, context, gatt, patience)
