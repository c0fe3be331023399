"""A gateway's Bluetooth central on an ether (a radio simulated in the test's process), and simulated devices whose time
runs fast.
"""

import asyncio
import collections
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.buffer.ble_devices import PairedDevice
from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.options import CentralOptions
from gateway.transports.clock import Clock
from protocols.observation_record import ObservationRecord
from simulators.agents.device_clock import DeviceClock
from simulators.ble.assembly import build_peripheral
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.ether import Ether
from simulators.ble.peripheral import Peripheral, PeripheralOptions
from simulators.ble.witness import BleWitness
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of
from tests.builders.gatt_sessions import GattGateway
from tests.harness.ble_witnesses import Reading, exported
from tests.harness.eventually import eventually
from tests.harness.virtual_radio import Person, RadioHere


@dataclass
class OnAir:
    """A running device and its task."""

    device: Peripheral
    life: asyncio.Task[None]

    async def off(self) -> None:
        """Stop the measuring, let the device transfer its stored values and disconnect, and wait up to 30 s until the
        device's task has ended."""
        self.device.stop()
        await asyncio.wait_for(self.life, 30)


@asynccontextmanager
async def central_on(gateway: GattGateway, ether: Ether, folder: Path, **options: float) -> AsyncIterator[BleCentral]:
    """Run the gateway's central on this ether until the block ends. `options` are fields of CentralOptions."""
    backend = RadioHere(ether, folder / "bonds")
    central = BleCentral(backend, gateway.context.clock, CentralOptions(**options), Person())  # type: ignore[arg-type]  # passed through
    runs = asyncio.create_task(central.run())
    try:
        await eventually(lambda: not central.trouble, what="the adapter is up")
        yield central
    finally:
        runs.cancel()
        await asyncio.wait({runs})
        await backend.close()


class Bedside:
    """One patient and one clock, shared by all devices. The patient is shared because simulating it takes most of a
    fast run."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.device_clock = DeviceClock.switched_on(clock)
        self.patient = Patient(7, scenario_of("stable"))


@asynccontextmanager
async def on_air(
    ether: Ether, kind: str, at: Bedside, folder: Path, *, unit: int = 1, behaviour: BleBehaviour | None = None
) -> AsyncIterator[OnAir]:
    """Run an advertising device until the block ends, with its witness (a file of everything that it sent) in
    `folder`."""
    folder.mkdir(exist_ok=True)
    witness = BleWitness(folder / f"{kind}-{unit}.air", at.clock)
    options = PeripheralOptions(behaviour=behaviour or BleBehaviour())
    device = build_peripheral(
        kind,
        at.patient,
        ether,
        at.clock,
        device_clock=at.device_clock,
        witness=witness,
        options=options,
        unit=unit,
    )
    life = asyncio.create_task(device.run())
    try:
        await eventually(lambda: device.status.on_air)
        yield OnAir(device, life)
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        witness.close()


async def pair(gateway: GattGateway, central: BleCentral, device: Peripheral) -> None:
    """Pair with the device and add it to the trusted devices, as the operator does."""
    bonded = await central.pair(device.address)
    gateway.trust.pair(
        PairedDevice(address=device.address, name=device.name, system_id="", bonded=bonded, paired_us=0, services=())
    )


def readings_of(records: list[ObservationRecord]) -> collections.Counter[Reading]:
    """Count the stored readings by their content. The result can be compared with the readings of devices that
    `harness.ble_witnesses` counts."""
    return collections.Counter(
        (
            each.device.system_id,
            each.handle,
            None if each.device_time is None else each.device_time.text(),
            exported(each.value),
        )
        for each in records
    )
