"""Issue «IEEE 11073-20601: complete», E: each measurement in a device's memory is in the cloud exactly once, whatever
link is cut or process killed.

The gateway is a real process; SQLite, mosquitto, and the cloud's ingest and database are real too. Each cut and each
kill has its own device with its own memory. With `ARGUS_SOAK=1` the link is cut at every byte of the transfer in both
directions, and the gateway is killed (SIGKILL) at every step just before or after a change at the device or on the
disk. Otherwise only some of these bytes and steps are used, chosen by `ARGUS_SEED`. The gateway is set to clear
memories, so a measurement that was cleared too early is missing at the end.
"""

import asyncio
import base64
import collections
import os
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.clinical.devices import Devices
from cloud.clinical.observations.export import export_observations
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import migrate, open_database
from cloud.vehicles.ingest import BrokerAddress, make_ingest
from gateway.cli.provision import provisioned
from gateway.settings import load
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.memory_devices import HeldMemory, meter_segment, minute
from tests.builders.memory_meter import meter
from tests.builders.received_batches import RECEIVED
from tests.harness.broker import CLOUD_USER, broker_running, password_of
from tests.harness.cut_link import Cut, Way
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle

FULL = os.environ.get("ARGUS_SOAK") == "1"
CUTS_SAMPLED, KILLS_SAMPLED = 8, 1
AT_ONCE = 8
MINUTES = [0, 1, 2, 20, 40]
DYING = (sys.executable, "-m", "tests.harness.dying_gateway")

pytestmark = pytest.mark.broker


def memory() -> HeldMemory:
    return HeldMemory([meter_segment(1, [0, 1, 2]), meter_segment(2, [20]), meter_segment(3, [40])])


def system_id(kind: int, number: int) -> bytes:
    return bytes.fromhex("1122334455") + bytes([kind]) + number.to_bytes(2, "big")


@dataclass
class Stack:
    """A vehicle whose gateway is not running yet, and the cloud that the gateway sends to."""

    vehicle: Vehicle
    cloud: CloudUnderTest

    async def rows(self, devices: Sequence[bytes]) -> collections.Counter[tuple[str, str]]:
        """Wait until all measurements of these devices are in the cloud and the gateway has no backlog. Count the
        measurements in the cloud by (device, device time)."""
        wanted = {(device.hex(), minute(each).text()) for device in devices for each in MINUTES}

        async def there() -> collections.Counter[tuple[str, str]] | None:
            lanes = (await self.vehicle.status())["lanes"].values()
            found = await self._exported()
            return found if wanted <= set(found) and not any(lane["backlog_batches"] for lane in lanes) else None

        found = await eventually(there, within_s=60, what="every stored measurement is in the cloud")
        assert found is not None
        return found

    async def _exported(self) -> collections.Counter[tuple[str, str]]:
        rows = export_observations(self.cloud.database, OPERATOR, Devices(self.cloud.ids), RECEIVED, hidden=True)
        return collections.Counter([(row["device"]["system_id"], row["device_time"]) async for row in rows])


@asynccontextmanager
async def stack(folder: Path) -> AsyncIterator[Stack]:
    (folder / "vehicle").mkdir()
    url = f"sqlite:///{folder / 'cloud.db'}"
    await asyncio.to_thread(asyncio.run, migrate(url, create=True))
    database = await open_database(url)
    try:
        async with broker_running(folder / "broker") as broker:
            vehicle = Vehicle(folder / "vehicle", broker, more_settings="[devices]\nclear_memory = true\n")
            key = base64.b64decode(provisioned(load(vehicle.config)).public_key)
            cloud = await CloudUnderTest(database).register()
            await cloud.register_key("gw_test", key)
            address = BrokerAddress(url=broker.url, username=CLOUD_USER, password=password_of(CLOUD_USER))
            ingest = asyncio.ensure_future(make_ingest(database, address, SystemClock(), cloud.ids).run())
            try:
                yield Stack(vehicle, cloud)
            finally:
                ingest.cancel()
                await asyncio.wait([ingest])
                if vehicle.running:
                    await vehicle.kill()
    finally:
        await database.close()


