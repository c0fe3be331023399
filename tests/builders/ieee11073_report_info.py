"""The whole event-info of each scan report as one wire type. The product decodes reports by plans and never so."""

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
    """A report in fixed form."""

    data_req_id: U16
    scan_report_no: U16
    obs_scan_fixed: SequenceOf[ObservationScanFixed]


@sequence
class ScanReportInfoVar:
    """A report in variable form."""

    data_req_id: U16
    scan_report_no: U16
    obs_scan_var: SequenceOf[ObservationScan]


@sequence
class ScanReportInfoGrouped:
    """A report in grouped form."""

    data_req_id: U16
    scan_report_no: U16
    obs_scan_grouped: SequenceOf[GroupedObservation]


@sequence
class ScanReportInfoMPFixed:
    """A multi-person report in fixed form."""

    data_req_id: U16
    scan_report_no: U16
    scan_per_fixed: SequenceOf[PersonScanFixed]


@sequence
class ScanReportInfoMPVar:
    """A multi-person report in variable form."""

    data_req_id: U16
    scan_report_no: U16
    scan_per_var: SequenceOf[PersonScan]


@sequence
class ScanReportInfoMPGrouped:
    """A multi-person report in grouped form."""

    data_req_id: U16
    scan_report_no: U16
    scan_per_grouped: SequenceOf[PersonScanGrouped]
