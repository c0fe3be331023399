"""Handling of one link to 11073-20601 devices, from its first byte to its last.

Observations go to the buffer. After they are durable, they go to the crew page and back to the association, which then
responds to the device. Facts for an operator are recorded as events; configurations and names go to the roster. A full
store is reported to the device (RORJ resource-limitation), never by silence or a false acknowledgement.

A cable carries one association after the other, of one device or of several. It stays open whatever happens on it,
because reopening it would lose the bytes in transit. A device that associates and disconnects in a loop is slowed down,
on its own link only.

The supervisor opens links again; `claims` decides which link may use a system id.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from itertools import groupby

import structlog

from gateway.buffer.errors import StoreFull
from gateway.live import LiveDevice
from gateway.sessions.association.intake import AssociationIntake
from gateway.sessions.association.notes import AssociationNotes, Remark
from gateway.sessions.clocks.keeping import ClockKeeping
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.claims import Verdict
from gateway.sessions.devices.link_class import LinkClass
from gateway.sessions.devices.presence import DevicePresence
from gateway.sessions.session import Counts
from gateway.transports.clock import Instant
from gateway.transports.link import Direction, Link
from gateway.transports.pump import Nudge, pump
from protocols.deviation import Deviation
from protocols.errors import LocalProtocolError
from protocols.ieee11073.association import events, manager_events
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.segment_events import SegmentDataReceived, SegmentNotFetched, SegmentsCleared
from protocols.waits import doubled_s

FAREWELL_S = 0.2
"""Time for sending an ABRT on a link, perhaps a dead one, whose device uses another link. It delays the other link."""
FIRST_BYTE_S = 2.0
"""Time for the first byte of a TCP connection. A device sends its AARQ with its first packet, which is resent within a
second over a bad radio link. A cable has no limit: it is silent until a device is switched on."""
RELEASE_S = 3.0
"""Time for a device to respond to a release before its link is closed; the standard's TO_release."""

QUICK_S = 1.0
"""An association that is followed by another one within this time has delivered nothing."""
_QUICK_FREE = 3
"""Number of quick associations in a row that a device may need to start. Further ones are delayed, each for longer."""
_PAUSE_S_MIN, _PAUSE_S_MAX = 0.1, 1.0
"""Limits of the delay. The longest is below a device's time-outs and the time in which a gateway must stop."""

log = structlog.get_logger()


_NotedEvent = (
    Remark
    | events.Associated
    | events.ConfigurationAgreed
    | manager_events.MdsRead
    | events.Released
    | events.Aborted
    | events.LinkLost
    | SegmentNotFetched
    | SegmentsCleared
)
"""Events that are no measurement."""


class _Kind(Enum):
    """Classes of events, by what happens when the store refuses them: a confirmed report stays with the device, and an
    unconfirmed report is lost. Neighbouring reports of one class are stored in one commit."""

    HELD_BY_DEVICE = 1
    GONE_IF_REFUSED = 2
    OTHER = 3


def _kind(event: Event) -> _Kind:
    if not isinstance(event, manager_events.ReportReceived):
        return _Kind.OTHER
    return _Kind.HELD_BY_DEVICE if event.confirmed else _Kind.GONE_IF_REFUSED


