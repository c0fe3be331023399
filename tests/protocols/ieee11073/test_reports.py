"""Every form of scan report becomes observations; known irregularities of devices are tolerated and noted."""

import time
from array import array

import pytest

from protocols.device_time import DeviceTime, TimeKind
from protocols.ieee11073.apdu.attributes import AttrValMapEntry, AvaType, HandleAttrValMapEntry
from protocols.ieee11073.apdu.data import ConfigObject, ErrorValue, EventType, RejectProblem
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import ava, numeric, waveform
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, variable_report
from protocols.ieee11073.mder import encode_list
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import SampleFormat, Special
from tests.builders.ieee11073_apdus import roer, rorj
from tests.builders.ieee11073_devices import (
    ALARMS,
    BLOOD_PRESSURE,
    BPM,
    DIASTOLIC,
    ECG_I,
    MEAN,
    MILLIVOLT,
    MMHG,
    OXIMETER,
    PERCENT,
    PULSE,
    SPO2,
    SYSTOLIC,
    ecg_configuration,
    minute,
)
from tests.builders.reports_reading import Read

FIXED, VARIABLE = EventType.SCAN_REPORT_FIXED, EventType.SCAN_REPORT_VAR


def fixed(items: str) -> ScanReport:
    return ScanReport(FIXED, bytes.fromhex(items))


def variable(items: str) -> ScanReport:
    return ScanReport(VARIABLE, bytes.fromhex(items))


# The forms.


def test_observation_has_a_value_and_a_unit_code_and_a_device_time_and_a_reception_time() -> None:
    read = Read(OXIMETER)
    spo2, pulse = read(fixed_report(OXIMETER, (Reading(1, 97.5, minute(3)), Reading(10, 60.0, minute(4)))))
    assert (spo2.channel.type, spo2.channel.unit, spo2.value) == (SPO2, PERCENT, 97.5)
    assert (pulse.channel.type, pulse.channel.unit, pulse.value) == (PULSE, BPM, 60.0)
    assert (spo2.device_time, pulse.device_time) == (minute(3), minute(4))
    assert (spo2.received_s, spo2.status, spo2.samples) == (5.0, 0, None)


def test_observations_of_one_object_share_their_channel() -> None:
    read = Read(OXIMETER)
    readings = (Reading(1, 97.0, minute(0)), Reading(10, 60.0, minute(0)))
    first, second = read(fixed_report(OXIMETER, readings)), read(variable_report(OXIMETER, readings))
    assert [one.channel for one in first] == [one.channel for one in second]
    assert first[0].channel is second[0].channel


def test_compound_observation_has_its_components_in_order_and_its_status() -> None:
    read = Read(BLOOD_PRESSURE)
    (pressure,) = read(variable_report(BLOOD_PRESSURE, (Reading(1, (122.0, 81.0, 94.5), minute(0), 0x4000),)))
    assert pressure.value == (122.0, 81.0, 94.5)
    assert pressure.channel.components == (SYSTOLIC, DIASTOLIC, MEAN)
    assert (pressure.channel.unit, pressure.status) == (MMHG, 0x4000)


def test_enumerations_are_decoded_as_codes_or_as_bits_or_as_text() -> None:
    read = Read(ALARMS)
    readings = (Reading(1, Code(10, 196)), Reading(2, 0x8001), Reading(3, 0x8000_0001), Reading(4, "lead off"))
    found = read(variable_report(ALARMS, readings))
    assert [one.value for one in found] == [Code(10, 196), 0x8001, 0x8000_0001, "lead off"]
    assert [one.channel.unit for one in found] == [None] * 4


@pytest.mark.parametrize("special", list(Special))
def test_every_special_value_is_decoded_as_a_distinct_value(special: Special) -> None:
    read = Read(OXIMETER)
    found = read(fixed_report(OXIMETER, (Reading(1, special, minute(0)), Reading(10, 60.0, minute(0)))))
    assert [one.value for one in found] == [special, 60.0]


def test_nu_observed_value_has_its_own_type_and_unit_and_status() -> None:
    read = Read(OXIMETER)
    (found,) = read(variable("0001 0014 0001 0001 000E 0950 000A 4B5C 4000 17A0 FF00016F"))
    assert (found.channel.type, found.channel.unit, found.value) == (Code(2, 19292), Code(4, 6048), 36.7)
    assert (found.channel.handle, found.status) == (1, 0x4000)


