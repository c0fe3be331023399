"""Observation times on a machine that starts with a wrong time, before and after its clock is synchronised.

The gateway continues to record while the time is unknown, and crew sessions keep their length.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.app import Gateway
from gateway.cli.provision import provisioned
from gateway.security.crew_pin import CrewPin
from gateway.settings import load
from protocols.observation_record import to_json
from simulators.demo.free_ports import free_port
from tests.builders.gateway_device import device
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle
from tests.harness.moved_clock import MovedClock

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
TRUE_US = 1_795_000_000 * SECOND
"""The true time at which each story begins."""


class Machine(MovedClock):
    """A machine whose wall clock is `late_us` behind the true time.

    While the attribute `known` is False, the kernel of the machine reports the clock as not synchronised.
    """

    def __init__(
        self, late_us: int, *, boot_id: str = "boot-1", known: bool = False, monotonic_s: float = 20.0
    ) -> None:
        super().__init__(monotonic_s=monotonic_s, wall_us=TRUE_US - late_us, boot_id=boot_id)
        self.known = known
        self._began_s = monotonic_s

    @property
    def true_us(self) -> int:
        return TRUE_US + round((self.monotonic_s() - self._began_s) * SECOND)

    def learns(self) -> None:
        """Set the wall clock to the true time, as a time server does."""
        self.set_wall_us(self.true_us)
        self.known = True

    def error_us(self) -> int | None:
        return 1000 if self.known else None


@asynccontextmanager
async def running(vehicle: Vehicle, machine: Machine) -> AsyncIterator[Gateway]:
    stop = asyncio.Event()
    gateway = Gateway(load(vehicle.config), clock=machine)
    gateway._clock._disciplined = machine.error_us
    gateway._clock.refresh()
    task = asyncio.create_task(gateway.run(stop))
    await eventually(lambda: vehicle.control_path.exists() or task.done())
    try:
        yield gateway
    finally:
        stop.set()
        await task


async def comes(machine: Machine, condition: Callable[[], object], what: str) -> None:
    """Advance the machine's clock second by second until `condition` is true."""

    async def second() -> object:
        await machine.advance(1.0)
        return condition()

    await eventually(second, what=what)


def provisioned_vehicle(folder: Path, more: str = "") -> Vehicle:
    vehicle = Vehicle(folder, more_settings=more)
    provisioned(load(vehicle.config))
    return vehicle


async def measured(gateway: Gateway, vehicle: Vehicle, number: int = 1) -> None:
    """Send one unconfirmed report of a thermometer, and wait until the gateway has stored its value."""
    before = gateway.buffer.marks()
    before_last = sum(mark.last for lane, mark in before.items() if str(lane) == "numeric")

    async def is_stored() -> bool:
        await gateway.buffer.flush()  # the clock stands still, so no batch is cut by time
        return sum(m.last for lane, m in gateway.buffer.marks().items() if str(lane) == "numeric") > before_last

    async with device(vehicle.address, number) as thermometer:
        await thermometer.measure(36.6, confirmed=False)
        await eventually(is_stored)


async def as_stored(gateway: Gateway) -> list[dict[str, Any]]:
    """Return the observations in the gateway's store, as JSON objects."""
    return [to_json(record) async for record in gateway.buffer.records(limit=100)]


async def as_read(vehicle: Vehicle) -> list[dict[str, Any]]:
    """Return the JSON lines that `argus-gateway observations --json` prints."""
    return (await vehicle.command("observations", "--json")).json_lines()


def us_of(text: str) -> int:
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * SECOND)


async def events_of(gateway: Gateway) -> list[str]:
    from protocols.uplink.events import decode_event
    from protocols.uplink.lanes import Lane

    batches = await gateway.buffer.next_batches(Lane.EVENT, after=0, limit_batches=100, limit_bytes=1 << 20)
    return [decode_event(batch.payload).name for batch in batches]


@pytest.mark.finding("reliability-D")
@pytest.mark.parametrize("late_us", [TRUE_US, HOUR, -HOUR], ids=["1970", "hour behind", "hour ahead"])
async def test_time_uncertainty_is_unknown_while_no_time_service_has_set_the_gateway_clock(tmp_path, late_us: int):
    vehicle = provisioned_vehicle(tmp_path)
    async with running(vehicle, Machine(late_us)) as gateway:
        await measured(gateway, vehicle)
        (row,) = await as_stored(gateway)
    assert row["uncertainty_ms"] is None


