"""Bluetooth of one gateway, put together: adapter, pairings, the sessions of paired devices, and what people ask.

Beside everything else, never before it: without an adapter, without a stack, even with a stack that does not load, the
gateway serves its other links, says what is missing, and goes on trying where that can help. Only composed where the
settings want Bluetooth, so that a vehicle without it loads none of this.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from gateway.buffer import Buffer
from gateway.buffer.ble_devices import PairedDevice
from gateway.console.ble_desk import BleDesk
from gateway.console.ble_view import Json, bluetooth_json, heard_json, paired_json
from gateway.sessions.association.session import Surroundings
from gateway.sessions.gatt.data_watch import Patience
from gateway.sessions.gatt.pairing import Pairings
from gateway.sessions.gatt.record_fetching import FetchRules, RecordMarks
from gateway.sessions.gatt.requests import GattLink
from gateway.sessions.gatt.session import GattSession, GattSurroundings
from gateway.sessions.gatt.supervisor import BleSupervisor
from gateway.sessions.session import Session
from gateway.settings import Settings
from gateway.transports.ble.backend import load_ble_backend
from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.options import CentralOptions
from gateway.transports.ble.stack import BleBackend

LOOK_EVERY_S = 2.0
"""How often it is looked whether the adapter is there. A change is told once, and only when it lasts so long."""


class Bluetooth:
    """Made by `composed`; `parts` are what runs."""

    def __init__(
        self,
        adapter: str | None,
        backend: BleBackend,
        central: BleCentral,
        pairings: Pairings,
        supervisor: BleSupervisor,
        around: Surroundings,
    ) -> None:
        self.pairings = pairings
        self._adapter = adapter
        self._backend = backend
        self._central = central
        self._supervisor = supervisor
        self._roster = around.roster
        self._journal = around.journal
        self._clock = around.clock
        self._served = asyncio.Event()
        self._served.set()
        self.desk = BleDesk(pairings, central, self._well)

    @property
    def parts(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        """To be kept running, each by its name."""
        return [
            ("bluetooth adapter", self._central.run),
            ("bluetooth devices", self._serve),
            ("bluetooth watch", self._watch),
        ]

    @property
    def sessions(self) -> Sequence[Session]:
        """Those that run now, oldest first."""
        return self._supervisor.sessions

    async def release_all(self) -> None:
        """End every session in order, and return when each has written down how it ended."""
        await self._supervisor.release_all()
        await self._served.wait()

    async def _serve(self) -> None:
        self._served.clear()
        try:
            await self._supervisor.run()
        finally:
            self._served.set()

    async def answer(self) -> Json:
        """{"ask": "ble"}"""
        return {
            "bluetooth": True,
            "adapter": self._adapter,
            "state": self._central.state,
            "trouble": self._central.trouble or None,
            "pairing": self.pairings.under_way,
            "paired": self._paired(),
            "heard": heard_json(self._central.heard(), self.pairings.paired, self._clock.monotonic_s()),
        }

    def status(self) -> Json:
        """For `status`."""
        return bluetooth_json(self._adapter, self._central.trouble, self._paired())

    def _paired(self) -> list[Json]:
        links = {session.link.name: session for session in self.sessions}
        return [self._of(device, links.get(f"ble:{device.address}")) for device in self.pairings.paired]

    def _of(self, device: PairedDevice, session: Session | None) -> Json:
        connected = session is not None and session.device is not None
        seen_us = self._roster.device(device.system_id).last_seen_us if device.system_id else None
        trouble = None if connected else self._supervisor.trouble_of(device.address)
        return paired_json(device, connected=connected, last_seen_us=seen_us, trouble=trouble)

    async def _well(self, address: str) -> bool:
        """Whether a paired device works as it is, as far as we know."""
        device = self.pairings.trusted(address)
        if device is None or self._supervisor.trouble_of(address) or self._central.trouble:
            return False
        return not device.bonded or await self._backend.bonded(address)

    async def follow(self, buffer: Buffer) -> None:
        """Another store is in use: serve also the devices that it names as paired, and store those that it lacks, since
        an operator paired them. Raises StoreFull."""
        for device in self.pairings.follow(await buffer.ble_devices()):
            await buffer.remember_ble_device(device)

    async def _watch(self) -> None:
        """Tell when the adapter goes and when it is back."""
        told, seen = "", ""
        while True:
            before, seen = seen, self._central.trouble
            if seen == before and bool(seen) != bool(told):
                told = seen
                if seen:
                    await self._journal.write("ble.not_usable", None, why=seen)
                else:
                    await self._journal.write("ble.usable", None)
            await self._clock.sleep_until(self._clock.monotonic_s() + LOOK_EVERY_S)


async def composed(settings: Settings, around: Surroundings, buffer: Buffer, number: Callable[[], int]) -> Bluetooth:
    """What the settings want of Bluetooth, with what earlier runs learned. `number` counts links over the whole
    gateway. Raises `BleBackendUnusable`."""
    assert settings.bluetooth is not None
    stack, section = settings.bluetooth
    backend: BleBackend = load_ble_backend(stack)(section.adapter, settings.bonds_dir)
    pairings = Pairings(buffer, around.journal, around.clock, require_bond=section.require_bond)
    pairings.load(await buffer.ble_devices())
    marks = RecordMarks()
    marks.load(await buffer.fetched_records())
    gatt = GattSurroundings(
        store=buffer,
        marks=marks,
        rules=FetchRules(fetch=section.fetch_records, delete=section.delete_records),
        clock_read_every_s=float(settings.clocks.read_every_s),
        met=pairings.met,
    )
    options = CentralOptions(connections_max=section.connections_max)
    central = BleCentral(backend, around.clock, options, pairings)
    new_session = partial(_session, around, gatt)
    supervisor = BleSupervisor(central, pairings, new_session, number, around.clock, around.journal)
    return Bluetooth(section.adapter, backend, central, pairings, supervisor, around)


def _session(
    around: Surroundings, gatt: GattSurroundings, link: GattLink, number: int, paired: PairedDevice, patience: Patience
) -> GattSession:
    return GattSession(link, number, paired, around, gatt, patience)
