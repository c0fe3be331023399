"""Each kind of scan report's event-info as one wire type, for comparison; the product decodes reports in another way,
by plans that are compiled for a configuration.
"""

from protocols.ieee11073.apdu.data import (
    GroupedObservation,
    ObservationScan,
    ObservationScanFixed,
    PersonScan,
    PersonScanFixed,
    PersonScanGrouped,
)
from protocols.ieee11073.mder import U16, SequenceOf, sequence


@sequence
class ScanReportInfoFixed:
    """The event-info of a scan report in fixed format."""

    data_req_id: U16
    scan_report_no: U16
    obs_scan_fixed: SequenceOf[ObservationScanFixed]


@sequence
class ScanReportInfoVar:
    """The event-info of a scan report in variable format."""

    data_req_id: U16
    scan_report_no: U16
    obs_scan_var: SequenceOf[ObservationScan]


@sequence
class ScanReportInfoGrouped:
    """The event-info of a scan report in grouped format."""

    data_req_id: U16
    scan_report_no: U16
    obs_scan_grouped: SequenceOf[GroupedObservation]


@sequence
class ScanReportInfoMPFixed:
    """The event-info of a multi-person scan report in fixed format."""

    data_req_id: U16
    scan_report_no: U16
    scan_per_fixed: SequenceOf[PersonScanFixed]


@sequence
class ScanReportInfoMPVar:
    """The event-info of a multi-person scan report in variable format."""

    data_req_id: U16
    scan_report_no: U16
    scan_per_var: SequenceOf[PersonScan]


@sequence
class ScanReportInfoMPGrouped:
    """The event-info of a multi-person scan report in grouped format."""

    data_req_id: U16
    scan_report_no: U16
    scan_per_grouped: SequenceOf[PersonScanGrouped]
