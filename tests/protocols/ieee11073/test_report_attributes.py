"""Attributes in a report other than values: the state of the device becomes events, all others become raw bytes."""

import pytest

from protocols.device_time import DeviceTime, TimeKind
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import EventType
from protocols.ieee11073.association.carried_attributes import REMEMBERED_MAX
from protocols.ieee11073.association.manager_events import AttributesReported, MdsChanged, ReportReceived
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.identity import ATTRIBUTE_BYTES_MAX, changed, identity_of
from protocols.ieee11073.dim.objects import numeric
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, variable_report
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.tolerances import Oddity
from tests.builders.ieee11073_apdus import aarq, get_response, report_response, rlrq, scan_report
from tests.builders.ieee11073_devices import BPM, PERCENT, PULSE, SPO2, minute
from tests.builders.reports_reading import Read, variable_items, variable_of, with_attributes

ACCURACY, SOURCE_HANDLE, THRESHOLD_TEXT, UNKNOWN = 2378, 2631, 2696, 0xF123
OXIMETER = Configuration(0x4040, (numeric(1, SPO2, PERCENT), numeric(10, PULSE, BPM)))
CLOCK = "2026030112000000"


def told(read: Read) -> list[tuple[int, int | None, tuple[tuple[int, bytes], ...]]]:
    return [(event.handle, event.person, event.attributes) for event in read.carried]


# The device itself.


def test_battery_and_power_status_and_clock_attributes_are_emitted_before_the_observations() -> None:
    read = Read(OXIMETER)
    report = variable_items(
        (
            0,
            (
                (Attribute.BATTERY_LEVEL, "0055"),
                (Attribute.POWER_STATUS, "4000"),
                (Attribute.DATE_AND_TIME, CLOCK),
                (Attribute.REMAINING_BATTERY_TIME, "0000005A 08A0"),
            ),
        ),
        (1, ((Attribute.NU_BASIC, "0062"),)),
    )
    (found,) = read(report)
    assert found.value == 98.0
    (mds, received) = read.events
    assert isinstance(received, ReportReceived)
    assert isinstance(mds, MdsChanged)
    assert (mds.battery_percent, mds.power_status) == (85, 0x4000)
    assert mds.date_and_time == minute(0)
    assert mds.battery_remaining == (90.0, Code(4, 2208))
    assert [number for number, _ in mds.attributes] == [2460, 2389, 2439, 2440]
    assert read.manager.to_send() == report_response(0, EventType.SCAN_REPORT_VAR)


def test_device_identity_is_updated_by_reported_mds_attributes() -> None:
    read = Read(OXIMETER)
    read(variable_of(0, (Attribute.BATTERY_LEVEL, "0055"), (UNKNOWN, "01")))
    device = read.manager.device
    assert device is not None
    assert (device.battery_percent, device.system_id.hex()) == (85, "1122334455667788")
    assert device.attributes == ((Attribute.BATTERY_LEVEL, b"\x00\x55"), (UNKNOWN, b"\x01"))


def test_battery_level_is_reported_only_when_it_changes() -> None:
    read = Read(OXIMETER)
    levels = (85, 85, 85, 84, 84, 85)
    octets = [
        scan_report(variable_of(0, (Attribute.BATTERY_LEVEL, f"{level:04x}")), report_no=at, invoke_id=at)
        for at, level in enumerate(levels)
    ]
    read.octets(octets[0])
    read.octets(b"".join(octets[1:]))
    assert [event.battery_percent for event in read.mds] == [85, 84, 85]


def test_date_and_time_adjustment_equal_to_the_previous_adjustment_is_reported_again() -> None:
    read = Read(OXIMETER)
    report = variable_of(0, (Attribute.DATE_AND_TIME_ADJUSTMENT, "000000057E40"))
    apdus = [scan_report(report, report_no=at, invoke_id=at) for at in range(4)]
    read.octets(apdus[0])
    read.octets(b"".join(apdus[1:]))
    assert [event.attributes[0][1].hex() for event in read.mds] == ["000000057e40"] * 4


