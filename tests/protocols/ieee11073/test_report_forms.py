"""All sixteen forms of scan report are decoded and encoded.

A report is fixed, variable or grouped; it comes from the MDS, an episodic or a periodic scanner; it is for one person
or for several. Report numbers are counted separately for each reporting object and each data request.
"""

from typing import Any

import pytest

from protocols.ieee11073.apdu.data import (
    ErrorValue,
    EventType,
    RejectProblem,
)
from protocols.ieee11073.association import report_intake
from protocols.ieee11073.association.manager_events import ReportReceived, ReportsLost
from protocols.ieee11073.association.report_intake import LAYOUTS_MAX, ReportIntake
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.objects import ava, numeric
from protocols.ieee11073.dim.report_forms import EVENT_TYPES, SCAN_REPORTS, Reporter, ReportForm, ScanForm
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, grouped_report, variable_report
from protocols.ieee11073.mder import decode, encode
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import PERSON_UNKNOWN, Observation
from tests.builders.ieee11073_apdus import report_response, roer, rorj, scan_report
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import BPM, PERCENT, PULSE, SPO2, STAMP, minute
from tests.builders.ieee11073_report_info import (
    ScanReportInfoFixed,
    ScanReportInfoGrouped,
    ScanReportInfoMPFixed,
    ScanReportInfoMPGrouped,
    ScanReportInfoMPVar,
    ScanReportInfoVar,
)
from tests.builders.reports_reading import Read, scanner

_METRICS = (numeric(1, SPO2, PERCENT, time_stamp=STAMP), numeric(10, PULSE, BPM, time_stamp=STAMP))
EPISODIC, PERIODIC = 20, 30
MONITOR = Configuration(
    0x4020, (*_METRICS, scanner(EPISODIC, _METRICS, episodic=True), scanner(PERIODIC, _METRICS, episodic=False))
)
SCALE = Configuration(0x4021, (numeric(1, Code(2, 57664), Code(4, 1731), value=Attribute.NU_SIMPLE, time_stamp=STAMP),))
SCANNERS = {Reporter.DEVICE: None, Reporter.EPISODIC: EPISODIC, Reporter.PERIODIC: PERIODIC}
INFOS: dict[tuple[ReportForm, bool], type[Any]] = {
    (ReportForm.FIXED, False): ScanReportInfoFixed,
    (ReportForm.VARIABLE, False): ScanReportInfoVar,
    (ReportForm.GROUPED, False): ScanReportInfoGrouped,
    (ReportForm.FIXED, True): ScanReportInfoMPFixed,
    (ReportForm.VARIABLE, True): ScanReportInfoMPVar,
    (ReportForm.GROUPED, True): ScanReportInfoMPGrouped,
}
FORMS = list(EVENT_TYPES)


def named(form: ScanForm) -> str:
    return f"{form.reporter.value}-{form.form.value}-{'persons' if form.persons else 'one'}"


def report_of(form: ScanForm) -> ScanReport:
    """Return a report in this form, with two readings for each of the persons 1 and 2, or without persons."""
    handle = SCANNERS[form.reporter]
    groups = [
        (Reading(1, 97.0 - at, minute(at), person=person), Reading(10, 60.0 + at, minute(at), person=person))
        for at, person in enumerate((1, 2) if form.persons else (None, None))
    ]
    readings = [reading for group in groups for reading in group]
    match form.form:
        case ReportForm.FIXED:
            return fixed_report(MONITOR, readings, scanner=handle)
        case ReportForm.VARIABLE:
            return variable_report(MONITOR, readings, scanner=handle)
        case ReportForm.GROUPED:
            assert handle is not None
            return grouped_report(MONITOR, handle, groups)


def rows(observations: list[Observation]) -> list[tuple[int | None, int, object, object]]:
    return [(one.channel.person, one.channel.handle, one.value, one.device_time) for one in observations]


@pytest.mark.parametrize("form", FORMS, ids=named)
def test_report_of_each_scan_report_format_is_encoded_and_decoded(form: ScanForm) -> None:
    report = report_of(form)
    assert SCAN_REPORTS[report.event_type] == form
    persons = (1, 1, 2, 2) if form.persons else (None,) * 4
    expected = [
        (persons[0], 1, 97.0, minute(0)),
        (persons[1], 10, 60.0, minute(0)),
        (persons[2], 1, 96.0, minute(1)),
        (persons[3], 10, 61.0, minute(1)),
    ]
    read = Read(MONITOR)
    for _ in range(3):  # compiled, matched, matched again
        assert rows(read(report)) == expected
    assert (read.sentences, read.lost) == ([], [])
    answer = report.handle
    assert read.manager.to_send() == b"".join(
        report_response(number, report.event_type, handle=answer) for number in range(3)
    )


