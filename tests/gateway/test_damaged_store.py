"""Whatever became of the store: the gateway starts, devices are served, the crew page is live, and everyone is told
the truth."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.app import Gateway
from gateway.buffer.set_aside import set_aside_paths
from gateway.cli.provision import provisioned
from gateway.settings import load
from simulators.demo.free_ports import free_port
from tests.builders.damaged_stores import overwrite
from tests.builders.gateway_device import device
from tests.harness.buffer_small_disk import ballast, remount, small_disk
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle


async def page_is_there(port: int) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/sign-in") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def vehicle_with_a_page(folder: Path) -> AsyncIterator[tuple[Vehicle, int]]:
    """A provisioned vehicle whose gateway does not run yet, and the port of its crew page."""
    port = free_port()
    made = Vehicle(folder, more_settings=f'[crew]\nlisten = "127.0.0.1:{port}"\n')
    provisioned(load(made.config))
    try:
        yield made, port
    finally:
        if made.running:
            await made.kill()


@asynccontextmanager
async def running(vehicle: Vehicle) -> AsyncIterator[Gateway]:
    """The gateway in this process, where a mounted disk can be seen."""
    stop, serving = asyncio.Event(), asyncio.Event()
    gateway = Gateway(load(vehicle.config))
    task = asyncio.create_task(gateway.run(stop, serving.set))
    await eventually(lambda: serving.is_set() or task.done())
    try:
        yield gateway
    finally:
        stop.set()
        await task


HARMS: dict[str, Callable[[Path], None]] = {
    "file magic": lambda path: overwrite(path, 0, b"SQLighter"),
    "schema page": lambda path: overwrite(path, 100, bytes(400)),
    "zero bytes": lambda path: path.write_bytes(b""),
}


@pytest.mark.finding("reliability-A1")
@pytest.mark.finding("edge-C1")
@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
async def test_gateway_with_a_damaged_store_serves_devices_and_crew_and_says_so(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    async with vehicle_with_a_page(tmp_path) as (vehicle, port):
        store = vehicle.state_dir / "buffer.sqlite"
        harm(store)
        before = await vehicle.command("doctor")
        assert before.code == 1
        await vehicle.start()
        async with device(vehicle.address) as thermometer:
            assert await thermometer.measure(36.6) == "answered"
        assert await page_is_there(port)
        status = await vehicle.status()
        assert status["store"]["state"] == "ok"
        (aside,) = status["store"]["set_aside"]
        assert aside["file"] == "buffer.sqlite.set-aside-1"
        doctor = await vehicle.command("doctor")
        assert doctor.code == 1
        assert "set aside" in " ".join(doctor.out.split())
        assert await vehicle.stop() == 0


@pytest.mark.finding("reliability-A1")
async def test_gateway_without_a_store_serves_without_confirming_and_takes_the_store_up(tmp_path: Path) -> None:
    async with vehicle_with_a_page(tmp_path) as (vehicle, port):
        store = vehicle.state_dir / "buffer.sqlite"
        hidden = store.rename(store.with_name("elsewhere"))
        await vehicle.start()
        async with device(vehicle.address) as thermometer:
            assert await thermometer.measure(36.6) == "refused"
        assert await page_is_there(port)
        assert (await vehicle.status())["store"]["state"] == "full"
        doctor = await vehicle.command("doctor")
        assert doctor.code == 1
        assert "Nothing is being recorded" in " ".join(doctor.out.split())
        assert not store.exists(), "a second history does not begin in silence"
        hidden.rename(store)

        async def is_used() -> bool:
            return bool((await vehicle.status())["store"]["state"] == "ok")

        await eventually(is_used)
        async with device(vehicle.address) as thermometer:
            assert await thermometer.measure(36.7, second=1) == "answered"


@pytest.mark.finding("reliability-A1")
async def test_gateway_on_a_read_only_disk_serves_devices_and_crew(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=24) as disk:
        async with vehicle_with_a_page(disk) as (vehicle, port):
            remount(disk, read_only=True)
            async with running(vehicle) as gateway:
                async with device(vehicle.address) as thermometer:
                    assert await thermometer.measure(36.6) == "refused"
                (shown,) = gateway.live.snapshot()
                assert shown.values[0].observation.value == pytest.approx(36.6)
                assert await page_is_there(port)
                assert not gateway._crew_status().recording
            remount(disk, read_only=False)


@pytest.mark.finding("reliability-C")
async def test_full_disk_does_not_freeze_what_the_crew_sees(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=24) as disk:
        async with vehicle_with_a_page(disk) as (vehicle, _):
            ballast(disk)
            async with running(vehicle) as gateway:
                async with device(vehicle.address) as thermometer:
                    for second, celsius in enumerate((36.6, 37.4)):
                        assert await thermometer.measure(celsius, second=second) == "refused"
                        (shown,) = gateway.live.snapshot()
                        assert shown.values[0].observation.value == pytest.approx(celsius)
                assert not gateway._crew_status().store_ok


@pytest.mark.finding("reliability-A3")
async def test_provision_new_store_sets_a_damaged_store_aside_and_keeps_a_whole_one(tmp_path: Path) -> None:
    async with vehicle_with_a_page(tmp_path) as (vehicle, _):
        store = vehicle.state_dir / "buffer.sqlite"
        epoch = provisioned(load(vehicle.config)).epoch
        refused = await vehicle.command("provision", "--new-store")
        assert refused.code == 1
        assert "can be used" in refused.err
        store.write_bytes(b"")
        made = await vehicle.command("provision", "--new-store", "--json")
        assert made.code == 0, made.err
        assert made.json()["epoch"] != epoch
        assert "set aside" in made.json()["created"][0]
        assert len(set_aside_paths(store)) == 1
        doctor = await vehicle.command("doctor")
        assert "set aside" in " ".join(doctor.out.split())