async def taken(vehicle: Vehicle, device: bytes, cut: Cut | None = None) -> None:
    """Run a device until its memory is transferred and cleared; it reconnects after each lost link."""
    held = memory()
    async with meter(vehicle.address, held, device, cut=cut):
        await eventually(lambda: not held.held, what=f"the memory of {device.hex()} is taken, cut {cut}")
    assert sorted(held.cleared) == [1, 2, 3]


async def bytes_of_a_transfer(vehicle: Vehicle) -> dict[Way, int]:
    """Return the number of bytes that one transfer sends in each direction."""
    counts: dict[Way, int] = {}
    ways: tuple[Way, ...] = ("to_manager", "to_device")
    for number, way in enumerate(ways):
        held = memory()
        cut = Cut(way, 1 << 30)
        async with meter(vehicle.address, held, system_id(0, number), cut=cut) as device:
            await eventually(lambda held=held: not held.held)
            assert device.link is not None
            counts[way] = device.link.octets
    return counts


async def test_measurements_are_in_the_cloud_once_when_their_transfer_is_interrupted_at_any_byte(tmp_path: Path):
    seed = int(os.environ.get("ARGUS_SEED") or random.SystemRandom().randrange(1_000_000))
    async with stack(tmp_path) as running:
        await running.vehicle.start()
        octets = await bytes_of_a_transfer(running.vehicle)
        cuts = [Cut(way, at) for way, count in octets.items() for at in range(count)]
        if not FULL:
            cuts = random.Random(seed).sample(cuts, CUTS_SAMPLED)
        print(f"seed {seed}: {len(cuts)} cuts of {octets}")
        places = asyncio.Semaphore(AT_ONCE)
        devices = [system_id(1 if cut.way == "to_manager" else 2, cut.after_octets) for cut in cuts]

        async def one(cut: Cut, device: bytes) -> None:
            async with places:
                await taken(running.vehicle, device, cut)

        async with asyncio.TaskGroup() as tasks:
            for cut, device in zip(cuts, devices, strict=True):
                tasks.create_task(one(cut, device))
        rows = await running.rows([*devices, system_id(0, 0), system_id(0, 1)])
    assert [key for key, count in rows.items() if count != 1] == [], f"seed {seed}"
    assert len(rows) == (len(devices) + 2) * len(MINUTES)
    print(f"{len(devices)} devices, {len(rows)} measurements in the cloud, each once")


async def test_measurements_are_in_the_cloud_once_when_the_gateway_is_killed_at_any_step_of_a_transfer(tmp_path: Path):
    seed = int(os.environ.get("ARGUS_SEED") or random.SystemRandom().randrange(1_000_000))
    steps_file = tmp_path / "steps"
    async with stack(tmp_path) as running:
        vehicle = running.vehicle
        await vehicle.start({"ARGUS_STEPS_FILE": str(steps_file)}, DYING)
        await taken(vehicle, system_id(3, 0))
        await vehicle.kill()
        names = steps_file.read_text().split()
        steps = list(range(1, len(names) + 1))
        if not FULL:
            steps = random.Random(seed).sample(steps, KILLS_SAMPLED)
        print(f"seed {seed}: {len(steps)} kills of {len(names)} steps ({dict(collections.Counter(names))})")
        devices = [system_id(3, 0)]
        died = 0
        for step in steps:
            device, held = system_id(3, step), memory()
            devices.append(device)
            if vehicle.running:
                await vehicle.kill()
            await vehicle.start({"ARGUS_DIE_AT": str(step)}, DYING)
            async with meter(vehicle.address, held, device):
                await eventually(lambda held=held: vehicle.has_ended or not held.held)
                died += vehicle.has_ended
                if vehicle.has_ended:
                    await vehicle.ended()
                else:  # steps of the clock and the device report vary, so this step may not have been reached
                    await vehicle.kill()
                await vehicle.start()
                await eventually(
                    lambda held=held: not held.held, within_s=30, what=f"killed at {step}: taken after all"
                )
        rows = await running.rows(devices)
    assert [key for key, count in rows.items() if count != 1] == [], f"seed {seed}"
    assert len(rows) == len(devices) * len(MINUTES)
    print(f"{died} of {len(steps)} gateways died in the transfer, {len(rows)} measurements in the cloud, each once")
