"""A simulated device on a link: it measures on its own clock, and keeps what it measured until a manager has it.

Two things run side by side. The device measures at its pace whether or not anybody listens; what it measured goes
into a bounded outbox. The association sends from there, one confirmed report at a time, writes each answered one to
the witness, and after any loss (an abort, a silent manager, a link that ended, a gateway that was killed) associates
again with growing pauses and repeats the report that was not answered. Report content never changes between
repetitions: the time in it is when it was measured.

Unconfirmed waveforms are a setting, for the sake of devices that work so: they are sent when the association stands
and nothing waits, else dropped and counted. Closing the link and connecting again is left to the end of patience on
one link; both a serial line and a TCP connection carry the next association otherwise.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway.transports.clock import Clock, Instant
from gateway.transports.link import Link
from gateway.transports.pump import Nudge, pump
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import RejectProblem
from protocols.ieee11073.association import (
    Aborted,
    AgentAssociation,
    AgentSettings,
    ConfigurationAgreed,
    Event,
    LinkLost,
    Rejected,
    Released,
    ReportAnswered,
    ReportRefused,
    State,
)
from simulators.agents.backoff import Backoff
from simulators.agents.device import Device, Measured
from simulators.agents.device_clock import DeviceClock
from simulators.agents.report import Outbox, Report
from simulators.agents.witness import Witness
from simulators.physiology import Patient

log = structlog.get_logger(__name__)

Connect = Callable[[], Awaitable[Link]]
"""A new link to the manager. OSError (ConnectionError, TimeoutError among them) means: try again later."""

ASSOCIATIONS_PER_LINK: Final = 3
"""Associations that failed in a row before the link itself is given up."""
REFUSALS_MAX: Final = 3
"""Refusals, other than for want of room, after which a report is given up: repeating it would block all that follow."""
FULL_PAUSE_S: Final = 1.0
"""A manager whose store is full is asked again after this."""
DRAIN_S: Final = 5.0
"""How long a device that is switched off tries to hand over what it still holds."""
LEAVE_S: Final = 1.0
"""How long it waits for the manager's farewell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """How an agent behaves. The association's patience is shorter than 20601 allows (10 s), so that a demo whose
    gateway was killed on a serial line comes back at once."""

    waveforms_confirmed: bool = True
    association: AgentSettings = field(default_factory=lambda: AgentSettings(to_assoc_s=3.0))


@dataclass(slots=True)
class AgentStatus:
    """What a terminal view shows; counts since the start."""

    link: str = ""
    associated: bool = False
    associations: int = 0
    measured: int = 0
    answered: int = 0
    repeated: int = 0
    waiting: int = 0
    dropped: int = 0
    given_up: int = 0
    trouble: str = ""


class Agent:
    """One device. `patient` is None for a device that plays a record. Build with `build_agent`."""

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
        self._witness = witness
        self._options = options or AgentOptions()
        self._outbox = Outbox(on_dropped=self._note_dropped)
        self._nudge = Nudge()
        self._association: AgentAssociation | None = None
        self._link: Link | None = None
        self._backoff = Backoff(device.description.system_id)
        self._numbers = 0
        self._sent: tuple[int, Report] | None = None
        self._last_sent = 0
        self._refusals = 0
        self._failures = 0
        self._pause_until_s = 0.0
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._leaving = False
        self._measuring: asyncio.Task[None] | None = None
        self._told_dropped = 0

    @property
    def name(self) -> str:
        return self.device.description.model

    async def run(self, for_s: float | None = None) -> None:
        """Live until `for_s` patient seconds have passed (None: until cancelled or stopped), then hand over and
        leave."""
        async with asyncio.TaskGroup() as tasks:
            conversing = tasks.create_task(self._converse())
            self._measuring = tasks.create_task(self._measure(for_s))
            await asyncio.wait({self._measuring})
            await self._drain()
            await self._leave()
            conversing.cancel()

    def stop(self) -> None:
        """Measure no more; `run` hands over what it holds and returns."""
        if self._measuring is not None:
            self._measuring.cancel()

    # Measuring.

    async def _measure(self, for_s: float | None) -> None:
        """Measure whenever it is due. After a stall (a busy machine) each turn is made up for, one at a time, so that
        devices that share a patient stay beside each other and no sample is skipped."""
        while True:
            due_s = self.device.due_s
            if for_s is not None and due_s > for_s:
                await self._clock.sleep_until(self._device_clock.monotonic_s(for_s))
                return
            await self._clock.sleep_until(self._device_clock.monotonic_s(due_s))
            if self._patient is not None:
                self._patient.advance_to(due_s)
            for measured in self.device.measure(due_s, self._device_clock.time_at):
                self._take(measured)
            self._offer()

    def _take(self, measured: Measured) -> None:
        self._numbers += 1
        self.status.measured += 1
        report = Report.of(measured, self.device.configuration, self._numbers)
        association = self._association
        if self._options.waveforms_confirmed or not measured.waveform:
            self._outbox.put(report)
        elif association is not None and association.state is State.OPERATING and not self._outbox:
            association.report(report.scan, confirmed=False, now_s=self._clock.monotonic_s())
            self._nudge()
        else:
            self._note_dropped(report)
        self.status.waiting = len(self._outbox)

    def _note_dropped(self, report: Report) -> None:
        self.status.dropped += 1

    # Conversing.

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
                self._association = self._link = None
                await link.close()
            await self._clock.sleep_until(self._clock.monotonic_s() + self._backoff.next_s())

    async def _use(self, link: Link) -> None:
        """Associate, again and again, until the link has ended."""
        self._link, self._failures = link, 0
        self.status.link = link.name
        association = self._association = AgentAssociation(
            system_id=self.device.description.system_id,
            configurations=(self.device.configuration,),
            mds_attributes=self._mds_attributes,
            settings=self._options.association,
        )
        association.associate(self._clock.monotonic_s())
        async with asyncio.TaskGroup() as tasks:
            again = tasks.create_task(self._associate_again(association, link))
            await pump(link, association, self._deliver, self._clock, nudge=self._nudge)
            again.cancel()

    def _mds_attributes(self) -> Sequence[AvaType]:
        now_s = self._device_clock.patient_s(self._clock.monotonic_s())
        configuration = self.device.configuration
        return self.device.description.mds(configuration.config_id, self._device_clock.time_at(now_s))

    async def _associate_again(self, association: AgentAssociation, link: Link) -> None:
        """After each lost association wait a little, then ask again; after some in vain end the link."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if association.state is State.OPERATING:
                # A manager that was full, or a report that was put back: offer it when its pause is over.
                await self._clock.sleep_until(self._pause_until_s)
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
                case ReportAnswered(invoke_id=invoke_id):
                    await self._answered(invoke_id)
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
        log.info("agent.associated", device=self.name, link=self.status.link, waiting=len(self._outbox))
        if self.status.dropped > self._told_dropped:
            log.warning("agent.reports_dropped", device=self.name, count=self.status.dropped - self._told_dropped)
            self._told_dropped = self.status.dropped

    def _lost(self) -> None:
        self.status.associated = False
        self._sent = None
        self._wake.set()
        self._settled.set()

    def _trouble(self, sentence: str) -> None:
        if sentence != self.status.trouble:  # once a reason, not once a try
            log.info("agent.troubled", device=self.name, reason=sentence)
        self.status.trouble = sentence

    # Sending.

    def _offer(self) -> None:
        """Send the head of the outbox, when nothing is under way and the manager is ready for it."""
        association, report, now_s = self._association, self._outbox.head, self._clock.monotonic_s()
        if association is None or report is None or not association.can_confirm or now_s < self._pause_until_s:
            return
        self._sent = association.report(report.scan, confirmed=True, now_s=now_s), report
        self.status.repeated += report.number <= self._last_sent
        self._last_sent = max(self._last_sent, report.number)
        self._nudge()

    async def _answered(self, invoke_id: int) -> None:
        if self._sent is None or self._sent[0] != invoke_id:
            return
        report = self._outbox.done()
        assert report is self._sent[1], "the report that was answered is the one that was sent"
        self._sent, self._refusals = None, 0
        self.status.answered += 1
        self.status.waiting = len(self._outbox)
        self._settled.set()
        if self._witness is not None:
            system_id = self.device.description.system_id
            await asyncio.to_thread(self._witness.answered, system_id, report, invoke_id)

    def _refused(self, event: ReportRefused) -> None:
        if self._sent is None or self._sent[0] != event.invoke_id:
            return
        self._sent = None
        if event.rejected and event.reason == RejectProblem.RESOURCE_LIMITATION:
            self._trouble("the manager has no room; the report is kept")
            self._pause_until_s = self._clock.monotonic_s() + FULL_PAUSE_S
            self._wake.set()
            return
        self._refusals += 1
        if self._refusals >= REFUSALS_MAX:
            report = self._outbox.done()
            self._refusals = 0
            self.status.given_up += 1
            self.status.waiting = len(self._outbox)
            self._settled.set()
            log.warning("agent.report_given_up", device=self.name, report=report.number, reason=int(event.reason))

    # Leaving.

    async def _drain(self) -> None:
        """Hand over what is held, while the manager takes it."""
        deadline_s = self._clock.monotonic_s() + DRAIN_S
        with suppress(TimeoutError):
            async with self._clock.timeout_at(deadline_s):
                while self._outbox:
                    self._settled.clear()
                    await self._settled.wait()
        if self._outbox:
            log.warning("agent.left_with_reports", device=self.name, count=len(self._outbox))

    async def _leave(self) -> None:
        """Release in order where there is an association; then the link ends."""
        self._leaving = True
        association, link = self._association, self._link
        if association is None or link is None:
            return
        association.release(self._clock.monotonic_s())
        self._nudge()
        with suppress(TimeoutError):
            async with self._clock.timeout_at(self._clock.monotonic_s() + LEAVE_S):
                while association.state is State.DISASSOCIATING:
                    self._settled.clear()
                    await self._settled.wait()
        await link.close()
