"""Simulated device on a link: it measures on its own clock, and keeps measurements until a manager acknowledges them.

Two tasks run concurrently. One measures at the device's pace, with or without a manager, and adds reports to a bounded
outbox (`sending`). The other associates and sends from the outbox, one confirmed report at a time. After any loss (an
abort, a silent manager, a closed link, a killed gateway) the device associates again, with increasing pauses, and
repeats the unacknowledged report with the time of its measurement.

Waveforms can be sent unconfirmed. After repeated failures on a link, the device closes the link and opens a new one.
Otherwise the next association uses the same serial line or TCP connection.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from gateway.transports.clock import Clock, Instant
from gateway.transports.link import Link
from gateway.transports.pump import Nudge, pump
from protocols.device_time import DeviceTime
from protocols.ieee11073.apdu import actions
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import RejectProblem
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_clock import SettableClock
from protocols.ieee11073.association.agent_data_requests import DataScope, ServedRequests
from protocols.ieee11073.association.agent_events import ReportAccepted, ReportRefused
from protocols.ieee11073.association.agent_service import AgentService, Refusal
from protocols.ieee11073.association.events import Aborted, ConfigurationAgreed, Event, LinkLost, Rejected, Released
from protocols.ieee11073.association.settings import AgentSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import ScanReport
from simulators.agents.backoff import Backoff
from simulators.agents.behaviour import SCANNER_HANDLE, Behaviour, DataRequests, with_accessory
from simulators.agents.device import Device, Measured
from simulators.agents.device_clock import DeviceClock
from simulators.agents.own_clock import OwnClock, Setting
from simulators.agents.report import Report, scan_of
from simulators.agents.sending import AgentStatus, Sending
from simulators.agents.witness import Witness
from simulators.physiology.patient import Patient

log = structlog.get_logger(__name__)

Connect = Callable[[], Awaitable[Link]]
"""Opens a new link to the manager. OSError (ConnectionError, TimeoutError among them) means: retry later."""

ASSOCIATIONS_PER_LINK: Final = 3
"""Limit of failed associations in a row before the device closes the link."""
DRAIN_S: Final = 5.0
"""Time for which a device that is switched off tries to send its remaining reports."""
LEAVE_S: Final = 1.0
"""Timeout of the manager's release response, when the device is switched off."""
_EVERY_REQUEST: Final = (
    actions.SUPPORTS_STOP
    | actions.SUPPORTS_SCOPE_ALL
    | actions.SUPPORTS_SCOPE_CLASS
    | actions.SUPPORTS_SCOPE_HANDLE
    | actions.SUPPORTS_SINGLE_RESPONSE
    | actions.SUPPORTS_TIME_PERIOD
    | actions.SUPPORTS_TIME_NO_LIMIT
)
_FLOWS_MAX: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """Options of an agent. The default association timeout is 3 s instead of the 10 s of 20601, so that the agent
    retries soon after a restart of the gateway."""

    waveforms_confirmed: bool = True
    behaviour: Behaviour = field(default_factory=Behaviour)
    association: AgentSettings = field(default_factory=lambda: AgentSettings(to_assoc_s=3.0))


