"""A device with a wrong clock over a real socket: the gateway sets the clock, and the values have correct times."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.transports.clock import Instant, SystemClock
from gateway.transports.link import Link
from gateway.transports.pump import Nudge, pump
from gateway.transports.tcp import connect_tcp
from protocols.device_time import DeviceTime, absolute_time_at
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_clock import SettableClock
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.reports import Reading, fixed_report
from protocols.observation_record import ObservationRecord
from tests.builders.gateway_sessions import Sessions, sessions
from tests.builders.ieee11073_apdus import AGENT_ID
from tests.builders.ieee11073_devices import OXIMETER
from tests.builders.requests_device import CAN_BE_SET, time_info
from tests.harness.eventually import eventually

HOUR_US = 3_600_000_000


class SlowOximeter:
    """An oximeter whose clock is an hour behind until the gateway sets it."""

    def __init__(self, link: Link) -> None:
        self.behind_us = HOUR_US
        self._clock = SystemClock()
        self._nudge = Nudge()
        self._link = link
        self.agent = AgentAssociation(
            system_id=AGENT_ID,
            configurations=[OXIMETER],
            mds_attributes=lambda: (time_info(CAN_BE_SET), AvaType(Attribute.DATE_AND_TIME, self.shows().octets)),
            services=[SettableClock(self.set)],
        )

    def shows(self) -> DeviceTime:
        return absolute_time_at(self._clock.wall_us() - self.behind_us)

    def set(self, time: DeviceTime) -> None:
        self.behind_us = self._clock.wall_us() - (time.local_us() or 0)

    async def run(self) -> None:
        self.agent.associate(self._clock.monotonic_s())
        await pump(self._link, self.agent, self._hear, self._clock, nudge=self._nudge)

    def reports(self) -> None:
        time = self.shows()
        report = fixed_report(OXIMETER, [Reading(1, 97.0, time), Reading(10, 70.0, time)])
        self.agent.report(report, confirmed=False, now_s=self._clock.monotonic_s())
        self._nudge()

    async def _hear(self, events: Sequence[Event], instant: Instant) -> Sequence[bool]:
        return [True] * len(events)


@asynccontextmanager
async def slow_oximeter(address: tuple[str, int]) -> AsyncIterator[SlowOximeter]:
    link = await connect_tcp(*address)
    device = SlowOximeter(link)
    running = asyncio.create_task(device.run())
    try:
        await eventually(lambda: device.agent.state is State.OPERATING, what="an association")
        yield device
    finally:
        await link.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_wrong_device_clock_is_set_over_tcp(tmp_path: Path) -> None:
    async with sessions(tmp_path, disciplined=lambda: 1) as gateway, slow_oximeter(gateway.address) as oximeter:
        await eventually(lambda: oximeter.behind_us < HOUR_US, what="the clock to be set")
        assert abs(oximeter.behind_us) < 10_000_000
        oximeter.reports()
        records = await stored(gateway, 2)
        for record in records:
            assert abs(record.observed_at_us - record.received_at_us) <= record.uncertainty_us
        await gateway.event("device.clock_set")


async def test_unsynchronised_gateway_sets_no_device_clock(
    tmp_path: Path,
) -> None:
    async with sessions(tmp_path, disciplined=lambda: None) as gateway, slow_oximeter(gateway.address) as oximeter:
        await eventually(lambda: gateway.context.histories.find(AGENT_ID.hex()), what="the device's report")
        oximeter.reports()
        for record in await stored(gateway, 2):
            assert abs(record.observed_at_us - record.received_at_us) < 2_000_000
            assert record.uncertainty_us is None
        assert oximeter.behind_us == HOUR_US
        await gateway.event("device.clock_left")


async def stored(gateway: Sessions, count: int) -> list[ObservationRecord]:
    async def enough() -> list[ObservationRecord]:
        records = await gateway.stored()
        return records if len(records) >= count else []

    return await eventually(enough, what="the records")