def test_compound_nu_observed_value_becomes_one_observation_per_component() -> None:
    read = Read(OXIMETER)
    found = read(
        variable("0001 0022 0001 0001 001C 094B 0018 0002 0014 4A05 0000 0F20 00000078 4A06 0000 0F20 00000050")
    )
    assert [(one.channel.type, one.value) for one in found] == [(SYSTOLIC, 120.0), (DIASTOLIC, 80.0)]


@pytest.mark.parametrize(
    ("choice", "value"),
    [("0001 0002 00C4", Code(10, 196)), ("0002 0006 0004 6F6B2020", "ok"), ("0010 0004 80000000", 0x8000_0000)],
)
def test_enum_observed_value_is_decoded_in_the_form_named_by_its_choice_field(choice: str, value: object) -> None:
    octets = bytes.fromhex("0000 0000" + choice)
    item = b"\x09\x9e" + len(octets).to_bytes(2, "big") + octets
    items = bytes.fromhex("0001 0001") + len(item).to_bytes(2, "big") + item
    (found,) = Read(ALARMS)(ScanReport(VARIABLE, b"\x00\x01" + len(items).to_bytes(2, "big") + items))
    assert found.value == value


@pytest.mark.parametrize(
    ("sample_format", "raw", "octets"),
    [
        (SampleFormat.U8, (0, 200), "00 64 C8 FF"),
        (SampleFormat.I8, (-100, 100), "9C 00 64 7F"),
        (SampleFormat.U16, (0, 4000), "0000 07D0 0FA0 FFFF"),
        (SampleFormat.I16, (-2000, 2000), "F830 0000 07D0 7FFF"),
        (SampleFormat.U32, (0, 4000), "00000000 000007D0 00000FA0 FFFFFFFF"),
        (SampleFormat.I32, (-2000, 2000), "FFFFF830 00000000 000007D0 7FFFFFFF"),
    ],
)
def test_samples_are_kept_as_received_with_the_scale_to_physical_values(
    sample_format: SampleFormat, raw: tuple[int, int], octets: str
) -> None:
    configuration = ecg_configuration(4, sample_format, raw)
    (found,) = Read(configuration)(fixed_report(configuration, (Reading(1, bytes.fromhex(octets)),)))
    scale = found.channel.array
    assert scale is not None
    assert (found.samples, found.value) == (bytes.fromhex(octets), None)
    assert (scale.format, scale.period_s) == (sample_format, 0.004)
    samples = array(sample_format.value if sample_format.width_bytes < 4 else sample_format.value.replace("l", "i"))
    samples.frombytes(bytes.fromhex(octets))
    samples.byteswap()
    physical = [scale.slope * sample + scale.offset for sample in samples[:3]]
    assert physical == pytest.approx([-2.0, 0.0, 2.0])


@pytest.mark.parametrize(
    ("attribute", "octets", "kind"),
    [
        ("0990", "2026030112000000", TimeKind.ABSOLUTE),
        ("0A82", "D46740381314FED4", TimeKind.BASE_OFFSET),
        ("0991", "00001F40", TimeKind.RELATIVE),
        ("09E9", "00000000000F4240", TimeKind.HIGH_RESOLUTION),
    ],
)
def test_time_stamp_of_each_kind_is_kept_as_received(attribute: str, octets: str, kind: TimeKind) -> None:
    stamp = bytes.fromhex(octets)
    attributes = bytes.fromhex("0A4C 0002 0062" + attribute) + len(stamp).to_bytes(2, "big") + stamp
    items = bytes.fromhex("0001 0002") + len(attributes).to_bytes(2, "big") + attributes
    (found,) = Read(OXIMETER)(ScanReport(VARIABLE, b"\x00\x01" + len(items).to_bytes(2, "big") + items))
    assert found.device_time == DeviceTime(kind, stamp)


def test_absolute_time_stamp_is_preferred_to_a_relative_time_stamp() -> None:
    (found,) = Read(OXIMETER)(
        variable("0001 0020 0001 0003 001A 0991 0004 00001F40 0A4C 0002 0062 0990 0008 2026030112000000")
    )
    assert found.device_time == minute(0)


