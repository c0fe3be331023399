"""The gateway starts with any damaged or missing store: it serves devices and the crew page, and reports the damage."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.app import Gateway
from gateway.cli.provision import provisioned
from gateway.settings import load
from protocols.uplink.lanes import Lane
from simulators.demo.free_ports import free_port
from tests.builders.damaged_stores import damage_leaf_page, overwrite
from tests.builders.gateway_device import Device, device
from tests.harness.acking_cloud import AckingCloud
from tests.harness.broker import broker_running
from tests.harness.buffer_small_disk import ballast, remount, small_disk
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle, vehicle


async def page_is_there(port: int) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/sign-in") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def vehicle_with_a_page(folder: Path) -> AsyncIterator[tuple[Vehicle, int]]:
    """Provision a vehicle whose gateway has not been started; yield the vehicle and the port of its crew page."""
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
    """Run the gateway in this process instead of another, because only this process sees the mounted disk."""
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
async def test_gateway_with_a_damaged_store_serves_devices_and_the_crew_page(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    async with vehicle_with_a_page(tmp_path) as (made, port):
        store = made.state_dir / "buffer.sqlite"
        harm(store)
        before = await made.invoke("doctor")
        assert before.code == 1
        await made.start()
        async with device(made.address) as thermometer:
            assert await thermometer.measure(36.6) == "answered"
        assert await page_is_there(port)
        status = await made.status()
        assert status["store"]["state"] == "ok"
        (aside,) = status["store"]["set_aside"]
        assert aside["file"] == "buffer.sqlite.set-aside-1"
        doctor = await made.invoke("doctor")
        assert doctor.code == 1
        assert "set aside" in " ".join(doctor.out.split())
        assert await made.stop() == 0


@pytest.mark.finding("reliability-A1")
async def test_gateway_with_a_missing_store_rejects_reports_until_the_store_appears(tmp_path: Path) -> None:
    async with vehicle_with_a_page(tmp_path) as (made, port):
        store = made.state_dir / "buffer.sqlite"
        hidden = store.rename(store.with_name("elsewhere"))
        await made.start()
        async with device(made.address) as thermometer:
            assert await thermometer.measure(36.6) == "refused"
        assert await page_is_there(port)
        assert (await made.status())["store"]["state"] == "full"
        doctor = await made.invoke("doctor")
        assert doctor.code == 1
        assert "Nothing is being recorded" in " ".join(doctor.out.split())
        assert not store.exists(), "a second history does not begin in silence"
        hidden.rename(store)

        async def is_used() -> bool:
            return bool((await made.status())["store"]["state"] == "ok")

        await eventually(is_used)
        async with device(made.address) as thermometer:
            assert await thermometer.measure(36.7, second=1) == "answered"


@pytest.mark.finding("reliability-A1")
async def test_gateway_on_a_read_only_disk_serves_devices_and_the_crew_page(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=24) as disk:
        async with vehicle_with_a_page(disk) as (made, port):
            remount(disk, read_only=True)
            async with running(made) as gateway:
                async with device(made.address) as thermometer:
                    assert await thermometer.measure(36.6) == "refused"
                (shown,) = gateway.live.snapshot()
                assert shown.values[0].observation.value == pytest.approx(36.6)
                assert await page_is_there(port)
                assert not gateway.console.crew_status().recording
            remount(disk, read_only=False)


@pytest.mark.finding("reliability-C")
async def test_live_feed_shows_new_values_while_the_disk_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=24) as disk:
        async with (
            vehicle_with_a_page(disk) as (made, _),
            running(made) as gateway,
            device(made.address) as thermometer,
        ):
            ballast(disk)
            second = 0
            while await thermometer.measure(36.6, second=second) == "answered":
                second += 1
                assert second < 1000, "the disk is full"
            for celsius in (37.4, 38.1):
                second += 1
                assert await thermometer.measure(celsius, second=second) == "refused"
                (shown,) = gateway.live.snapshot()
                assert shown.values[0].observation.value == pytest.approx(celsius)
            assert not gateway.console.crew_status().store_ok
            assert gateway.console.crew_status().recording


@pytest.mark.finding("reliability-A3")
async def test_provision_command_with_the_new_store_option_replaces_only_a_damaged_store(
    tmp_path: Path,
) -> None:
    async with vehicle_with_a_page(tmp_path) as (made, _):
        store = made.state_dir / "buffer.sqlite"
        epoch = provisioned(load(made.config)).epoch
        refused = await made.invoke("provision", "--new-store")
        assert refused.code == 1
        assert "can be used" in refused.err
        store.write_bytes(b"")
        again = await made.invoke("provision", "--new-store", "--json")
        assert again.code == 0, again.err
        assert again.json()["epoch"] != epoch
        assert "set aside" in again.json()["created"][0]
        assert (made.state_dir / "buffer.sqlite.set-aside-1").exists()
        doctor = await made.invoke("doctor")
        assert "set aside" in " ".join(doctor.out.split())


def public_key_of(provisioned_json: dict[str, str]) -> bytes:
    return base64.b64decode(provisioned_json["public_key"])


@pytest.mark.broker
@pytest.mark.finding("reliability-A2")
async def test_gateway_continues_to_upload_after_a_store_page_is_damaged(tmp_path: Path) -> None:
    async with (
        broker_running(tmp_path / "broker") as broker,
        vehicle(tmp_path, broker, started=False) as gateway,
    ):
        key = public_key_of(await gateway.provision())
        await gateway.start()
        async with device(gateway.address) as thermometer:
            for second in range(60):
                await thermometer.measure(36.6, second=second)
        before = await gateway.status()
        store = gateway.state_dir / "buffer.sqlite"
        damage_leaf_page(store, Lane.NUMERIC)
        async with AckingCloud(broker, key).serving() as cloud:

            def complete(lane: Lane) -> bool:
                last = before["lanes"][lane.value]["last"]
                return set(range(1, last + 1)) <= set(cloud.held(lane, epoch=before["epoch"]))

            await eventually(lambda: complete(Lane.EVENT), within_s=40, what="the events leave")
            await eventually(lambda: complete(Lane.NUMERIC), within_s=40, what="and every numeric, or its gap record")
            async with device(gateway.address) as thermometer:
                await eventually(lambda: is_answered(thermometer), within_s=40)
        status = await gateway.status()
        assert status["epoch"] != before["epoch"]
        assert not gateway.has_ended


async def is_answered(thermometer: Device) -> bool:
    return await thermometer.measure(36.6) == "answered"


@pytest.mark.broker
@pytest.mark.finding("reliability-B")
async def test_truncated_write_ahead_log_of_uploaded_batches_causes_a_new_epoch(tmp_path: Path) -> None:
    async with (
        broker_running(tmp_path / "broker") as broker,
        vehicle(tmp_path, broker, started=False) as gateway,
    ):
        key = public_key_of(await gateway.provision())
        async with AckingCloud(broker, key).serving() as cloud:
            await gateway.start()
            async with device(gateway.address) as thermometer:
                for second in range(20):
                    await thermometer.measure(36.6, second=second)
            before = await gateway.status()
            await eventually(lambda: len(cloud.held(Lane.NUMERIC)) == before["lanes"]["numeric"]["last"])
            await gateway.kill()
            log = gateway.state_dir / "buffer.sqlite-wal"
            log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
            await gateway.start()
            async with device(gateway.address) as thermometer:
                assert await thermometer.measure(37.5, second=30) == "answered"

            async def acknowledged() -> bool:
                numeric = (await gateway.status())["lanes"]["numeric"]
                return bool(numeric["acked"] == numeric["last"] > 0)

            await eventually(acknowledged)
            status = await gateway.status()
            assert status["epoch"] != before["epoch"]
            assert not status["uplink"]["contested"]
