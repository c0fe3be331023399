"""What one link adds to the reports of the devices that come by it: every event of its sessions, in their order.

A deviation in the association request itself is told before the association that names the device; it is kept until
then, at most for the octets of one read, so that noise on a line is nobody's.
"""

from collections.abc import Sequence

from gateway.sessions.devices.report import DeviceReport, DeviceReports
from protocols.deviation import Deviation
from protocols.ieee11073.association import events, manager_events
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.segment_events import SegmentDataReceived
from protocols.uplink.observations import DeviceObservations

_OF_NOBODY_MAX = 16


class ReportKeeping:
    """Of one link. Times are our wall clock in µs."""

    def __init__(self, reports: DeviceReports, link: str) -> None:
        self._reports = reports
        self._link = link
        self._of_nobody: list[Deviation] = []
        self.report: DeviceReport | None = None
        """Of the device that is associated on this link."""

    def begin_read(self) -> None:
        """The events of another read follow."""
        self._of_nobody.clear()

    def associated(self, system_id: str, at_us: int) -> None:
        self.report = self._reports.of(system_id, at_us)
        self.report.associated(self._link, at_us)
        for deviation in self._of_nobody:
            self.report.deviated(deviation, at_us)
        self._of_nobody.clear()

    def left(self) -> None:
        """The association ended, or another link has the device now."""
        self.report = None

    def noted(self, event: Event, at_us: int) -> None:
        """Anything that is no report. `associated` and `left` come from who decides about the id, what came of a clock
        from `clock_keeping`."""
        report = self.report
        if report is None:
            if isinstance(event, Deviation) and len(self._of_nobody) < _OF_NOBODY_MAX:
                self._of_nobody.append(event)
            return
        match event:
            case Deviation():
                report.deviated(event, at_us)
            case events.ConfigurationAgreed():
                report.agreed(event.config_id, learned=event.learned, at_us=at_us)
            case manager_events.MdsRead():
                report.identified(event.identity, at_us)
            case manager_events.MdsChanged():
                report.changed(event.attributes, at_us)
            case manager_events.AttributesReported():
                report.told_attributes(event.handle, event.attributes, at_us)
            case manager_events.ReportsLost():
                report.lost_reports(event.count, at_us)
            case manager_events.ReportNotTaken():
                report.refused_reports(1, event.why.value, at_us)
            case manager_events.AttributesRead():
                report.told_attributes(event.handle, event.attributes, at_us)
            case events.Released():
                report.ended("released", at_us)
            case events.Aborted():
                report.ended("aborted by us" if event.by_us else "aborted by the device", at_us)
            case events.LinkLost():
                report.ended("link lost", at_us)

    def fetched(self, event: SegmentDataReceived, at_us: int, *, durable: bool) -> None:
        """Entries of a memory, durable or refused."""
        if self.report is not None and durable:
            self.report.fetched(event.entries, len(event.observations), at_us, is_last=event.last)
        elif self.report is not None:
            self.report.refused_entries(event.entries, at_us)

    def took(self, reports: int, sections: Sequence[DeviceObservations], at_us: int) -> None:
        """Reports that are durable, with the sections that they became."""
        if self.report is None:
            return
        self.report.took(reports, sum(len(section.observations) for section in sections), at_us)
        time = sections[-1].observations[-1].device_time if sections else None
        if time is not None:
            self.report.placed(time.kind, sections[-1].device_offset_us, sections[-1].uncertainty_us, at_us)

    def refused(self, reports: int, why: str, at_us: int) -> None:
        if self.report is not None:
            self.report.refused_reports(reports, why, at_us)
