"""A central on an ether (a simulated radio), with a store, the gateway's pairings, and a scripted person."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from bumble.keys import KeyStore

from gateway.buffer import Buffer
from gateway.sessions.gatt.pairing import Pairings
from gateway.sessions.gatt.trusted_devices import TrustedDevices
from gateway.sessions.journal import Journal
from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.options import CentralOptions
from gateway.transports.clock import Clock, SystemClock
from protocols.uplink.events import EventField, decode_event
from protocols.uplink.lanes import Lane
from simulators.ble.assembly import build_peripheral
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.ether import Ether
from simulators.ble.peripheral import Peripheral, PeripheralOptions
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of
from tests.builders.buffer_store import new_store, opened, whole_lane
from tests.harness.eventually import eventually
from tests.harness.virtual_radio import RadioHere


class Person:
    """A scripted person at a pairing: `yes` is the reply to each question, `digits` the passkey that the person types.
    If `digits` is a device, the person types the passkey that the device displays.

    `steps` are the steps shown to the person; `asked` are the questions put to the person.
    """

    def __init__(self, *, yes: bool = True, digits: Peripheral | int | None = None) -> None:
        self._yes = yes
        self._digits = digits
        self.steps: list[str] = []
        self.asked: list[str] = []

    async def show_step(self, step: str, says: str) -> None:
        self.steps.append(step)

    async def passkey(self, says: str) -> int | None:
        self.asked.append(says)
        digits = self._digits
        if isinstance(digits, Peripheral):
            status = digits.status
            return await eventually(lambda: status.passkey, what="digits on the display")
        return digits

    async def confirm(self, says: str, passkey: int | None) -> bool:
        self.asked.append(says)
        return self._yes


class World:
    """The radio, the store, the bonds and the pairings of one test."""

    def __init__(
        self,
        ether: Ether,
        radio: RadioHere,
        central: BleCentral,
        trust: TrustedDevices,
        pairings: Pairings,
        buffer: Buffer,
        clock: Clock,
    ) -> None:
        self.ether = ether
        self.radio = radio
        self.central = central
        self.trust = trust
        self.pairings = pairings
        self.buffer = buffer
        self._clock = clock

    def device(
        self, kind: str = "oximeter", *, behaviour: BleBehaviour | None = None
    ) -> AbstractAsyncContextManager[Peripheral]:
        """Return a context manager that runs a device on the ether until its block ends."""
        return on_ether(self.ether, kind, behaviour=behaviour)

    async def told(self) -> list[tuple[str, dict[str, EventField]]]:
        """Return the name and the fields of every event in the store."""
        events = [decode_event(batch.payload) for batch in await whole_lane(self.buffer, Lane.EVENT)]
        return [(event.name, dict(event.fields)) for event in events]


@asynccontextmanager
async def on_ether(
    ether: Ether, kind: str = "oximeter", *, behaviour: BleBehaviour | None = None, bonds: KeyStore | None = None
) -> AsyncIterator[Peripheral]:
    """Run a device until the block ends, and yield it once it advertises. `bonds` are bonds from an earlier run of the
    device."""
    made = build_peripheral(
        kind,
        Patient(7, scenario_of("stable")),
        ether,
        SystemClock(),
        options=PeripheralOptions(behaviour=behaviour or BleBehaviour()),
    )
    if bonds is not None:
        made.bonds = bonds
    running = asyncio.create_task(made.run())
    try:
        await eventually(lambda: made.status.on_air)
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def world(folder: Path, *, clock: Clock | None = None, require_bond: bool = True) -> AsyncIterator[World]:
    """Run a central with the gateway's pairings until the block ends. The store and the bonds are in `folder`, and are
    created if absent."""
    path = folder / "buffer.db"
    if not path.exists():
        new_store(folder)
    clock = clock or SystemClock()
    ether = Ether()
    async with opened(path) as buffer:
        trust = TrustedDevices(buffer)
        trust.load(await buffer.ble_devices())
        pairings = Pairings(trust, Journal(buffer, clock), clock, require_bond=require_bond)
        radio = RadioHere(ether, folder / "bonds")
        central = BleCentral(radio, clock, CentralOptions(), pairings)
        running = asyncio.create_task(central.run())
        try:
            await eventually(lambda: not central.trouble)
            yield World(ether, radio, central, trust, pairings, buffer, clock)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
