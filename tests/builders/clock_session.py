"""The gateway's handling of one device's clock, from the association on. A session divides the device's observations
into sections, one for each clock relation (offset between the device's clock and the gateway's clock).

The test moves the time, and calls the manager directly, without a link.
"""

from dataclasses import dataclass, field, replace
from datetime import tzinfo

from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.clocks.keeping import ClockKeeping
from gateway.sessions.clocks.policy import ClockRules
from gateway.sessions.clocks.trusted_clock import BUILD_US, TrustedClock
from gateway.sessions.devices.histories import DeviceHistories
from gateway.sessions.journal import Journal
from gateway.sessions.sections import sections_of
from gateway.transports.clock import instant_of
from protocols.device_time import DeviceTime, TimeKind, absolute_time_at
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.actions import ActionType
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ErrorValue
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading, fixed_report
from protocols.uplink.events import GatewayEvent
from protocols.uplink.observations import DeviceObservations, DeviceRef
from tests.builders.clock_device import NAME
from tests.builders.ieee11073_apdus import roer, scan_report
from tests.builders.ieee11073_devices import OXIMETER
from tests.builders.requests_device import CAN_BE_SET, Device, Requested, acted, attributes, device, time_info
from tests.harness.moved_clock import MovedClock

SECOND = 1_000_000
NOON_US = BUILD_US + 12 * 3600 * SECOND
"""The wall time at the beginning of every test."""
QUICK = ManagerSettings(clock_read_every_s=600.0)


@dataclass
class ClockStories:
    """The state that the gateway keeps between the associations of a device. `written` are the events in the gateway's
    journal."""

    wall: MovedClock = field(default_factory=lambda: MovedClock(monotonic_s=1000.0, wall_us=NOON_US))
    synchronised: bool = True
    written: list[GatewayEvent] = field(default_factory=list)
    clocks: DeviceClocks = field(default_factory=DeviceClocks)
    histories: DeviceHistories = field(default_factory=DeviceHistories)
    clock_rules: ClockRules = field(default_factory=ClockRules)

    def __post_init__(self) -> None:
        self.clock = TrustedClock(self.wall, disciplined=lambda: 1 if self.synchronised else None)
        self.journal = Journal(self, self.clock)

    async def append_event(self, event: GatewayEvent) -> None:
        self.written.append(event)

    def names(self) -> list[str]:
        return [event.name for event in self.written]


@dataclass
class ClockStory:
    """A device that has just associated. Its clock is `ahead_us` ahead of the right time.

    With `obeys`, the device sets its clock on a Set-Time command; with `answers`, it sends a response to the command;
    with `refuses`, it responds with an error. `set_to` are the times that the gateway set.
    """

    context: ClockStories
    device: Device
    keeping: ClockKeeping
    ahead_us: int
    obeys: bool = True
    answers: bool = True
    refuses: bool = False
    set_to: list[DeviceTime] = field(default_factory=list)
    number: int = 0

    async def heard(self, events: list[Event]) -> None:
        for event in events:
            await self.keeping.follow(event, NAME, instant_of(self.context.clock))
            self.device.manager.delivered(event)

    async def passes(self, seconds: float) -> None:
        """Advance the time by `seconds`; the device responds 10 ms after each request of the manager."""
        until_s = self.context.clock.monotonic_s() + seconds
        while (due_s := self.device.manager.deadline_s) is not None and due_s <= until_s:
            await self.moved_to(due_s)
            await self.heard(self.device.manager.expire(due_s))
            await self.settles()
        await self.moved_to(until_s)

    async def moved_to(self, at_s: float) -> None:
        await self.context.wall.advance(max(0.0, at_s - self.context.clock.monotonic_s()))
        self.device.now_s = self.context.clock.monotonic_s()

    async def settles(self) -> None:
        """Let the device respond to every pending request of the manager, 10 ms after each."""
        while requests := self.device.asked():
            for asked in requests:
                await self.moved_to(self.context.clock.monotonic_s() + 0.010)
                answer = self.answer(asked)
                if answer is not None:
                    await self.heard(self.device.manager.receive(answer, self.device.now_s))

    def shows(self) -> DeviceTime:
        """Return the time that the device's clock shows now."""
        shown_us = self.context.clock.wall_us() + self.ahead_us
        return absolute_time_at(shown_us - shown_us % 10_000)

    def answer(self, asked: Requested) -> bytes | None:
        if asked.message is MessageTag.GET:
            return attributes(asked.invoke_id, (AvaType(Attribute.DATE_AND_TIME, self.shows().octets),))
        if asked.body.action_type != ActionType.SET_TIME:
            return roer(asked.invoke_id, ErrorValue.NO_SUCH_ACTION)
        time = DeviceTime(TimeKind.ABSOLUTE, asked.body.action_info_args[:8])
        self.set_to.append(time)
        if self.refuses:
            return roer(asked.invoke_id, ErrorValue.NOT_ALLOWED_BY_OBJECT)
        if self.obeys:
            local_us = time.local_us()
            assert local_us is not None
            self.ahead_us = local_us - self.context.clock.wall_us()
        return acted(asked) if self.answers else None

    def reports(self, time: DeviceTime, *, confirmed: bool = False) -> list[DeviceObservations]:
        """Receive a report whose measurements carry the time stamp `time`, and return the sections (observations with
        one clock relation) that the gateway makes of it. A confirmed report counts as stored, not live."""
        reading = fixed_report(OXIMETER, [Reading(1, 97.0, time), Reading(10, 70.0, time)])
        octets = scan_report(reading, report_no=self.number, confirmed=confirmed)
        self.number += 1
        (event,) = self.device.manager.receive(octets, self.device.now_s)
        assert isinstance(event, ReportReceived)
        instant = instant_of(self.context.clock)
        return list(
            sections_of(
                event.observations,
                event.received_s,
                DeviceRef(NAME, "SIM"),
                self.context.clocks,
                instant,
                live=not confirmed,
                wall_synchronised=True,
            )
        )


async def associated(
    ahead_us: int,
    *,
    context: ClockStories | None = None,
    capabilities: int = CAN_BE_SET,
    configuration: Configuration = OXIMETER,
    more: tuple[AvaType, ...] = (),
    zone: tzinfo | None = None,
    obeys: bool = True,
    answers: bool = True,
    refuses: bool = False,
) -> ClockStory:
    """Return an associated device that the gateway has identified. The gateway has read the device's clock, and has set
    the clock if the gateway's clock rules require it."""
    context = context or ClockStories()
    if zone is not None:
        context.clock_rules = ClockRules(replace(context.clock_rules.policy, zone=zone))
    shown_us = context.clock.wall_us() + ahead_us
    now = AvaType(Attribute.DATE_AND_TIME, absolute_time_at(shown_us - shown_us % 10_000).octets)
    began_s = context.clock.monotonic_s()
    played = device(
        configuration, (time_info(capabilities), now, *more), settings=QUICK, begins_s=began_s, deliver=False
    )
    keeping = ClockKeeping(context, played.manager.clock_setting)
    story = ClockStory(context, played, keeping, ahead_us, obeys, answers, refuses)
    await story.heard(list(played.told))
    await story.settles()
    return story