def test_malformed_mds_attribute_is_reported_as_raw_bytes_with_a_deviation() -> None:
    read = Read(OXIMETER)
    read(variable_of(0, (Attribute.BATTERY_LEVEL, "55")))
    (mds,) = read.mds
    assert (mds.battery_percent, mds.attributes) == (None, ((Attribute.BATTERY_LEVEL, b"\x55"),))
    assert read.oddities == [Oddity.MDS_ATTRIBUTE_UNREADABLE]


def test_fixed_form_mds_report_is_decoded_by_the_attribute_value_map_of_the_mds() -> None:
    """The Attribute-Value-Map of the MDS arrives with the response to Get; the next association forgets it."""
    read = Read(OXIMETER)
    report = ScanReport(
        EventType.SCAN_REPORT_FIXED, bytes.fromhex("0002 0014 0000 000A 0055") + bytes.fromhex(CLOCK + "0001 0002 0062")
    )
    assert [one.value for one in read(report)] == [98.0]
    assert (read.mds, read.oddities) == ([], [Oddity.HANDLE_UNKNOWN])
    mapped = (AvaType(Attribute.ATTRIBUTE_VALUE_MAP, bytes.fromhex("0002 0008 099C 0002 0987 0008")),)
    read.octets(rlrq() + aarq(OXIMETER.config_id))
    read.octets(get_response(1, mapped))
    read.octets(scan_report(report, report_no=0))
    assert [(event.battery_percent, event.date_and_time) for event in read.mds] == [(85, minute(0))]


def test_device_identity_size_is_bounded_for_any_reported_attributes() -> None:
    identity = identity_of(b"\x11" * 8, (AvaType(Attribute.BATTERY_LEVEL, b"\x00\x55"),))
    for number in range(200):
        identity = changed(identity, ((0xF000 + number, bytes(1000)),))
    kept = sum(len(octets) for _, octets in identity.attributes)
    assert ATTRIBUTE_BYTES_MAX - 2000 < kept < ATTRIBUTE_BYTES_MAX
    assert changed(identity, ((Attribute.BATTERY_LEVEL, b"\x00\x10"),)).battery_percent == 16


# Objects.


@pytest.mark.parametrize(
    ("attribute", "octets"),
    [
        (ACCURACY, "FF000005"),
        (SOURCE_HANDLE, "000A"),
        (2681, "0002 0004 0001 000A"),
        (2680, "0102030405"),
        (2700, "00"),
        (THRESHOLD_TEXT, "0006 746F6F206C6F"),
        (2343, "0004 53704F32"),
        (2457, "0002 2520"),
        (UNKNOWN, ""),
        (UNKNOWN, "0102030405"),
    ],
)
def test_undecoded_attribute_beside_a_value_is_reported_once_with_its_attribute_id_and_bytes(
    attribute: int, octets: str
) -> None:
    read = Read(OXIMETER)
    stamp = (Attribute.TIME_STAMP_ABSOLUTE, CLOCK)
    report = variable_of(1, (attribute, octets), (Attribute.NU_BASIC, "0062"), stamp)
    assert [found.value for found in (*read(report), *read(report))] == [98.0, 98.0]
    assert read.carried == [AttributesReported(1, None, minute(0), ((attribute, bytes.fromhex(octets)),), 5.0)]
    assert read.sentences == []


def test_undecoded_attributes_in_an_attribute_value_map_are_reported() -> None:
    mapped = (Attribute.ATTRIBUTE_VALUE_MAP, "0002 0008 0A4C 0002 094A 0004")
    configuration = Configuration(0x4041, (with_attributes(OXIMETER.objects[0], mapped),))
    accuracy = AvaType(ACCURACY, bytes.fromhex("FF000005"))
    report = fixed_report(configuration, (Reading(1, 97.0, attributes=(accuracy,)),))
    read = Read(configuration)
    assert [found.value for found in read(report)] == [97.0]
    assert told(read) == [(1, None, ((ACCURACY, accuracy.attribute_value),))]