@pytest.mark.parametrize("form", FORMS, ids=named)
def test_structure_of_each_scan_report_format_is_decoded_and_encoded_to_the_same_bytes(form: ScanForm) -> None:
    info = bytes.fromhex("F000 0007") + report_of(form).observations
    decoded = decode(INFOS[form.form, form.persons], info)
    assert encode(decoded) == info


@pytest.mark.parametrize("form", FORMS, ids=named)
def test_forty_equal_reports_of_each_scan_report_format_are_delivered_in_fewer_than_6_events(form: ScanForm) -> None:
    read = Read(MONITOR)
    apdus = [scan_report(report_of(form), report_no=at, invoke_id=at) for at in range(40)]
    read.octets(apdus[0])
    read.octets(b"".join(apdus[1:]))
    reports = [event for event in read.events if isinstance(event, ReportReceived)]
    assert sum(event.reports for event in reports) == 40
    assert len(reports) < 6


@pytest.mark.parametrize("form", FORMS, ids=named)
def test_report_with_a_wrong_length_field_is_rejected_as_badly_structured(form: ScanForm) -> None:
    octets = report_of(form).observations
    for cut in (octets[:-1], octets[:1] + b"\x7f" + octets[2:]):
        read = Read(MONITOR)
        assert read(ScanReport(report_of(form).event_type, cut, report_of(form).handle)) == []
        assert read.manager.to_send() == rorj(0, RejectProblem.BADLY_STRUCTURED_APDU)


@pytest.mark.finding("edge-check-1")
@pytest.mark.parametrize("form", FORMS, ids=named)
def test_all_values_of_a_report_with_trailing_bytes_are_kept_with_a_deviation(form: ScanForm) -> None:
    whole = Read(MONITOR)(report_of(form))
    read = Read(MONITOR)
    longer = ScanReport(report_of(form).event_type, report_of(form).observations + b"\xbe\xef", report_of(form).handle)
    assert [one.value for one in read(longer)] == [one.value for one in whole] != []
    assert read.oddities == [Oddity.REPORT_TRAILING]
    assert [one.value for one in read(longer)] == [one.value for one in whole], "by the compiled layout as well"


def test_weights_of_two_persons_in_one_report_are_distinguished() -> None:
    """Decode the worked bytes E28 of the reference."""
    read = Read(SCALE)
    observations = read.octets(apdu("e28"))
    noon = minute(145)
    assert rows(observations) == [(1, 1, 76.2, noon), (2, 1, 58.45, noon)]
    assert [one.channel.unit for one in observations] == [Code(4, 1731)] * 2
    assert read.sentences == []


def test_weights_of_two_persons_are_encoded_to_the_bytes_of_the_reference() -> None:
    noon = minute(145)
    report = fixed_report(SCALE, (Reading(1, 76.2, noon, person=1), Reading(1, 58.45, noon, person=2)))
    assert scan_report(report, invoke_id=14) == apdu("e28")


def test_unknown_person_id_differs_from_an_absent_person_id() -> None:
    read = Read(SCALE)
    report = fixed_report(SCALE, (Reading(1, 76.2, minute(0), person=PERSON_UNKNOWN),))
    assert [one.channel.person for one in read(report)] == [0xFFFF]
    assert [one.channel.person for one in read(fixed_report(SCALE, (Reading(1, 76.2, minute(0)),)))] == [None]


def test_observations_of_one_person_share_their_channel() -> None:
    read = Read(MONITOR)
    form = ScanForm(ReportForm.FIXED, Reporter.DEVICE, persons=True)
    first, again = read(report_of(form)), read(report_of(form))
    assert first[0].channel is again[0].channel
    assert first[0].channel is not first[2].channel


def test_report_of_a_person_without_observations_is_acknowledged_without_a_deviation() -> None:
    read = Read(SCALE)
    assert read(ScanReport(EventType.SCAN_REPORT_MP_FIXED, bytes.fromhex("0001 0006 0003 0000 0000"))) == []
    assert read.manager.to_send() == report_response(0, EventType.SCAN_REPORT_MP_FIXED)
    assert read.sentences == []


