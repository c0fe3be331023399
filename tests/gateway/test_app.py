"""The gateway put together, in this process and on a clock that is moved by hand."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.app import Gateway, own_system_id
from gateway.cli.provision import provisioned
from gateway.health import STORE_SILENT_S, Health
from gateway.security.identity import IdentityUnusable
from gateway.sessions.time_sync import BUILD_US
from gateway.settings import load
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle
from tests.harness.moved_clock import MovedClock


@asynccontextmanager
async def running(vehicle, clock):
    stop = asyncio.Event()
    gateway = Gateway(load(vehicle.config), clock=clock)
    task = asyncio.create_task(gateway.run(stop))
    await eventually(lambda: vehicle.control_path.exists() or task.done())
    try:
        yield gateway
    finally:
        stop.set()
        await task


def provisioned_vehicle(folder):
    vehicle = Vehicle(folder)
    provisioned(load(vehicle.config))
    return vehicle


async def test_a_gateway_without_a_battery_goes_on_from_the_time_it_last_knew(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    clock = MovedClock(wall_us=0)
    async with running(vehicle, clock):
        first = await vehicle.status()
        assert first["clock"]["wall"] >= "2026-01-01"
        await clock.advance(3 * 3600.0)
    async with running(vehicle, MovedClock(wall_us=0, boot_id="boot-2")):
        later = await vehicle.status()
    assert later["clock"]["wall"] > "2026-01-01T02:59"
    assert BUILD_US > 0


async def test_it_says_once_that_it_serves_when_devices_and_questions_are_answered(tmp_path):
    vehicle, stop, said = provisioned_vehicle(tmp_path), asyncio.Event(), []
    gateway = Gateway(load(vehicle.config), clock=MovedClock())

    def serving() -> None:
        said.append((gateway.tcp.address[1], vehicle.control_path.exists()))
        stop.set()

    await gateway.run(stop, serving)
    assert said == [(vehicle.address[1], True)]


async def test_keys_of_another_gateway_are_refused_before_anything_starts(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    vehicle.config.write_text(vehicle.config.read_text().replace("gw_test", "gw_other"))
    with pytest.raises(IdentityUnusable, match="not of gw_other"):
        await Gateway(load(vehicle.config)).run(asyncio.Event())


async def test_a_crew_page_that_cannot_start_is_no_reason_not_to_serve(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    vehicle.config.write_text(vehicle.config.read_text() + '[crew]\nlisten = "127.0.0.1:0"\npin_file = "none"\n')
    async with running(vehicle, MovedClock()):
        assert (await vehicle.status())["running"]


async def test_an_address_that_is_taken_is_no_reason_not_to_serve(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    taken = await asyncio.start_server(lambda reader, writer: None, *vehicle.address)
    async with taken, running(vehicle, MovedClock()):
        assert (await vehicle.status())["running"]


async def test_the_watchdog_goes_hungry_when_the_store_no_longer_answers():
    clock = MovedClock()
    health = Health(clock)
    await clock.advance(STORE_SILENT_S - 1)
    assert health.well
    await clock.advance(2)
    assert not health.well
    health.store_answered()
    assert health.well


def test_our_system_id_is_nobodys_factory_address_and_stays_the_same():
    assert own_system_id("gw_1") == own_system_id("gw_1")
    assert own_system_id("gw_1") != own_system_id("gw_2")
    assert own_system_id("gw_1")[0] & 0x03 == 0x02
