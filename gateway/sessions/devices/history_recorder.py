"""Add the events of one link to the histories of its devices, in the order of the events.

A protocol deviation in an association request is emitted before the association that names the device. It is kept at
most until the end of the same read, so that noise on a line is attributed to no device.
"""

from collections.abc import Sequence

from gateway.sessions.devices.histories import DeviceHistories
from gateway.sessions.devices.history import DeviceHistory
from protocols.deviation import Deviation
from protocols.ieee11073.association import events, manager_events
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.segment_events import SegmentDataReceived
from protocols.uplink.observations import DeviceObservations

_UNATTRIBUTED_MAX = 16


class HistoryRecorder:
    """Recorder that adds the events of one link to the histories of its devices. Times are the gateway's wall clock in
    µs."""

    def __init__(self, histories: DeviceHistories, link: str) -> None:
        self._histories = histories
        self._link = link
        self._unattributed: list[Deviation] = []
        self.history: DeviceHistory | None = None
        """The history of the device that is associated on this link."""

    def begin_read(self) -> None:
        """Drop the protocol deviations of the previous read that belong to no device, because no association followed
        them."""
        self._unattributed.clear()

    def begin_association(self, system_id: str, at_us: int) -> None:
        self.history = self._histories.of(system_id, at_us)
        self.history.add_association(self._link, at_us)
        for deviation in self._unattributed:
            self.history.add_deviation(deviation, at_us)
        self._unattributed.clear()

    def end_association(self) -> None:
        """Stop adding to the device's history, because the association has ended or another link has the device now."""
        self.history = None

    def record(self, event: Event, at_us: int) -> None:
        """Add an event to the history of the device on the link; ignore events that histories do not contain.
        `DevicePresence` records the beginning of an association, and `ClockKeeping` the setting of a clock."""
        history = self.history
        if history is None:
            if isinstance(event, Deviation) and len(self._unattributed) < _UNATTRIBUTED_MAX:
                self._unattributed.append(event)
            return
        match event:
            case Deviation():
                history.add_deviation(event, at_us)
            case events.ConfigurationAgreed():
                history.set_configuration(event.config_id, learned=event.learned, at_us=at_us)
            case manager_events.MdsRead():
                history.set_identity(event.identity, at_us)
            case manager_events.MdsChanged():
                history.update_attributes(event.attributes, at_us)
            case manager_events.AttributesReported():
                history.add_object_attributes(event.handle, event.attributes, at_us)
            case manager_events.ReportsLost():
                history.add_lost_reports(event.count, at_us)
            case manager_events.ReportNotTaken():
                history.add_refused_reports(1, event.why.value, at_us)
            case events.Released():
                history.add_end("released", at_us)
            case events.Aborted():
                history.add_end("aborted by us" if event.by_us else "aborted by the device", at_us)
            case events.LinkLost():
                history.add_end("link lost", at_us)

    def record_segment(self, event: SegmentDataReceived, at_us: int, *, durable: bool) -> None:
        """Count the entries of a PM-store segment data event as durable or as refused."""
        if self.history is not None and durable:
            self.history.add_entries(event.entries, len(event.observations), at_us, is_last=event.last)
        elif self.history is not None:
            self.history.add_refused_entries(event.entries, at_us)

    def record_stored(self, reports: int, sections: Sequence[DeviceObservations], at_us: int) -> None:
        """Count durable reports; `reports` is their number. `sections` has their observations. The last section gives
        the relation of the device's clock."""
        if self.history is None:
            return
        self.history.add_reports(reports, sum(len(section.observations) for section in sections), at_us)
        time = sections[-1].observations[-1].device_time if sections else None
        if time is not None:
            self.history.set_clock(time.kind, sections[-1].device_offset_us, sections[-1].uncertainty_us, at_us)

    def record_refused(self, reports: int, why: str, at_us: int) -> None:
        if self.history is not None:
            self.history.add_refused_reports(reports, why, at_us)
