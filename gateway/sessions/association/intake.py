"""Store the measurements of a 20601 device: durable first, then on the screen and acknowledged.

Neighbouring reports of one read share an append, so that they share a commit. A store that is full refuses them: a
confirmed report stays with the device, a live one is counted in a gap record by the store. Where the record has no form
for a value, that value alone is refused (`formless`): the rest of its report is kept and the report answered, and what
has no form is counted in a gap record; a confirmed report of nothing else stays with the device.
"""

from collections.abc import Sequence
from typing import Protocol

import structlog

from gateway.buffer.errors import StoreFull
from gateway.buffer.losses import Loss, losses_of
from gateway.live import LiveFeed
from gateway.sessions.association.segment_intake import SegmentIntake
from gateway.sessions.clocks.credible_dates import CredibleDates, now_at
from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sessions.devices.presence import Attendance
from gateway.sessions.devices.report import NO_FORM, STORE_FULL
from gateway.sessions.formless import part_by_form
from gateway.sessions.journal import Journal
from gateway.sessions.sections import sections_of
from gateway.sessions.session import Counts
from gateway.transports.clock import Instant
from protocols.errors import ProtocolError
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.segment_events import SegmentDataReceived
from protocols.uplink.observations import DeviceObservations

log = structlog.get_logger()


class IntakeStore(Protocol):
    """The part of the buffer that this needs."""

    async def append(self, sections: Sequence[DeviceObservations], *, held_by_device: bool = False) -> None:
        """Return when durable. Raises StoreFull when only the reserve is left; what the device does not hold is counted
        in a gap record then."""

    async def record_loss(self, lost: Sequence[Loss]) -> None:
        """Return when a gap record counts these. Raises StoreFull."""


class Around(Protocol):
    """The parts of a session's surroundings that the intake needs."""

    @property
    def store(self) -> IntakeStore: ...
    @property
    def live(self) -> LiveFeed: ...
    @property
    def clocks(self) -> DeviceClocks: ...
    @property
    def clock(self) -> TrustedClock: ...
    @property
    def dates(self) -> CredibleDates: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def memory(self) -> SegmentIntake: ...


class AssociationIntake:
    """Intake of one session. `here` names the device of the values."""

    def __init__(self, around: Around, here: Attendance, counts: Counts) -> None:
        self._around = around
        self._here = here
        self._counts = counts

    async def store(self, reports: Sequence[ReportReceived], instant: Instant, association: object) -> Sequence[bool]:
        """Whether each report is durable now. They are all confirmed or all not, and of one association."""
        device = self._here.device
        if device is None:
            return [False] * len(reports)
        sections = [self._sections(report, instant, association) for report in reports]
        together = [each for of_report in sections for each in of_report]
        held = reports[0].confirmed
        try:
            if together:
                await self._around.store.append(together, held_by_device=held)
        except StoreFull:
            await self._full(reports, together, instant)
            return [False] * len(reports)
        except ProtocolError:
            return [
                await self._store_what_has_form(report, of_report, instant)
                for report, of_report in zip(reports, sections, strict=True)
            ]
        self._stored(sum(report.reports for report in reports), together, instant)
        return [True] * len(reports)

    async def store_segment(self, event: SegmentDataReceived, instant: Instant) -> bool:
        """Whether the entries of a memory are durable now."""
        device, around = self._here.device, self._around
        if device is None:
            return False
        durable = await around.memory.store(event, device.ref, instant, wall_synchronised=around.clock.synchronised)
        if durable:
            self._counts.observations += len(event.observations)
        self._here.keeping.fetched(event, instant.wall_us, durable=durable)
        return durable

    async def _store_what_has_form(
        self, report: ReportReceived, sections: Sequence[DeviceObservations], instant: Instant
    ) -> bool:
        """One report of which some values may have no form. Whether it may be answered as taken."""
        around, system_id = self._around, self._here.system_id
        parted = part_by_form(sections)
        stays_with_device = report.confirmed and not parted.formed
        try:
            if parted.formed:
                await around.store.append(parted.formed, held_by_device=report.confirmed)
            if parted.formless and not stays_with_device:
                await around.store.record_loss(losses_of(parted.formless))
        except StoreFull:
            await self._full([report], sections, instant)
            return False
        if parted.formed:
            self._stored(report.reports, parted.formed, instant)
        else:
            self._refused(report.reports, NO_FORM, instant)
        if parted.formless:
            log.error("store.no_form", device=system_id, why=parted.why)
            await around.journal.write(
                "store.no_form",
                system_id,
                observations=parted.formless_count,
                kept=stays_with_device,
                why=parted.why,
            )
        return not stays_with_device

    def _sections(self, report: ReportReceived, instant: Instant, association: object) -> list[DeviceObservations]:
        device, around = self._here.device, self._around
        assert device is not None
        return list(
            sections_of(
                report.observations,
                report.received_s,
                device.ref,
                around.clocks,
                instant,
                live=not report.confirmed,
                wall_synchronised=around.clock.synchronised,
                keyed=self._find_keyed(report, instant, association),
            )
        )

    def _find_keyed(self, report: ReportReceived, instant: Instant, association: object) -> Sequence[bool]:
        """Which of the report's observations are known again by their content."""
        system_id = self._here.system_id
        if not report.confirmed or system_id is None:
            return ()
        around = self._around
        now = now_at(
            instant,
            system_id,
            report.observations,
            around.clocks,
            self._here.keeping.report,
            synchronised=around.clock.synchronised,
            association=association,
        )
        return around.dates.of_live(system_id, report.observations, now)

    async def _full(
        self, reports: Sequence[ReportReceived], sections: Sequence[DeviceObservations], instant: Instant
    ) -> None:
        count = sum(report.reports for report in reports)
        self._refused(count, STORE_FULL, instant)
        self._show(sections, instant)  # the page says beside it that nothing is being recorded
        system_id = self._here.system_id
        for report in reports:
            if report.confirmed and system_id is not None:  # it comes again, and is no second reading with one date
                self._around.dates.forget(system_id, report.observations)
        await self._around.journal.write("store.refused_reports", system_id, reports=count)

    def _refused(self, reports: int, why: str, instant: Instant) -> None:
        self._counts.refused += reports
        self._here.keeping.refused(reports, why, instant.wall_us)

    def _stored(self, reports: int, sections: Sequence[DeviceObservations], instant: Instant) -> None:
        self._counts.reports += reports
        self._counts.observations += sum(len(section.observations) for section in sections)
        self._here.keeping.took(reports, sections, instant.wall_us)
        self._show(sections, instant)

    def _show(self, sections: Sequence[DeviceObservations], instant: Instant) -> None:
        """Let the crew see what was measured, whether it could be stored or not."""
        now_here = self._here.delivered(instant.monotonic_s)
        if now_here is None:
            return
        for section in sections:
            self._around.live.observed(now_here, section.observations, section.wall_offset_us)