async def test_time_uncertainty_includes_the_kernel_clock_error_of_a_synchronised_clock(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    machine = Machine(0, known=True)
    async with running(vehicle, machine) as gateway:
        machine.error_us = lambda: 7 * SECOND
        gateway._clock._disciplined = machine.error_us
        gateway._clock.refresh()
        await measured(gateway, vehicle)
        (row,) = await as_stored(gateway)
    assert 7000 < row["uncertainty_ms"] < 9000
    assert row["wall_synchronised"] is True


@pytest.mark.parametrize("late_us", [TRUE_US, HOUR, -HOUR], ids=["1970", "hour behind", "hour ahead"])
async def test_observations_stored_without_a_known_time_get_their_time_when_the_clock_is_synchronised(
    tmp_path, late_us: int
):
    vehicle = provisioned_vehicle(tmp_path)
    machine = Machine(late_us)
    async with running(vehicle, machine) as gateway:
        taken_us = machine.true_us
        await measured(gateway, vehicle)
        await machine.advance(1800.0)
        raw = await as_stored(gateway)
        machine.learns()
        await comes(machine, lambda: gateway._time.boots.anchors, what="an anchor")
        (row,) = await as_read(vehicle)
        assert await as_stored(gateway) == raw, "what was stored is never rewritten"
        assert "clock.learnt" in await events_of(gateway)
    assert row["received_at"] == raw[0]["received_at"]
    assert row["wall_synchronised"] is False
    assert abs(us_of(row["observed_at"]) - taken_us) <= row["uncertainty_ms"] * 1000
    drifted_ms, device_ms = 900, 1021
    assert row["uncertainty_ms"] <= drifted_ms + device_ms + 3


async def test_restarted_gateway_estimates_the_time_from_the_last_time_in_its_store(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    async with running(vehicle, Machine(0, known=True)) as gateway:
        await measured(gateway, vehicle)
    machine = Machine(TRUE_US, boot_id="boot-2")
    async with running(vehicle, machine) as gateway:
        await comes(machine, lambda: gateway._time.boots.present().estimated, what="a report to the cloud")
        assert "clock.estimated" in await events_of(gateway)
        clock = (await gateway.console.status())["clock"]
        assert (clock["synchronised"], clock["estimated"], clock["uncertainty_ms"]) == (False, True, None)
        assert us_of(clock["wall"]) >= TRUE_US
        taken_us = machine.true_us
        await measured(gateway, vehicle, number=2)
        assert [row["uncertainty_ms"] for row in await as_read(vehicle)][1:] == [None]
        await machine.advance(60.0)
        machine.learns()
        await comes(machine, lambda: "boot-2" in gateway._time.boots.anchors, what="an anchor")
        first, second = await as_read(vehicle)
    assert first["wall_synchronised"] is True
    assert first["uncertainty_ms"] is not None
    assert abs(us_of(second["observed_at"]) - taken_us) <= second["uncertainty_ms"] * 1000 < 2 * SECOND


async def test_observations_of_a_boot_without_synchronised_time_keep_an_unknown_uncertainty(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    async with running(vehicle, Machine(HOUR)) as gateway:
        await measured(gateway, vehicle)
    machine = Machine(0, boot_id="boot-2", known=True)
    async with running(vehicle, machine) as gateway:
        await comes(machine, lambda: "boot-2" in gateway._time.boots.anchors, what="an anchor")
        await measured(gateway, vehicle, number=2)
        rows = await as_read(vehicle)
    assert [row["wall_synchronised"] for row in rows] == [False, True]
    assert [row["uncertainty_ms"] is None for row in rows] == [True, False]


async def test_clock_synchronisation_after_a_restart_corrects_earlier_observations_of_the_same_boot(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    async with running(vehicle, Machine(HOUR)) as gateway:
        await measured(gateway, vehicle)
    machine = Machine(0, known=True, monotonic_s=620.0)
    async with running(vehicle, machine) as gateway:
        await comes(machine, lambda: gateway._time.boots.anchors, what="an anchor")
    (row,) = await as_read(vehicle)
    assert abs(us_of(row["observed_at"]) - (TRUE_US - 600 * SECOND)) <= row["uncertainty_ms"] * 1000


@pytest.mark.parametrize("jump_us", [HOUR, -HOUR], ids=["+1 h", "-1 h"])
async def test_observation_time_follows_a_jump_of_a_synchronised_clock(tmp_path, jump_us: int):
    vehicle = provisioned_vehicle(tmp_path)
    machine = Machine(0, known=True)
    async with running(vehicle, machine) as gateway:
        machine.set_wall_us(TRUE_US + jump_us)
        await measured(gateway, vehicle)
        (row,) = await as_stored(gateway)
    assert abs(us_of(row["observed_at"]) - TRUE_US - jump_us) < 2 * SECOND
    assert row["uncertainty_ms"] is not None


@pytest.mark.parametrize("jump_us", [HOUR, -HOUR], ids=["+1 h", "-1 h"])
async def test_clock_jump_without_a_time_service_does_not_change_observation_times(tmp_path, jump_us: int):
    """The clock is set by hand. The gateway follows a jump forward, but not a jump back. In both cases the time of the
    value is computed from the clock anchor of the boot."""
    vehicle = provisioned_vehicle(tmp_path)
    machine = Machine(0, known=True)
    async with running(vehicle, machine) as gateway:
        await comes(machine, lambda: gateway._time.boots.anchors, what="an anchor")
        machine.known = False
        machine.set_wall_us(machine.wall_us() + jump_us)
        await comes(machine, lambda: not gateway._clock.synchronised, what="the loss")
        wall_us = us_of((await gateway.console.status())["clock"]["wall"])
        assert abs(wall_us - machine.true_us - max(jump_us, 0)) < 2 * SECOND
        taken_us = machine.true_us
        await measured(gateway, vehicle)
        assert [row["uncertainty_ms"] for row in await as_stored(gateway)] == [None]
        (row,) = await as_read(vehicle)
        assert "clock.lost" in await events_of(gateway)
    assert abs(us_of(row["observed_at"]) - taken_us) <= row["uncertainty_ms"] * 1000 < 2 * SECOND


CREW = '[crew]\nlisten = "127.0.0.1:{port}"\n'


@pytest.mark.finding("edge-C5")
@pytest.mark.parametrize("jump_us", [330 * 24 * HOUR, 30 * MINUTE, -HOUR], ids=["330 days", "30 min", "-1 h"])
async def test_crew_session_lasts_twelve_hours_despite_clock_jumps_and_a_restart(tmp_path, jump_us: int):
    port = free_port()
    vehicle = provisioned_vehicle(tmp_path, CREW.format(port=port))
    pin = CrewPin.load(load(vehicle.config).pin_path).text
    url, machine = f"http://127.0.0.1:{port}", Machine(max(jump_us, 0))
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as tablet:

        async def page() -> int:
            return (await tablet.get(url, allow_redirects=False)).status

        async with running(vehicle, machine) as gateway:
            await eventually(lambda: _listens(port), what="the crew page")
            assert (await tablet.post(f"{url}/sign-in", data={"pin": pin}, allow_redirects=False)).status == 303
            assert await page() == 200
            machine.set_wall_us(machine.wall_us() + jump_us)
            machine.known = True
            await comes(machine, lambda: gateway._clock.synchronised, what="the time")
            assert await page() == 200
        async with running(vehicle, machine):
            await eventually(lambda: _listens(port), what="the crew page")
            assert await page() == 200
            await machine.advance(11.9 * 3600)
            assert await page() == 200
            await machine.advance(0.2 * 3600)
            assert await page() == 303


async def test_crew_session_keeps_its_remaining_lifetime_after_a_reboot(tmp_path):
    port = free_port()
    vehicle = provisioned_vehicle(tmp_path, CREW.format(port=port))
    pin = CrewPin.load(load(vehicle.config).pin_path).text
    url, before = f"http://127.0.0.1:{port}", Machine(TRUE_US)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as tablet:
        async with running(vehicle, before):
            await eventually(lambda: _listens(port), what="the crew page")
            await tablet.post(f"{url}/sign-in", data={"pin": pin}, allow_redirects=False)
            await before.advance(5 * 3600)
        after = Machine(TRUE_US, boot_id="boot-2", monotonic_s=10.0)
        async with running(vehicle, after):
            await eventually(lambda: _listens(port), what="the crew page")
            assert (await tablet.get(url, allow_redirects=False)).status == 200
            await after.advance(6.9 * 3600)
            assert (await tablet.get(url, allow_redirects=False)).status == 200
            await after.advance(0.2 * 3600)
            assert (await tablet.get(url, allow_redirects=False)).status == 303


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
