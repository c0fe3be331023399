"""What a GATT device measured, on its way into the record: durable first, then on the screen.

A value is treated as a report of 11073-20601 is (`sections`): one that the device keeps and may send again counts as
stored where it carries a date, one that streams does not, and neighbours without a date share a section, because a
stream would else pay for one a value.

Two ways in. What came by itself is gone when it is refused: the store counts it in a gap record, also an indication,
which the stack has confirmed already. What was fetched from a record store the device still has: it is refused without
loss, moves the mark of its store in the same commit, and is no news for the crew's page.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import structlog

from gateway.buffer.errors import StoreFull
from gateway.buffer.record_marks import FetchedRecords
from gateway.live import LiveFeed
from gateway.sessions.attendance import Attendance
from gateway.sessions.confirm_window import ConfirmWindow
from gateway.sessions.device_clock import UNKNOWN, ClockRelation, DeviceClocks
from gateway.sessions.device_report import NO_FORM, STORE_FULL
from gateway.sessions.journal import Journal
from gateway.sessions.known_measurements import KnownMeasurements
from gateway.sessions.record_fetching import MarkStore
from gateway.sessions.sections import DATES, placed_by, runs_of, section_of, sections_of
from gateway.sessions.session import Counts
from gateway.sessions.time_sync import TrustedClock
from gateway.transports.clock import Instant
from protocols.ble.interpretation import Measured
from protocols.device_time import TimeKind
from protocols.errors import ProtocolError
from protocols.ieee11073.association.events import ReportReceived
from protocols.observation import Observation
from protocols.uplink.observations import DeviceObservations, DeviceRef

log = structlog.get_logger()


class Around(Protocol):
    """What this needs of a session's surroundings."""

    @property
    def live(self) -> LiveFeed: ...
    @property
    def clocks(self) -> DeviceClocks: ...
    @property
    def clock(self) -> TrustedClock: ...
    @property
    def journal(self) -> Journal: ...


class GattIntake:
    """Of one session. `here` says whose values they are."""

    def __init__(
        self, around: Around, store: MarkStore, known: KnownMeasurements, here: Attendance, counts: Counts
    ) -> None:
        self.window = ConfirmWindow()
        self._around = around
        self._store = store
        self._known = known
        self._here = here
        self._counts = counts

    async def took(self, measured: Sequence[Measured], instant: Instant) -> bool:
        """Values that came by themselves. Whether they are durable now; refused ones are counted as lost."""
        device = self._here.device
        if device is None or not measured:
            return not measured
        system_id = device.ref.system_id
        news = self._known.news(system_id, measured)
        around = self._around
        sections = [
            section
            for report in _reports_of(news)
            for section in sections_of(
                report, device.ref, around.clocks, instant, wall_synchronised=around.clock.synchronised
            )
        ]
        durable = await self._append(sections, len(news), instant, held_by_device=False, mark=None)
        if durable:
            self._confirmed_before(news, instant)
            self._known.durable(system_id, news)
        # Shown also when it could not be stored: the page says beside it that nothing is being recorded.
        now_here = self._here.delivered(instant.monotonic_s)
        for section in sections:
            around.live.observed(now_here or device, section.observations, section.wall_offset_us)
        return durable

    async def took_records(self, measured: Sequence[Measured], mark: FetchedRecords | None, instant: Instant) -> bool:
        """Records of one store, in order, and how far it is fetched with them. Whether all of that is durable now."""
        device = self._here.device
        if device is None:
            return False
        system_id = device.ref.system_id
        news = self._known.news(system_id, measured, from_memory=True)
        sections = list(self._record_sections(news, device.ref, instant))
        if not await self._append(sections, len(news), instant, held_by_device=True, mark=mark):
            return False
        self._known.durable(system_id, news, from_memory=True)
        self._here.delivered(instant.monotonic_s)
        return True

    def _confirmed_before(self, measured: Sequence[Measured], instant: Instant) -> None:
        """These are durable now; the stack had confirmed them when they came."""
        indicated = [each.observations[-1].received_s for each in measured if each.stored]
        if not indicated:
            return
        committed_s = self._around.clock.monotonic_s()
        for received_s in indicated:
            self.window.closed(received_s, committed_s)
        report = self._here.keeping.report
        if report is not None:
            report.indicated(len(indicated), self.window.us_max, self.window.us_p99, instant.wall_us)

    async def _append(
        self,
        sections: Sequence[DeviceObservations],
        values: int,
        instant: Instant,
        *,
        held_by_device: bool,
        mark: FetchedRecords | None,
    ) -> bool:
        system_id, keeping, counts = self._here.system_id, self._here.keeping, self._counts
        try:
            if sections or mark is not None:
                await self._store.append(sections, held_by_device=held_by_device, records=mark)
        except StoreFull:
            counts.refused += values
            counts.lost += 0 if held_by_device else values
            keeping.refused(values, STORE_FULL, instant.wall_us)
            await self._around.journal.write("store.refused_values", system_id, values=values, kept=held_by_device)
            return False
        except ProtocolError as error:
            # A bug of ours, not the device's: the record has no form for what it sent.
            counts.refused += values
            keeping.refused(values, NO_FORM, instant.wall_us)
            log.error("store.no_form", device=system_id, why=str(error))
            await self._around.journal.write("store.no_form", system_id, values=values)
            return False
        counts.reports += values
        counts.observations += sum([len(section.observations) for section in sections])
        if sections:
            keeping.took(values, sections, instant.wall_us)
        return True

    def _record_sections(
        self, measured: Sequence[Measured], device: DeviceRef, instant: Instant
    ) -> Iterator[DeviceObservations]:
        """A memory says nothing about what a clock shows now, so it never teaches it; it is only placed by what is
        known. A counter in it counts on from the present one, as its interpreter has made sure."""
        clock = self._around.clock
        for each in measured:
            received_us = round(each.observations[-1].received_s * 1_000_000)
            for kind, observations in runs_of(each.observations):
                for relation, placed in self._placed(device, kind, observations, received_us):
                    yield section_of(
                        placed,
                        relation,
                        device,
                        instant,
                        received_us,
                        wall_synchronised=clock.synchronised,
                        stored=each.stored and kind in DATES,
                    )

    def _placed(
        self, device: DeviceRef, kind: TimeKind | None, observations: Sequence[Observation], received_us: int
    ) -> Iterator[tuple[ClockRelation, Sequence[Observation]]]:
        if kind is None:
            yield UNKNOWN, observations
            return
        clock = self._around.clocks.clock(device.system_id, kind)
        yield from placed_by(clock, observations, received_us, live=False)


def _reports_of(measured: Sequence[Measured]) -> Iterator[ReportReceived]:
    """As the other kind of device would have reported it. Neighbours that stream without a date are one report."""
    stream: list[Observation] = []
    for each in measured:
        if each.stored or each.observations[0].device_time is not None:
            if stream:
                yield _report(stream, stored=False)
                stream = []
            yield _report(each.observations, stored=each.stored)
        else:
            stream.extend(each.observations)
    if stream:
        yield _report(stream, stored=False)


def _report(observations: Sequence[Observation], *, stored: bool) -> ReportReceived:
    return ReportReceived(observations, stored, 0, observations[-1].received_s)
