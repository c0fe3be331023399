"""Intake of a 20601 device's measurements: stored durably first, shown on the crew page and acknowledged after that.

An unconfirmed report is shown when the buffer holds it. The buffer commits it with others, within a second, and counts
it in a gap record where that fails.

A full store refuses reports: a confirmed report stays with the device, and a live (unconfirmed) report is counted in a
gap record. A value that the record format cannot represent is refused alone (`formless`): the rest of its report is
stored and acknowledged, and the refused value is counted in a gap record. A confirmed report that consists only of such
values stays with the device. Waveforms that a device sends again are stored once (`resent_waveforms`).
"""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from gateway.buffer.errors import StoreFull
from gateway.buffer.losses import losses_of
from gateway.sessions.clocks.credible_dates import now_at
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.history import NO_FORM, STORE_FULL
from gateway.sessions.devices.presence import DevicePresence
from gateway.sessions.formless import part_by_form
from gateway.sessions.sections import sections_of
from gateway.sessions.session import Counts
from gateway.transports.clock import Instant
from protocols.errors import ProtocolError
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.segment_events import SegmentDataReceived
from protocols.uplink.observations import DeviceObservations

log = structlog.get_logger()


class AssociationIntake:
    """Intake of the measurements that one session receives. `presence` has the device on the link, whose values are
    stored."""

    def __init__(self, context: SessionContext, presence: DevicePresence, counts: Counts) -> None:
        self._context = context
        self._presence = presence
        self._counts = counts

    async def store(self, reports: Sequence[ReportReceived], instant: Instant, association: object) -> Sequence[bool]:
        """Store reports of one association. The reports must be all confirmed or all unconfirmed. Return for each
        report whether it is stored, a confirmed report durably, so that it may be acknowledged."""
        device = self._presence.device
        if device is None:
            return [False] * len(reports)
        held = reports[0].confirmed
        if held:
            reports = [self._without_resent(report, device.ref.system_id, association) for report in reports]
        sections = [self._sections(report, instant, association) for report in reports]
        together = [each for of_report in sections for each in of_report]
        try:
            if together:
                await self._append(together, confirmed=held)
        except StoreFull:
            await self._full(reports, together, instant)
            return [False] * len(reports)
        except ProtocolError:
            return [
                await self._store_what_has_form(report, of_report, instant, association)
                for report, of_report in zip(reports, sections, strict=True)
            ]
        if held:
            self._remember(reports, association)
        self._stored(sum(report.reports for report in reports), together, instant)
        return [True] * len(reports)

    async def store_segment(self, event: SegmentDataReceived, instant: Instant) -> bool:
        """Store the entries of a PM-store segment data event. Return whether they are durable now."""
        device, context = self._presence.device, self._context
        if device is None:
            return False
        durable = await context.memory.store(event, device.ref, instant, wall_synchronised=context.clock.synchronised)
        if durable:
            self._counts.observations += len(event.observations)
        self._presence.recorder.record_segment(event, instant.wall_us, durable=durable)
        return durable

    async def _store_what_has_form(
        self, report: ReportReceived, sections: Sequence[DeviceObservations], instant: Instant, association: object
    ) -> bool:
        """Store the values of `report` that the record format can represent. Return whether `report` may be
        acknowledged."""
        context, system_id = self._context, self._presence.system_id
        parted = part_by_form(sections)
        stays_with_device = report.confirmed and not parted.formed
        try:
            if parted.formed:
                await self._append(parted.formed, confirmed=report.confirmed)
            if parted.formless and not stays_with_device:
                await context.store.record_loss(losses_of(parted.formless))
        except StoreFull:
            await self._full([report], sections, instant)
            return False
        if parted.formed:
            if report.confirmed:
                self._remember([report], association)
            self._stored(report.reports, parted.formed, instant)
        else:
            self._refused(report.reports, NO_FORM, instant)
        if parted.formless:
            log.error("store.no_form", device=system_id, why=parted.why)
            await context.journal.record(
                "store.no_form",
                system_id,
                observations=parted.formless_count,
                kept=stays_with_device,
                why=parted.why,
            )
        return not stays_with_device

    async def _append(self, sections: Sequence[DeviceObservations], *, confirmed: bool) -> None:
        if confirmed:
            await self._context.store.append_sections(sections, held_by_device=True)
        else:
            await self._context.store.append_live(sections)

    def _without_resent(self, report: ReportReceived, system_id: str, association: object) -> ReportReceived:
        kept = self._context.resent.without_resent(system_id, report.observations, association)
        resent = len(report.observations) - len(kept)
        if not resent:
            return report
        log.info("store.resent_waveforms", device=system_id, waveforms=resent)
        return replace(report, observations=kept)

    def _remember(self, reports: Sequence[ReportReceived], association: object) -> None:
        system_id = self._presence.system_id
        for report in reports:
            if system_id is not None:  # the device may have left during the commit
                self._context.resent.remember(system_id, report.observations, association)

    def _sections(self, report: ReportReceived, instant: Instant, association: object) -> list[DeviceObservations]:
        device, context = self._presence.device, self._context
        assert device is not None
        return list(
            sections_of(
                report.observations,
                report.received_s,
                device.ref,
                context.clocks,
                instant,
                live=not report.confirmed,
                wall_synchronised=context.clock.synchronised,
                keyed=self._find_keyed(report, instant, association),
            )
        )

    def _find_keyed(self, report: ReportReceived, instant: Instant, association: object) -> Sequence[bool]:
        """Return for each observation of the report whether it gets a content key, by which the cloud drops duplicates.
        An empty result means that no observation gets one."""
        system_id = self._presence.system_id
        if not report.confirmed or system_id is None:
            return ()
        context = self._context
        now = now_at(
            instant,
            system_id,
            report.observations,
            context.clocks,
            self._presence.recorder.history,
            synchronised=context.clock.synchronised,
            association=association,
        )
        return context.dates.of_live(system_id, report.observations, now)

    async def _full(
        self, reports: Sequence[ReportReceived], sections: Sequence[DeviceObservations], instant: Instant
    ) -> None:
        count = sum(report.reports for report in reports)
        self._refused(count, STORE_FULL, instant)
        self._show(sections, instant)  # the page also shows that nothing is recorded
        system_id = self._presence.system_id
        for report in reports:
            if report.confirmed and system_id is not None:  # it is resent with the same date
                self._context.dates.forget(system_id, report.observations)
        await self._context.journal.record("store.refused_reports", system_id, reports=count)

    def _refused(self, reports: int, why: str, instant: Instant) -> None:
        self._counts.refused += reports
        self._presence.recorder.record_refused(reports, why, instant.wall_us)

    def _stored(self, reports: int, sections: Sequence[DeviceObservations], instant: Instant) -> None:
        self._counts.reports += reports
        self._counts.observations += sum(len(section.observations) for section in sections)
        self._presence.recorder.record_stored(reports, sections, instant.wall_us)
        self._show(sections, instant)

    def _show(self, sections: Sequence[DeviceObservations], instant: Instant) -> None:
        """Show the measurements on the crew page, whether or not they could be stored."""
        live_device = self._presence.mark_active(instant.monotonic_s)
        if live_device is None:
            return
        for section in sections:
            self._context.live.observed(live_device, section.observations, section.wall_offset_us)
