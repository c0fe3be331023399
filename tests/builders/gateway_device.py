"""A device that connects to the gateway's TCP listener: our own agent over a real socket.

`async with device(address) as thermometer: await thermometer.measure(36.6)`. It is a thermometer by default, because
most tests need only one value with a date. `own_configuration` gives it a configuration that the gateway does not know
yet.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from gateway.transports.clock import Instant, SystemClock
from gateway.transports.link import Event, Link
from gateway.transports.pump import Nudge, pump
from gateway.transports.tcp import connect_tcp
from protocols.device_time import DeviceTime, absolute_time
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_events import ConfigurationRequested, ReportAccepted, ReportRefused
from protocols.ieee11073.association.events import Aborted, Rejected
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading, fixed_report
from protocols.ieee11073.specializations import standard_configuration
from tests.harness.eventually import eventually

THERMOMETER = 0x0320
SCALE = 0x05DC
OWN_CONFIGURATION = 0x4001
NOON = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)


def device_id(number: int = 1) -> bytes:
    return bytes.fromhex("1122334455660000")[:6] + number.to_bytes(2, "big")


class Device:
    """An agent on a link. `heard` are the events of its association, in order."""

    def __init__(self, link: Link, number: int, configuration: Configuration) -> None:
        self.configuration = configuration
        self.system_id = device_id(number).hex()
        self.link = link
        self.heard: list[Event] = []
        self._clock = SystemClock()
        self._association = AgentAssociation(system_id=device_id(number), configurations=[self.configuration])
        self._nudge = Nudge()
        self._taken = 0
        self.running: asyncio.Task[None] | None = None

    @property
    def operating(self) -> bool:
        return self._association.state is State.OPERATING

    @property
    def got_configuration_request(self) -> bool:
        return any(isinstance(event, ConfigurationRequested) for event in self.heard)

    @property
    def was_turned_away(self) -> bool:
        return any(isinstance(event, Aborted | Rejected) for event in self.heard)

    async def run(self) -> None:
        await pump(self.link, self._association, self._hear, self._clock, nudge=self._nudge)

    def request_association(self) -> None:
        self._association.associate(self._clock.monotonic_s())
        self._nudge()

    async def associate(self) -> None:
        self.request_association()
        await eventually(lambda: self.operating or self.was_turned_away, what="an association")

    async def measure(
        self, celsius: float, *, second: int | None = None, confirmed: bool = True, time: DeviceTime | None = None
    ) -> str:
        """Report one temperature, and return the outcome: `"answered"`, `"refused"` or `"aborted"`, or `"sent"` if
        unconfirmed.

        The measurement has the time stamp `time`, which may be invalid, or the time `second` seconds after noon. By
        default it is one second after the previous measurement.
        """
        self._taken += 1
        stamp = time or _at(self._taken if second is None else second)
        return await self.report([Reading(1, celsius, stamp)], confirmed=confirmed)

    async def report(self, readings: Sequence[Reading], *, confirmed: bool = True) -> str:
        """Report `readings`, and return the outcome as `measure` does."""
        before = len(self.heard)
        self._report(readings, confirmed=confirmed)
        self._nudge()
        if not confirmed:
            return "sent"

        def verdict() -> str | None:
            for event in self.heard[before:]:
                match event:
                    case ReportAccepted():
                        return "answered"
                    case ReportRefused():
                        return "refused"
                    case Aborted():
                        return "aborted"
            return None

        return await eventually(verdict, what="the answer to a confirmed report")

    async def report_unheard(self, celsius: float, *, second: int) -> None:
        """Send a confirmed report, and never read the response to it."""
        assert self.running is not None
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        self._report([Reading(1, celsius, _at(second))], confirmed=True)
        await self.link.send(self._association.to_send())

    def _report(self, readings: Sequence[Reading], *, confirmed: bool) -> None:
        report = fixed_report(self.configuration, readings)
        self._association.report(report, confirmed=confirmed, now_s=self._clock.monotonic_s())

    async def leave(self) -> None:
        self._association.release(self._clock.monotonic_s())
        self._nudge()
        await eventually(lambda: self._association.state is State.UNASSOCIATED, what="the release")

    async def _hear(self, events: Sequence[Event], instant: Instant) -> Sequence[bool]:
        self.heard.extend(events)
        return [True] * len(events)


def _at(second: int) -> DeviceTime:
    return absolute_time(NOON + timedelta(seconds=second))


@asynccontextmanager
async def device(
    address: tuple[str, int], number: int = 1, *, own_configuration: bool = False, kind: int = THERMOMETER
) -> AsyncIterator[Device]:
    """Associate a device over TCP, yield it, and close its link when the block ends.

    With `own_configuration`, the configuration has the objects of the standard configuration `kind`, under an extended
    configuration id.
    """
    async with device_on(await connect_tcp(*address), number, own_configuration=own_configuration, kind=kind) as made:
        yield made


@asynccontextmanager
async def configured_device(
    address: tuple[str, int], configuration: Configuration, number: int = 1
) -> AsyncIterator[Device]:
    """Associate a device with `configuration` over TCP, yield it, and close its link when the block ends."""
    async with _running(Device(await connect_tcp(*address), number, configuration)) as made:
        yield made


@asynccontextmanager
async def device_on(
    link: Link, number: int = 1, *, own_configuration: bool = False, kind: int = THERMOMETER
) -> AsyncIterator[Device]:
    """Associate a device on the given link, yield it, and close the link when the block ends."""
    standard = standard_configuration(kind)
    assert standard is not None
    configuration = Configuration(OWN_CONFIGURATION, standard.objects) if own_configuration else standard
    async with _running(Device(link, number, configuration)) as made:
        yield made


@asynccontextmanager
async def _running(made: Device) -> AsyncIterator[Device]:
    running = made.running = asyncio.create_task(made.run())
    try:
        await made.associate()
        yield made
    finally:
        await made.link.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