def test_attributes_are_reported_for_each_person_separately() -> None:
    read = Read(OXIMETER)
    report = variable_report(
        OXIMETER,
        [Reading(1, 97.0, person=person, attributes=(AvaType(UNKNOWN, b"\x07"),)) for person in (1, 2)],
    )
    read(report)
    read(report)
    assert told(read) == [(1, 1, ((UNKNOWN, b"\x07"),)), (1, 2, ((UNKNOWN, b"\x07"),))]


def test_every_attribute_change_among_reports_received_together_is_reported_in_order() -> None:
    read = Read(OXIMETER)
    apdus = [
        scan_report(
            variable_of(1, (UNKNOWN, f"{at // 3:02x}"), (Attribute.NU_BASIC, "0062")), report_no=at, invoke_id=at
        )
        for at in range(30)
    ]
    read.octets(apdus[0])
    assert len(read.octets(b"".join(apdus[1:]))) == 29
    assert [event.attributes[0][1] for event in read.carried] == [bytes([at]) for at in range(10)]


def test_measurement_status_without_a_value_is_reported_as_an_attribute() -> None:
    read = Read(OXIMETER)
    assert read(variable_of(1, (Attribute.MEASUREMENT_STATUS, "2000"))) == []
    assert told(read) == [(1, None, ((Attribute.MEASUREMENT_STATUS, b"\x20\x00"),))]
    assert read.manager.to_send() == report_response(0, EventType.SCAN_REPORT_VAR)


def test_report_that_contains_no_attributes_of_its_object_is_a_deviation() -> None:
    read = Read(OXIMETER)
    assert read(variable_of(1)) == []
    assert read.oddities == [Oddity.REPORT_WITHOUT_VALUE]


def test_unit_code_in_a_report_without_a_value_applies_to_later_values() -> None:
    read = Read(OXIMETER)
    assert read(variable_of(1, (Attribute.UNIT_CODE, "0200"))) == []
    assert [one.channel.unit for one in read(variable_of(1, (Attribute.NU_BASIC, "0062")))] == [Code(4, 512)]
    assert (read.carried, read.sentences) == ([], [])


def test_all_attributes_are_reported_when_they_exceed_the_number_of_remembered_attributes() -> None:
    read = Read(OXIMETER)
    for start in range(0, 2 * REMEMBERED_MAX, 256):
        read(variable_of(1, *((0x8000 + start + at, "00") for at in range(256)), (Attribute.NU_BASIC, "0062")))
    assert sum(len(event.attributes) for event in read.carried) == 2 * REMEMBERED_MAX


def test_long_attribute_is_reported_again_when_only_its_last_byte_changes() -> None:
    read = Read(OXIMETER)
    for last in ("00", "00", "01"):
        read(variable_of(1, (UNKNOWN, "AA" * 500 + last)))
    assert len(read.carried) == 2


def test_attributes_are_reported_again_in_a_new_association() -> None:
    read = Read(OXIMETER)
    report = variable_of(0, (Attribute.BATTERY_LEVEL, "0055"))
    read(report)
    read.octets(rlrq() + aarq(OXIMETER.config_id) + get_response(1))
    read.octets(scan_report(report))
    assert [event.battery_percent for event in read.mds] == [85, 85]


def test_clock_attribute_without_a_valid_date_is_kept_as_received() -> None:
    read = Read(OXIMETER)
    read(variable_of(0, (Attribute.DATE_AND_TIME, "20260A010A000000")))
    assert read.mds[0].date_and_time == DeviceTime(TimeKind.ABSOLUTE, bytes.fromhex("20260A010A000000"))