def test_multi_person_report_of_an_absent_object_gets_the_error_no_such_object_instance() -> None:
    read = Read(SCALE)
    items = bytes.fromhex("0001 000C 0001 0001 0006 0007 0002 0062")
    assert read(ScanReport(EventType.SCAN_REPORT_MP_FIXED, items)) == []
    assert read.manager.to_send() == roer(0, ErrorValue.NO_SUCH_OBJECT_INSTANCE)


def test_unit_code_in_a_report_applies_to_its_item_and_later_items_only() -> None:
    """Two persons of one scale report their weight in different units, in one report after the other."""
    read = Read(SCALE)
    kilograms = Reading(1, 76.2, person=1, attributes=(ava(Attribute.UNIT_CODE, 1731),))
    pounds = Reading(1, 168.0, person=2, attributes=(ava(Attribute.UNIT_CODE, 1760),))
    report = variable_report(SCALE, (kilograms, pounds))
    plain = variable_report(SCALE, (Reading(1, 170.0),))
    for _ in range(3):
        assert [(one.channel.person, one.channel.unit, one.value) for one in read(report)] == [
            (1, Code(4, 1731), 76.2),
            (2, Code(4, 1760), 168.0),
        ]
        assert [one.channel.unit for one in read(plain)] == [Code(4, 1760)]


# Report numbers.


def test_report_numbers_are_counted_separately_per_reporting_object_and_data_request() -> None:
    read = Read(MONITOR)
    of_device, of_scanner = report_of(FORMS[0]), report_of(FORMS[-1])
    for number in range(3):
        for report, request in ((of_device, 0xF000), (of_scanner, 0xF000), (of_scanner, 5), (of_device, 6)):
            read.octets(scan_report(report, report_no=number, request=request))
    assert read.lost == []
    read.octets(scan_report(of_device, report_no=4, request=6))
    read.octets(scan_report(of_scanner, report_no=2, request=7))
    assert read.lost == [ReportsLost(1, 2), ReportsLost(2, None)]


@pytest.mark.parametrize("form", FORMS, ids=named)
def test_values_of_a_report_with_a_repeated_number_are_kept_with_a_deviation(form: ScanForm) -> None:
    read = Read(MONITOR)
    octets = scan_report(report_of(form), report_no=0)
    assert len(read.octets(octets + octets)) == 8
    assert (
        read.sentences
        == [
            "an invoke-id is used again before its answer",
            "a report has the number of the one before it",
        ][-len(read.sentences) :]
    )
    assert read.sentences
    read.octets(scan_report(report_of(form), report_no=4))
    assert read.lost == [ReportsLost(3, 0)]


# Hostile reports.


def test_number_of_cached_report_layouts_is_bounded_for_any_number_of_persons() -> None:
    intake = ReportIntake(SCALE, Notes(), iter(range(1, 100_000)), {})
    for number in range(2 * LAYOUTS_MAX):
        report = fixed_report(SCALE, (Reading(1, 70.0, minute(0), person=number),))
        apdu_octets = scan_report(report, report_no=number)
        assert intake.take_known(memoryview(apdu_octets), 0.0) == (0, [])
        intake.take_new(apdu_octets, 0.0)
        assert intake.layouts_count <= LAYOUTS_MAX


def test_total_size_of_cached_report_layouts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    weight_max = 3000
    monkeypatch.setattr(report_intake, "LAYOUTS_WEIGHT_MAX", weight_max)
    intake = ReportIntake(SCALE, Notes(), iter(range(1, 100_000)), {})
    weights, counts = [], []
    for start in range(8):
        readings = [Reading(1, 70.0, minute(0), person=start * 500 + at) for at in range(500)]
        intake.take_new(scan_report(fixed_report(SCALE, readings), report_no=start), 0.0)
        weights.append(intake.layouts_weight)
        counts.append(intake.layouts_count)
    assert max(weights) <= weight_max < weights[0] * len(weights)
    assert max(counts) > 1


def test_report_of_5300_persons_gives_each_person_its_own_channel() -> None:
    """The longest report of the shortest observations has more channels than are remembered."""
    read = Read(Configuration(0x4022, (numeric(1, SPO2, PERCENT),)))
    count = 5300
    report = fixed_report(read.configuration, [Reading(1, 97.0, person=person) for person in range(count)])
    for _ in range(2):
        assert [one.channel.person for one in read(report)] == list(range(count))
    assert read.sentences == []