def test_impossible_date_in_a_time_stamp_is_kept_as_received() -> None:
    read = Read(OXIMETER)
    (found,) = read(variable("0001 0018 0001 0002 0012 0A4C 0002 0062 0990 0008 202603010A000000"))
    assert found.device_time is not None
    assert found.device_time.octets.hex() == "202603010a000000"
    (found,) = read(variable("0001 0018 0001 0002 0012 0A4C 0002 0062 0990 0008 20260A010A000000"))
    assert found.device_time is not None
    assert found.device_time.text() == "abs:0x20260a010a000000"


def test_several_stored_values_of_one_handle_in_a_report_are_all_decoded() -> None:
    read = Read(OXIMETER)
    readings = [Reading(1, 90.0 + at, minute(at)) for at in range(5)]
    found = read(fixed_report(OXIMETER, readings))
    assert [(one.value, one.device_time) for one in found] == [(90.0 + at, minute(at)) for at in range(5)]


# Meaning that changes.


def test_unit_code_in_a_report_applies_to_its_value_and_all_later_values() -> None:
    read = Read(OXIMETER)
    plain = variable_report(OXIMETER, (Reading(1, 97.0),))
    changed = variable_report(OXIMETER, (Reading(1, 0.97),), extra={1: [ava(Attribute.UNIT_CODE, 512)]})
    units = [read(report)[0].channel.unit for report in (plain, changed, plain, changed, plain)]
    assert units == [PERCENT, Code(4, 512), Code(4, 512), Code(4, 512), Code(4, 512)]


def test_scale_attribute_in_a_report_applies_to_its_samples() -> None:
    configuration = ecg_configuration(samples=2)
    read = Read(configuration)
    scale = bytes.fromhex("00FFFFFC 00000004 F830 07D0")
    report = variable_report(
        configuration,
        (Reading(1, b"\x00\x00\x07\xd0"),),
        extra={1: [ava(Attribute.SCALE_AND_RANGE_I16, scale)]},
    )
    (found,) = read(report)
    assert found.channel.array is not None
    assert found.channel.array.slope == pytest.approx(8 / 4000)


# Irregular habits, reported once and tolerated.


def test_trailing_bytes_beyond_the_value_map_become_the_time_stamp_if_they_are_a_date() -> None:
    read = Read(Configuration(0x4010, (numeric(1, SPO2, PERCENT),)))
    report = fixed("0001 000E 0001 000A 0062 2026030112000000")
    assert read(report)[0].device_time == minute(0)
    assert read(report)[0].device_time == minute(0)
    assert read.sentences == ["observations of handle 1 end with a time that their map does not declare"]


def test_trailing_bytes_beyond_the_value_map_are_ignored_with_a_deviation_if_they_are_no_date() -> None:
    read = Read(Configuration(0x4010, (numeric(1, SPO2, PERCENT),)))
    (found,) = read(fixed("0001 0008 0001 0004 0062 BEEF"))
    assert (found.value, found.device_time) == (98.0, None)
    assert read.sentences == ["observations of handle 1 are longer than their map"]


def test_observation_shorter_than_its_value_map_keeps_its_complete_values() -> None:
    read = Read(OXIMETER)
    (found,) = read(fixed("0001 0006 0001 0002 0062"))
    assert (found.value, found.device_time) == (98.0, None)
    assert read.sentences == ["observations of handle 1 are shorter than their map"]


def test_unconfigured_object_in_a_report_is_a_deviation_and_the_other_objects_are_decoded() -> None:
    read = Read(OXIMETER)
    (found,) = read(fixed("0002 0014 0007 0002 0062 0001 000A 0061 2026030112000000"))
    assert (found.channel.handle, found.value) == (1, 97.0)
    assert read.sentences == ["a report has observations of handle 7, but its configuration has no such object"]


def test_report_with_only_unconfigured_objects_is_refused() -> None:
    read = Read(OXIMETER)
    assert read(fixed("0001 0006 0007 0002 0062")) == []
    assert read.manager.to_send() == roer(0, ErrorValue.NO_SUCH_OBJECT_INSTANCE)


def test_unknown_attributes_beside_a_value_are_skipped_by_their_length() -> None:
    (found,) = Read(OXIMETER)(variable("0001 0015 0001 0002 000F F123 0005 0102030405 0A4C 0002 0062"))
    assert found.value == 98.0