class AssociationSession:
    """Session with the 11073-20601 devices on one link. Call `run` once. Other tasks of the same event loop may call
    the other methods."""

    def __init__(self, link: Link, number: int, context: SessionContext) -> None:
        self.link = link
        self.number = number
        self.counts = Counts()
        self.understood = 0
        """Number of events that only a supported device can cause; noise on a line does not increase it."""
        self.opened_s = context.clock.monotonic_s()
        self._context = context
        self._association = ManagerAssociation(
            system_id=context.system_id,
            configurations=context.roster,
            settings=replace(context.manager, resynchronise=link.is_line),
            fetched=context.memory.fetched,
        )
        self._associated_s = -QUICK_S
        self._quick = 0
        self._last_byte_s = self.opened_s
        self.associated = asyncio.Event()
        """Set once a device was associated here."""
        self.heard = False
        """True once anything has arrived over this link."""
        self._presence = DevicePresence(context, link.name, self)
        self._recorder = self._presence.recorder
        self._intake = AssociationIntake(context, self._presence, self.counts)
        self._notes = AssociationNotes(context.journal, self._presence, self.counts, link.name)
        self._clock_keeping = ClockKeeping(context, self._association.clock_setting)
        self._nudge = Nudge()

    @property
    def device(self) -> LiveDevice | None:
        return self._presence.device

    @property
    def is_accepted(self) -> bool:
        """True while a device is associated on this link and a cable or an operator confirms the device's identity."""
        return self.device is not None and not self.device.ref.unverified_link

    @property
    def left(self) -> asyncio.Event:
        return self._presence.left

    @property
    def state(self) -> str:
        return self._association.state.name.lower().replace("_", " ")

    @property
    def last_byte_s(self) -> float:
        return self._last_byte_s

    @property
    def link_class(self) -> LinkClass:
        return LinkClass.SERIAL if self.link.is_line else LinkClass.TCP

    def update_verification(self) -> None:
        self._presence.update_verification()

    def trace(self, direction: Direction, data: bytes, at_s: float) -> None:
        """Record the time of received bytes, and pass the bytes of both directions to capture clients."""
        if direction == "received" and data:
            self._last_byte_s = at_s
            self.heard = True
        self._context.taps.trace(self.link.name, self.number, direction, data, at_s)

    async def run(self) -> None:
        """Run the session until its link has ended, and close the link in any case. A TCP link also ends when its bytes
        cannot be cut into APDUs. Raises any error of the store except StoreFull."""
        waiting = None if self.link.is_line else asyncio.create_task(self._require_first_byte())
        try:
            await pump(self.link, self._association, self._deliver, self._context.clock, self, self._nudge)
        finally:
            if waiting is not None:
                waiting.cancel()
                await asyncio.wait([waiting])
            await self.link.close()
            await asyncio.shield(self._leave("session ended"))

    async def _require_first_byte(self) -> None:
        """Close the connection if nothing arrives within `FIRST_BYTE_S`. The number of connections is limited, and a
        device may need this one."""
        await self._context.clock.sleep_until(self.opened_s + FIRST_BYTE_S)
        if not self.heard:
            await self._context.journal.record("link.silent", None, link=self.link.name)
            await self.link.close()

    async def release(self) -> None:
        """Send a release request (RLRQ), wait at most RELEASE_S for the device's response, and close the link."""
        if self._presence.device is not None:
            self._association.release(self._context.clock.monotonic_s())
            self._nudge()
            try:
                async with self._context.clock.timeout_at(self._context.clock.monotonic_s() + RELEASE_S):
                    await self.left.wait()
            except TimeoutError:
                log.info("session.release_unanswered", link=self.link.name)
        await self.link.close()

    async def yield_id(self) -> None:
        """End the association and the link, because another link now uses the device's system id. First send an ABRT,
        in case the device still listens on this link."""
        device = self._presence.release_id()
        self._association.abort()
        with suppress(ConnectionError, TimeoutError):
            async with self._context.clock.timeout_at(self._context.clock.monotonic_s() + FAREWELL_S):
                await self.link.send(self._association.to_send())
        await self.link.close()
        if device is not None:
            await self._presence.record_takeover(device)

    async def _deliver(self, happened: Sequence[Event], instant: Instant) -> Sequence[bool]:
        """Handle the events of one read of the link. Return False for each event whose data could not be made durable,
        and True for each other event."""
        verdicts: list[bool] = []
        self._recorder.begin_read()
        for kind, group in groupby(happened, _kind):
            if kind is not _Kind.OTHER:
                reports = [event for event in group if isinstance(event, manager_events.ReportReceived)]
                verdicts += await self._intake.store(reports, instant, (self.number, self._associated_s))
                continue
            for event in group:
                verdicts.append(await self._take(event, instant))
        return verdicts

    async def _take(self, event: Event, instant: Instant) -> bool:
        """Handle one event other than a measurement report. Return False only if PM-store entries could not be made
        durable."""
        assert not isinstance(event, manager_events.ReportReceived)
        self.understood += not isinstance(event, Deviation | events.LinkLost)
        if isinstance(event, SegmentDataReceived):
            return await self._intake.store_segment(event, instant)
        await self._note(event, instant)
        return True

    async def _note(self, event: _NotedEvent, instant: Instant) -> None:
        self._recorder.record(event, instant.wall_us)
        match event:
            case events.Associated():
                await self._associated(event, instant)
            case events.ConfigurationAgreed():
                await self._agreed(event)
            case manager_events.MdsRead():
                await self._presence.identify(event.identity, instant)
            case manager_events.MdsChanged():
                await self._presence.update_attributes(event.attributes)
            case SegmentNotFetched() | SegmentsCleared():
                if self._presence.system_id is not None:
                    await self._context.memory.note(event, self._presence.system_id)
            case events.Released():
                await self._leave("released")
            case events.Aborted():
                await self._leave(f"aborted by {'us' if event.by_us else 'the device'}: {event.why or event.reason}")
            case events.LinkLost():
                await self._leave("link lost")
            case _:
                await self._notes.note(event)
                if isinstance(event, manager_events.ScannerSilent):
                    self._query_if_silent(event.silent_s, instant)
        if self._presence.system_id is not None:
            await self._clock_keeping.follow(event, self._presence.system_id, instant)

    async def _agreed(self, event: events.ConfigurationAgreed) -> None:
        """Store the configuration that was agreed with the device, if the device has just sent it."""
        system_id = self._presence.system_id
        if not event.learned or system_id is None:
            return
        with suppress(StoreFull):
            await self._context.store.remember_configuration(bytes.fromhex(system_id), event.config_id, event.octets)
        await self._context.journal.record("device.configuration_learned", system_id, config_id=event.config_id)

    def _query_if_silent(self, silent_s: float, instant: Instant) -> None:
        """Send a request to the device if its link has been silent for `silent_s` seconds, because only a response
        shows that the link works."""
        if instant.monotonic_s - self._last_byte_s >= silent_s:
            with suppress(LocalProtocolError):  # the association has just ended, or enough requests are pending
                self._association.mds_reading.check(now_s=instant.monotonic_s)

    async def _associated(self, event: events.Associated, instant: Instant) -> None:
        system_id = event.system_id.hex()
        await self._pace()
        verdict = await self._presence.claim(system_id)
        if verdict is not Verdict.HELD:
            # Deliberately after the AARE, since only the association names the device. The ABRT, which is sent at the
            # end of this delivery, shows the device that nothing was kept.
            self._association.abort()
            if not self.link.is_line:
                await self.link.send(self._association.to_send())
                await self.link.close()
            await self._presence.record_refusal(system_id, verdict, instant.wall_us)
            return
        await self._presence.arrive(
            system_id, instant, config_id=event.config_id, configuration_known=event.configuration_known
        )
        self.associated.set()

    async def _pace(self) -> None:
        """Delay the reading of the link when associations follow each other too fast to deliver anything."""
        clock = self._context.clock
        now_s, before_s = clock.monotonic_s(), self._associated_s
        self._associated_s = now_s
        self._quick = self._quick + 1 if now_s - before_s < QUICK_S + _PAUSE_S_MAX else 0
        if self._quick > _QUICK_FREE:
            pause_s = doubled_s(_PAUSE_S_MIN, self._quick - _QUICK_FREE - 1, _PAUSE_S_MAX)
            await clock.sleep_until(now_s + pause_s)

    async def _leave(self, why: str) -> None:
        """Record the end of the association once. `why` is the reason, as text."""
        counts = self.counts
        await self._presence.leave(
            why, {"reports": counts.reports, "observations": counts.observations, "refused": counts.refused}
        )
