"""The sixteen forms of a scan report: how it identifies values, which kind of object sends it, and whether it names
persons.

Manager and agent use the same table (reference 20601 §5). `SCAN_REPORTS` maps each event type to its form, which
defines the layout of the event-info; `EVENT_TYPES` maps each form to its event type.
"""

from enum import Enum
from typing import NamedTuple

from protocols.ieee11073.apdu.data import EventType


class ReportForm(Enum):
    """The way in which a report identifies its values."""

    FIXED = "fixed"
    """By handle; the Attribute-Value-Map defines the layout of the values."""
    VARIABLE = "variable"
    """By handle and attribute id."""
    GROUPED = "grouped"
    """Not named: the scanner's Scan-Handle-Attr-Val-Map defines handles and values."""


class Reporter(Enum):
    """Kind of object that sends a report."""

    DEVICE = "device"
    """The MDS, handle 0."""
    EPISODIC = "episodic"
    """An episodic scanner: unbuffered."""
    PERIODIC = "periodic"
    """A periodic scanner: buffered over its reporting interval."""


class ScanForm(NamedTuple):
    """Form of a scan report. `persons`: each list of observations has a person-id."""

    form: ReportForm
    reporter: Reporter
    persons: bool


_FIXED, _VARIABLE, _GROUPED = ReportForm.FIXED, ReportForm.VARIABLE, ReportForm.GROUPED
_DEVICE, _EPISODIC, _PERIODIC = Reporter.DEVICE, Reporter.EPISODIC, Reporter.PERIODIC

SCAN_REPORTS: dict[int, ScanForm] = {
    EventType.SCAN_REPORT_FIXED: ScanForm(_FIXED, _DEVICE, persons=False),
    EventType.SCAN_REPORT_VAR: ScanForm(_VARIABLE, _DEVICE, persons=False),
    EventType.SCAN_REPORT_MP_FIXED: ScanForm(_FIXED, _DEVICE, persons=True),
    EventType.SCAN_REPORT_MP_VAR: ScanForm(_VARIABLE, _DEVICE, persons=True),
    EventType.UNBUF_SCAN_REPORT_VAR: ScanForm(_VARIABLE, _EPISODIC, persons=False),
    EventType.UNBUF_SCAN_REPORT_FIXED: ScanForm(_FIXED, _EPISODIC, persons=False),
    EventType.UNBUF_SCAN_REPORT_GROUPED: ScanForm(_GROUPED, _EPISODIC, persons=False),
    EventType.UNBUF_SCAN_REPORT_MP_VAR: ScanForm(_VARIABLE, _EPISODIC, persons=True),
    EventType.UNBUF_SCAN_REPORT_MP_FIXED: ScanForm(_FIXED, _EPISODIC, persons=True),
    EventType.UNBUF_SCAN_REPORT_MP_GROUPED: ScanForm(_GROUPED, _EPISODIC, persons=True),
    EventType.BUF_SCAN_REPORT_VAR: ScanForm(_VARIABLE, _PERIODIC, persons=False),
    EventType.BUF_SCAN_REPORT_FIXED: ScanForm(_FIXED, _PERIODIC, persons=False),
    EventType.BUF_SCAN_REPORT_GROUPED: ScanForm(_GROUPED, _PERIODIC, persons=False),
    EventType.BUF_SCAN_REPORT_MP_VAR: ScanForm(_VARIABLE, _PERIODIC, persons=True),
    EventType.BUF_SCAN_REPORT_MP_FIXED: ScanForm(_FIXED, _PERIODIC, persons=True),
    EventType.BUF_SCAN_REPORT_MP_GROUPED: ScanForm(_GROUPED, _PERIODIC, persons=True),
}
"""Event type → form. The MDS has no grouped form, because it has no Scan-Handle-Attr-Val-Map."""

EVENT_TYPES: dict[ScanForm, EventType] = {form: EventType(event_type) for event_type, form in SCAN_REPORTS.items()}