def test_scanner_report_of_an_unconfigured_object_is_refused_with_a_deviation() -> None:
    mapped = encode_list((HandleAttrValMapEntry(7, (AttrValMapEntry(Attribute.NU_BASIC, 2),)),))
    scanner = ConfigObject(ObjectClass.PERIODIC_SCANNER, 3, (AvaType(Attribute.SCAN_HANDLE_ATTR_VAL_MAP, mapped),))
    read = Read(Configuration(0x4011, (*OXIMETER.objects, scanner)))
    assert read(ScanReport(EventType.BUF_SCAN_REPORT_FIXED, bytes.fromhex("0001 0006 0007 0002 0062"), 3)) == []
    assert read(ScanReport(EventType.BUF_SCAN_REPORT_GROUPED, bytes.fromhex("0001 0004 0002 0062"), 3)) == []
    assert read.manager.to_send() == roer(0, ErrorValue.NO_SUCH_OBJECT_INSTANCE) + roer(
        1, ErrorValue.NO_SUCH_OBJECT_INSTANCE
    )
    assert read.sentences == [
        "a report has observations of handle 7, but its configuration has no such object",
        "a scanner reports handle 7, which the configuration lacks",
    ]


def test_sample_bytes_that_end_within_a_sample_are_cut_to_whole_samples() -> None:
    configuration = Configuration(
        0x4012, (waveform(1, ECG_I, MILLIVOLT, period_s=0.004, samples=2, physical=(-2, 2), raw=(-2000, 2000)),)
    )
    read = Read(configuration)
    (found,) = read(variable("0001 000F 0001 0001 0009 0A48 0005 0003 000102"))
    assert found.samples == b"\x00\x01"
    assert read.sentences == ["the samples of handle 1 end inside a sample"]


def test_object_with_unknown_type_and_unit_codes_keeps_their_numbers() -> None:
    read = Read(Configuration(0x4013, (numeric(1, Code(1024, 61_000), Code(4, 9999)),)))
    (found,) = read(fixed("0001 0006 0001 0002 0062"))
    assert (found.channel.type, found.channel.unit) == (Code(1024, 61_000), Code(4, 9999))


def test_metric_id_and_metric_id_partition_replace_the_type_of_the_object() -> None:
    plain = numeric(1, SPO2, PERCENT)
    renamed = ConfigObject(
        plain.obj_class,
        1,
        (*plain.attributes, ava(Attribute.METRIC_ID, 5000), ava(Attribute.METRIC_ID_PARTITION, 1024)),
    )
    (found,) = Read(Configuration(0x4014, (renamed,)))(fixed("0001 0006 0001 0002 0062"))
    assert found.channel.type == Code(1024, 5000)


@pytest.mark.parametrize(
    ("item", "count"),
    [
        ("0001 0001 0006 0A4C 0002 0062", 5000),
        ("0001 0002 0012 0A4C 0002 0062 0990 0008 20260301120000", 2600),
        ("0001 0001 0007 0A48 0003 0001 55", 4600),
        ("0007 0001 0006 0A4C 0002 0062", 5000),
    ],
    ids=["values", "values-each-with-its-time", "arrays-that-end-inside-a-sample", "unknown-objects"],
)
def test_largest_report_is_decoded_in_linear_time(item: str, count: int) -> None:
    """A report of 64 KiB of the smallest items; the limit is far above linear cost and far below quadratic cost."""
    one = bytes.fromhex(item)
    stamped = len(one) == 23
    items = b"".join(one + bytes([number % 100]) if stamped else one for number in range(count))
    report = ScanReport(VARIABLE, count.to_bytes(2, "big") + len(items).to_bytes(2, "big") + items)
    read = Read(ecg_configuration(samples=2))
    begun_s = time.process_time()
    read(report)
    read(report)
    assert time.process_time() - begun_s < 3.0
    assert len(read.sentences) < 10


@pytest.mark.parametrize(
    "items",
    [
        "0001 0007 0001 0002 0062",
        "0002 0006 0001 0002 0062",
        "0001 0006 0001 0003 0062",
        "0001 0005 0001 0002 00",
    ],
    ids=["list-too-long", "count-too-high", "value-too-long", "list-too-short"],
)
def test_report_with_contradictory_lengths_is_rejected_as_badly_structured(items: str) -> None:
    read = Read(Configuration(0x4010, (numeric(1, SPO2, PERCENT),)))
    assert read(fixed(items)) == []
    assert read.manager.to_send() == rorj(0, RejectProblem.BADLY_STRUCTURED_APDU)
