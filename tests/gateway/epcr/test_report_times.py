"""Issue «The crew's page», F: the times in a report are within their stated uncertainty, whatever the clocks do.

The gateway starts in 1970 or with a wrong clock, learns the time in the middle of the call, and its clock is stepped by
an hour. The device's clock is seven minutes wrong and drifts by 200 ppm.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.app import Gateway
from gateway.security.crew_members import CrewMembers
from gateway.security.crew_pin import CrewPin
from gateway.security.identity import Identity
from gateway.settings import load
from gateway.transports.clock import Instant, SystemClock
from gateway.transports.link import Link
from gateway.transports.pump import Nudge, pump
from gateway.transports.tcp import connect_tcp
from protocols.device_time import DeviceTime, absolute_time_at
from protocols.epcr.crew_role import CrewRole
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_clock import SettableClock
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.reports import Reading, fixed_report
from simulators.demo.free_ports import free_port
from tests.builders.ieee11073_apdus import AGENT_ID
from tests.builders.ieee11073_devices import OXIMETER
from tests.builders.requests_device import CAN_BE_SET, time_info
from tests.gateway.sessions.clocks.test_time_stories import (
    CREW,
    HOUR,
    MINUTE,
    TRUE_US,
    Machine,
    comes,
    provisioned_vehicle,
    running,
    us_of,
)
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle
from tests.harness.report_tablets import ENCOUNTER, Tablet

DRIFT_PPM = 200
WRONG_US = 7 * MINUTE + 370_000
PROPOSAL_EVERY_S = 300
STREAMED_S = 90
LEARNS_AT, STEPS_AT, SETS = 3, 5, 8
"""Numbers of the set of vital signs at which the clock is learned and stepped, and of all sets."""


class DriftingOximeter:
    """An oximeter with a clock of its own, which a gateway may set."""

    def __init__(self, link: Link, machine: Machine, drift_ppm: int = DRIFT_PPM) -> None:
        self._machine = machine
        self._drift_ppm = drift_ppm
        self._ahead_us = WRONG_US
        self._clock = SystemClock()
        self._nudge = Nudge()
        self._link = link
        self.taken_us: list[int] = []
        """The true times of the measurements."""
        self.agent = AgentAssociation(
            system_id=AGENT_ID,
            configurations=[OXIMETER],
            mds_attributes=lambda: (time_info(CAN_BE_SET), AvaType(Attribute.DATE_AND_TIME, self._shows().octets)),
            services=[SettableClock(self._set)],
        )

    def _shows(self) -> DeviceTime:
        elapsed_us = self._machine.true_us - TRUE_US
        return absolute_time_at(self._machine.true_us + self._ahead_us + elapsed_us * self._drift_ppm // 1_000_000)

    def _set(self, time: DeviceTime) -> None:
        self._ahead_us += (time.local_us() or 0) - (self._shows().local_us() or 0)

    async def run(self) -> None:
        self.agent.associate(self._clock.monotonic_s())
        await pump(self._link, self.agent, self._hear, self._clock, nudge=self._nudge)

    def measure(self) -> None:
        time = self._shows()
        self.taken_us.append(self._machine.true_us)
        report = fixed_report(OXIMETER, [Reading(1, 97.0, time), Reading(10, 70.0, time)])
        self.agent.report(report, confirmed=False, now_s=self._clock.monotonic_s())
        self._nudge()

    async def _hear(self, events: Sequence[Event], instant: Instant) -> Sequence[bool]:
        return [True] * len(events)


@asynccontextmanager
async def oximeter(vehicle: Vehicle, machine: Machine, drift_ppm: int = DRIFT_PPM) -> AsyncIterator[DriftingOximeter]:
    link = await connect_tcp(*vehicle.address)
    device = DriftingOximeter(link, machine, drift_ppm)
    task = asyncio.create_task(device.run())
    try:
        await eventually(lambda: device.agent.state is State.OPERATING, what="an association")
        yield device
    finally:
        await link.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def signed_in_tablet(vehicle: Vehicle, port: int) -> AsyncIterator[Tablet]:
    settings = load(vehicle.config)
    members = CrewMembers(Identity.load(settings.identity_dir).secrets)
    member = members.add("usr_17", "Anna", CrewRole.PARAMEDIC)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        tablet = Tablet(session, f"http://127.0.0.1:{port}", pin=CrewPin.load(settings.pin_path).text)

        async def is_served() -> bool:
            try:
                async with session.get(f"{tablet.url}/sign-in") as reply:
                    return reply.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await eventually(is_served, what="the crew page")
        await tablet.sign_in(member)
        yield tablet


async def measured(gateway: Gateway, device: DriftingOximeter) -> None:
    """Let the device measure, and wait until the gateway has stored it."""

    async def count() -> int:
        await gateway.buffer.flush()
        return len([each async for each in gateway.buffer.records(limit=1_000)])

    before = await count()
    device.measure()

    async def is_stored() -> bool:
        return await count() >= before + 2

    await eventually(is_stored, what="the measurement in the store")


@pytest.mark.parametrize("step_us", [HOUR, -HOUR], ids=["+1 h", "-1 h"])
@pytest.mark.parametrize("late_us", [TRUE_US, 0], ids=["1970", "right"])
async def test_times_in_a_report_are_within_their_uncertainty_and_in_order(tmp_path: Path, late_us: int, step_us: int):
    port = free_port()
    vehicle = provisioned_vehicle(tmp_path, CREW.format(port=port) + "lock_after_s = 3600\n")
    machine = Machine(late_us)
    async with (
        running(vehicle, machine) as gateway,
        signed_in_tablet(vehicle, port) as tablet,
        oximeter(vehicle, machine) as device,
    ):
        assert (await tablet.open_report()).status == 200
        for number in range(SETS):
            if number == LEARNS_AT:
                machine.learns()
                await comes(machine, lambda: gateway._clock.synchronised, what="the time")
            if number == STEPS_AT:  # by hand; the time service corrects it before the next measurement but one
                machine.set_wall_us(machine.true_us + step_us)
                machine.known = False
                await comes(machine, lambda: not gateway._clock.synchronised, what="the loss")
            if number == STEPS_AT + 2:
                machine.learns()
                await comes(machine, lambda: gateway._clock.synchronised, what="the time")
            await measured(gateway, device)
            await machine.advance(PROPOSAL_EVERY_S)
            await tablet.post("/activity", {})
        found = (await tablet.get(f"/drafts/{ENCOUNTER}/proposals")).body["proposals"]
        await accept_all(tablet, found)
        times = {each or "" for each in await tablet.values("vitals.time")}
    assert len(found) == SETS
    at_us = [us_of(each["at"]) for each in found]
    assert at_us == sorted(at_us)
    for each, stated_us, taken_us in zip(found, at_us, device.taken_us, strict=True):
        assert each["uncertainty_ms"] is not None
        assert abs(stated_us - taken_us) <= each["uncertainty_ms"] * 1000, each
    assert {each["at"] for each in found} == times


@pytest.mark.parametrize("drift_ppm", [DRIFT_PPM, -DRIFT_PPM], ids=["fast", "slow"])
async def test_time_of_a_device_that_streams_hundredths_of_a_second_is_known_within_50_ms(
    tmp_path: Path, drift_ppm: int
):
    port = free_port()
    vehicle = provisioned_vehicle(tmp_path, CREW.format(port=port) + "lock_after_s = 3600\n")
    machine = Machine(0, known=True)
    async with (
        running(vehicle, machine) as gateway,
        signed_in_tablet(vehicle, port) as tablet,
        oximeter(vehicle, machine, drift_ppm) as device,
    ):
        await tablet.open_report()
        await measured(gateway, device)
        await machine.advance(PROPOSAL_EVERY_S - STREAMED_S)
        with gateway.live.subscribe() as updates:
            shown = aiter(updates)
            for _ in range(STREAMED_S + 5):
                await machine.advance(1.0)
                device.measure()
                while not (await anext(shown)).observations:
                    pass
        await gateway.buffer.flush()
        _, streamed = (await tablet.get(f"/drafts/{ENCOUNTER}/proposals")).body["proposals"]
    assert streamed["uncertainty_ms"] <= 50
    near_us = min(abs(us_of(streamed["at"]) - taken_us) for taken_us in device.taken_us)
    assert near_us <= streamed["uncertainty_ms"] * 1000


async def accept_all(tablet: Tablet, found: Sequence[dict[str, Any]]) -> None:
    reply = await tablet.post(f"/drafts/{ENCOUNTER}/proposals", {"accept": [each["id"] for each in found]})
    assert reply.status == 200