class Agent:
    """One simulated device, created by `build_agent`. `patient` is None for a device that plays a WFDB record."""

    def __init__(
        self,
        device: Device,
        patient: Patient | None,
        connect: Connect,
        clock: Clock,
        device_clock: DeviceClock,
        *,
        witness: Witness | None = None,
        options: AgentOptions | None = None,
    ) -> None:
        self.device = device
        self.status = AgentStatus()
        self._patient = patient
        self._connect = connect
        self._clock = clock
        self._device_clock = device_clock
        self._options = options or AgentOptions()
        behaviour = self._options.behaviour
        self._own_clock = OwnClock(device_clock, behaviour.clock)
        self._configuration = behaviour.configuration_of(device.configuration)
        self._requests = None if behaviour.data_requests is DataRequests.NO else self._served()
        self._wake = asyncio.Event()
        self._sending = Sending(
            device.description,
            clock,
            self.status,
            witness=witness,
            requests=self._requests,
            data_requests=behaviour.data_requests,
            wake=self._wake,
        )
        self._latest: dict[int, Measured] = {}
        self._nudge = Nudge()
        self._link: Link | None = None
        self._backoff = Backoff(device.description.system_id)
        self._numbers = 0
        self._failures = 0
        self._leaving = self._changed = False
        self._measuring: asyncio.Task[None] | None = None
        self._told_dropped = 0

    @property
    def name(self) -> str:
        return self.device.description.model

    async def run(self, for_s: float | None = None) -> None:
        """Run the simulated device until `for_s` seconds of patient time have passed (None: until cancelled or
        stopped). Afterwards send the queued reports, for at most `DRAIN_S`, and disconnect."""
        async with asyncio.TaskGroup() as tasks:
            conversing = tasks.create_task(self._converse())
            self._measuring = tasks.create_task(self._measure(for_s))
            await asyncio.wait({self._measuring})
            await self._drain()
            await self._leave()
            conversing.cancel()

    def stop(self) -> None:
        """Stop measuring. Afterwards `run` sends the queued reports and returns."""
        if self._measuring is not None:
            self._measuring.cancel()

    # Measuring.

    async def _measure(self, for_s: float | None) -> None:
        """Measure at each due time, up to patient second `for_s`. Measurements missed during a stall (a busy machine)
        are made afterwards, so that devices that share a patient stay synchronous and no sample is skipped."""
        while True:
            due_s = self.device.due_s
            if for_s is not None and due_s > for_s:
                await self._clock.sleep_until(self._device_clock.monotonic_s(for_s))
                return
            await self._clock.sleep_until(self._device_clock.monotonic_s(due_s))
            if self._patient is not None:
                self._patient.advance_to(due_s)
            for measured in self.device.measure(due_s, self._own_clock.time_at):
                self._take(measured)
            change_s = self._options.behaviour.reconfigure_at_s
            if change_s is not None and due_s >= change_s:
                self._reconfigure()
            self._offer()

    def _take(self, measured: Measured) -> None:
        self._numbers += 1
        self.status.measured += 1
        options = self._options
        if options.behaviour.scanner is not None and measured.scanner is None:
            measured = replace(measured, scanner=SCANNER_HANDLE)
        if self._requests is not None:
            self._latest.update((reading.handle, measured) for reading in measured.readings)
        report = Report.of(measured, self._configuration, self._numbers)
        confirmed = measured.confirmed and (options.waveforms_confirmed or not measured.waveform)
        if self._sending.take(report, confirmed=confirmed):
            self._nudge()

    def _reconfigure(self) -> None:
        """Simulate that an accessory is plugged in: change the configuration, and offer the changed one to the manager.
        Further calls do nothing."""
        if self._changed:
            return
        self._changed = True
        self._configuration = with_accessory(self._configuration)
        log.info("agent.reconfigured", device=self.name, config_id=self._configuration.config_id)
        association = self._sending.association
        if association is not None:
            events = association.reconfigure(self._offers(), self._clock.monotonic_s())
            if any(isinstance(event, Aborted) for event in events):  # the association was still being requested
                self._lost()
            self._nudge()

    def _patient_now_s(self) -> float:
        return self._device_clock.patient_s(self._clock.monotonic_s())

    # Responses to a manager's requests.

    def _offers(self) -> Sequence[Configuration]:
        return self._options.behaviour.offers(self._configuration)

    def _services(self) -> Sequence[AgentService]:
        services = list(self.device.services())
        clock = self._options.behaviour.clock
        if clock.setting is not Setting.NO:
            services.append(SettableClock(self._set_clock, clock.kind))
        if self._requests is not None:
            services.append(self._requests)
        return services

    def _set_clock(self, time: DeviceTime) -> Refusal | None:
        refusal = self._own_clock.set(time, self._patient_now_s())
        self.status.clock_set = self._own_clock.times_set
        return refusal

    def _mds_attributes(self) -> Sequence[AvaType]:
        described = self.device.description.mds(self._configuration.config_id)
        return *described, *self._own_clock.attributes(self._patient_now_s())

    def _served(self) -> ServedRequests:
        return ServedRequests(self._current, supports=_EVERY_REQUEST, flows_max=_FLOWS_MAX)

    def _current(self, scope: DataScope) -> ScanReport | None:
        """Return a report with the latest reading of each object in `scope`. Return None if no object in `scope` has
        been measured."""
        requested = {handle: measured for handle, measured in self._latest.items() if scope.covers(handle)}
        if not requested:
            return None
        readings = tuple(
            reading
            for handle, measured in requested.items()
            for reading in measured.readings
            if reading.handle == handle
        )
        return scan_of(self._configuration, readings, variable=any(each.variable for each in requested.values()))

    # Associations.

    async def _converse(self) -> None:
        while True:
            try:
                link = await self._connect()
            except OSError as error:
                self._trouble(f"no link: {error}")
                await self._clock.sleep_until(self._clock.monotonic_s() + self._backoff.next_s())
                continue
            try:
                await self._use(link)
            finally:
                self._lost()
                self._sending.association = self._link = None
                await link.close()
            await self._clock.sleep_until(self._clock.monotonic_s() + self._backoff.next_s())

    async def _use(self, link: Link) -> None:
        """Run associations over this link, one after another, until the link has ended."""
        self._link, self._failures = link, 0
        self.status.link = link.name
        data_requests = self._options.behaviour.data_requests
        association = self._sending.association = AgentAssociation(
            system_id=self.device.description.system_id,
            configurations=self._offers(),
            mds_attributes=self._mds_attributes,
            services=self._services(),
            relative_time=lambda: self._own_clock.relative_ticks(self._patient_now_s()),
            settings=replace(self._options.association, reports_unasked=data_requests is not DataRequests.ONLY),
        )
        association.associate(self._clock.monotonic_s())
        async with asyncio.TaskGroup() as tasks:
            again = tasks.create_task(self._associate_again(association, link))
            await pump(link, association, self._deliver, self._clock, nudge=self._nudge)
            again.cancel()

    async def _associate_again(self, association: AgentAssociation, link: Link) -> None:
        """Whenever an association is lost, request a new one after a pause. After too many failures, close the link. A
        report that the manager refused because its store was full is repeated after a pause."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if association.state is State.OPERATING:
                # The manager was full: repeat the report after the pause.
                await self._clock.sleep_until(self._sending.pause_until_s)
                self._offer()
            elif association.state is State.UNASSOCIATED and not self._leaving:
                self._failures += 1
                if self._failures > ASSOCIATIONS_PER_LINK:
                    await link.close()
                    return
                await self._clock.sleep_until(self._clock.monotonic_s() + self._backoff.next_s())
                if association.state is State.UNASSOCIATED and not self._leaving:
                    association.associate(self._clock.monotonic_s())
                    self._nudge()

    async def _deliver(self, events: Sequence[Event], at: Instant) -> Sequence[bool]:
        for event in events:
            match event:
                case ConfigurationAgreed():
                    self._associated()
                case ReportAccepted(invoke_id=invoke_id):
                    await self._sending.acknowledge(invoke_id)
                case ReportRefused():
                    self._refused(event)
                case Aborted(why=why):
                    self._trouble(f"the association was aborted: {why}")
                    self._lost()
                case Rejected(reason=reason):
                    self._trouble(f"the manager rejected the association: {reason.name.lower()}")
                    self._lost()
                case Released() | LinkLost():
                    self._lost()
        self._offer()
        return [True] * len(events)

    def _associated(self) -> None:
        self.status.associated = True
        self.status.associations += 1
        self.status.trouble = ""
        self._failures = 0
        self._backoff.reset()
        log.info("agent.associated", device=self.name, link=self.status.link, waiting=len(self._sending))
        if self.status.dropped > self._told_dropped:
            log.warning("agent.reports_dropped", device=self.name, count=self.status.dropped - self._told_dropped)
            self._told_dropped = self.status.dropped

    def _lost(self) -> None:
        self.status.associated = False
        self._sending.lost()
        self._wake.set()

    def _trouble(self, sentence: str) -> None:
        if sentence != self.status.trouble:  # once for each reason, not for each attempt
            log.info("agent.troubled", device=self.name, reason=sentence)
        self.status.trouble = sentence

    def _offer(self) -> None:
        if self._sending.offer():
            self._nudge()

    def _refused(self, event: ReportRefused) -> None:
        if event.rejected and event.reason == RejectProblem.RESOURCE_LIMITATION:
            self._trouble("the manager has no room; the report is kept")
        self._sending.refused(event)

    # Shutdown.

    async def _drain(self) -> None:
        """Send the queued reports, for at most `DRAIN_S`. Log how many remain."""
        deadline_s = self._clock.monotonic_s() + DRAIN_S
        with suppress(TimeoutError):
            async with self._clock.timeout_at(deadline_s):
                while len(self._sending):
                    self._sending.settled.clear()
                    await self._sending.settled.wait()
        if len(self._sending):
            log.warning("agent.left_with_reports", device=self.name, count=len(self._sending))

    async def _leave(self) -> None:
        self._leaving = True
        association, link = self._sending.association, self._link
        if association is None or link is None:
            return
        association.release(self._clock.monotonic_s())
        self._nudge()
        with suppress(TimeoutError):
            async with self._clock.timeout_at(self._clock.monotonic_s() + LEAVE_S):
                while association.state is State.DISASSOCIATING:
                    self._sending.settled.clear()
                    await self._sending.settled.wait()
        await link.close()
