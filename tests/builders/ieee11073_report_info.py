"""The event-info of each kind of scan report (fixed, variable or grouped), each declared as a wire type. MP in a name
means a report about several persons.

Tests compare the product with these types; the product itself decodes reports by plans that are compiled for a
configuration.
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
    data_req_id: U16
    scan_report_no: U16
    obs_scan_fixed: SequenceOf[ObservationScanFixed]


@sequence
class ScanReportInfoVar:
    data_req_id: U16
    scan_report_no: U16
    obs_scan_var: SequenceOf[ObservationScan]


@sequence
class ScanReportInfoGrouped:
    data_req_id: U16
    scan_report_no: U16
    obs_scan_grouped: SequenceOf[GroupedObservation]


@sequence
class ScanReportInfoMPFixed:
    data_req_id: U16
    scan_report_no: U16
    scan_per_fixed: SequenceOf[PersonScanFixed]


@sequence
class ScanReportInfoMPVar:
    data_req_id: U16
    scan_report_no: U16
    scan_per_var: SequenceOf[PersonScan]


@sequence
class ScanReportInfoMPGrouped:
    data_req_id: U16
    scan_report_no: U16
    scan_per_grouped: SequenceOf[PersonScanGrouped]
