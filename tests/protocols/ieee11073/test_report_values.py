"""Every kind of value in the reference (20601 §8.2 to §8.5) becomes an observation with its unit, status and time."""

from array import array

import pytest

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu.data import ConfigObject, ErrorValue
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import ava, numeric, waveform
from protocols.ieee11073.dim.report_values import FullEnumeration, FullNumeric, encoded_value
from protocols.ieee11073.dim.reports import Reading, fixed_report, variable_report
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import Observation, SampleFormat, Special
from protocols.uplink.block_values import TEXT_BYTES_MAX
from protocols.uplink.channels import channel_bytes
from tests.builders.ieee11073_apdus import roer
from tests.builders.ieee11073_devices import (
    ALARMS,
    BLOOD_PRESSURE,
    DIASTOLIC,
    ECG_I,
    MEAN,
    MILLIVOLT,
    MMHG,
    PERCENT,
    SPO2,
    STAMP,
    SYSTOLIC,
    ecg_configuration,
    minute,
)
from tests.builders.reports_reading import Read, variable_items, variable_of, with_attributes

OXIMETER = Configuration(0x4030, (numeric(1, SPO2, PERCENT),))
CELSIUS = Code(4, 6048)


def changed(item: ConfigObject, *attributes: tuple[int, str]) -> Configuration:
    return Configuration(0x4031, (with_attributes(item, *attributes),))


def one(configuration: Configuration, *attributes: tuple[int, str]) -> Observation:
    """Return the only observation in a report that has these attributes of object 1 in variable form."""
    read = Read(configuration)
    (found,) = read(variable_of(1, *attributes))
    assert read.sentences == []
    return found


# 8.2 Attributes common to all metric objects.


@pytest.mark.parametrize(
    ("attribute", "octets", "type_", "unit"),
    [
        (Attribute.TYPE, "0400 EE48", Code(1024, 61_000), PERCENT),
        (Attribute.METRIC_ID, "4A05", SYSTOLIC, PERCENT),
        (Attribute.UNIT_CODE, "F00D", SPO2, Code(4, 0xF00D)),
        (Attribute.UNIT_CODE, "0000", SPO2, None),
    ],
    ids=["type", "metric-id", "unknown-unit", "no-unit"],
)
def test_type_and_unit_attributes_of_the_configuration_or_of_a_report_apply_to_the_value(
    attribute: int, octets: str, type_: Code, unit: Code | None
) -> None:
    at_first = one(changed(OXIMETER.objects[0], (attribute, octets)), (Attribute.NU_BASIC, "0062"))
    later = one(OXIMETER, (Attribute.NU_BASIC, "0062"), (attribute, octets))
    for found in (at_first, later):
        assert (found.channel.type, found.channel.unit, found.value) == (type_, unit, 98.0)


def test_metric_id_is_resolved_in_the_metric_id_partition_of_the_object() -> None:
    renamed = changed(OXIMETER.objects[0], (Attribute.METRIC_ID, "1388"), (Attribute.METRIC_ID_PARTITION, "0080"))
    assert one(renamed, (Attribute.NU_BASIC, "0062")).channel.type == Code(128, 5000)


def test_supplemental_types_in_a_report_become_part_of_the_channel() -> None:
    found = one(OXIMETER, (Attribute.SUPPLEMENTAL_TYPES, "0002 0008 0002 4C3C 0400 0001"), (Attribute.NU_BASIC, "0062"))
    assert found.channel.supplemental_types == (Code(2, 19516), Code(1024, 1))


def test_measurement_status_of_a_report_is_kept_as_bits() -> None:
    assert one(OXIMETER, (Attribute.NU_BASIC, "0062"), (Attribute.MEASUREMENT_STATUS, "4821")).status == 0x4821


def test_measurement_status_bits_of_the_value_and_of_its_object_are_combined() -> None:
    read = Read(OXIMETER)
    report = variable_of(1, (Attribute.NU_OBSERVED, "4BB8 4000 0220 00000062"), (Attribute.MEASUREMENT_STATUS, "0020"))
    assert [found.status for found in (*read(report), *read(report))] == [0x4020, 0x4020]


@pytest.mark.parametrize(
    ("attribute", "octets", "kind"),
    [
        (Attribute.TIME_STAMP_ABSOLUTE, "2026030112000000", TimeKind.ABSOLUTE),
        (Attribute.TIME_STAMP_BASE_OFFSET, "D46740381314FED4", TimeKind.BASE_OFFSET),
        (Attribute.TIME_STAMP_RELATIVE, "00001F40", TimeKind.RELATIVE),
        (Attribute.TIME_STAMP_HIGH_RESOLUTION, "00000000000F4240", TimeKind.HIGH_RESOLUTION),
    ],
)
def test_absolute_time_stamp_is_used_when_a_report_has_two_time_stamps(
    attribute: int, octets: str, kind: TimeKind
) -> None:
    stamp = (attribute, octets)
    assert one(OXIMETER, stamp, (Attribute.NU_BASIC, "0062")).device_time == DeviceTime(kind, bytes.fromhex(octets))
    read = Read(OXIMETER)
    second = (Attribute.TIME_STAMP_ABSOLUTE, "2026030112050000")
    (found,) = read(variable_of(1, stamp, (Attribute.NU_BASIC, "0062"), second))
    if kind is not TimeKind.ABSOLUTE:
        assert found.device_time == minute(5)
    assert read.oddities == [Oddity.TIME_STAMP_SECOND]


def test_active_period_of_a_measurement_becomes_a_separate_observation() -> None:
    exercise = numeric(1, Code(128, 29152), PERCENT)
    mapped = (Attribute.ATTRIBUTE_VALUE_MAP, "0003 000C 0990 0008 0A59 0004 0A4C 0002")
    configuration = changed(exercise, mapped)
    report = fixed_report(configuration, (Reading(1, 40.0, minute(1), active_s=1800.0),))
    duration, intensity = Read(configuration)(report)
    assert (duration.channel.type, duration.channel.unit, duration.value) == (Code(1, 2649), Code(4, 2176), 1800.0)
    assert (intensity.channel.type, intensity.channel.unit, intensity.value) == (Code(128, 29152), PERCENT, 40.0)
    assert duration.device_time == intensity.device_time == minute(1)
    assert duration.channel.handle == intensity.channel.handle == 1


# 8.3 Numerics.


@pytest.mark.parametrize(
    ("attribute", "octets", "value"),
    [
        (Attribute.NU_BASIC, "F299", 66.5),
        (Attribute.NU_BASIC, "07FF", Special.NAN),
        (Attribute.NU_BASIC, "0802", Special.MINUS_INFINITY),
        (Attribute.NU_SIMPLE, "FF00016F", 36.7),
        (Attribute.NU_SIMPLE, "00FFFB2E", -1234.0),
        (Attribute.NU_SIMPLE, "00800000", Special.NRES),
    ],
)
def test_numeric_value_is_decoded_to_the_decimal_that_was_sent(attribute: int, octets: str, value: object) -> None:
    found = one(OXIMETER, (attribute, octets))
    assert (found.value, found.channel.unit) == (value, PERCENT)


@pytest.mark.parametrize(
    ("attribute", "octets"),
    [
        (Attribute.NU_COMPOUND_BASIC, "0003 0006 007A 0051 F3B1"),
        (Attribute.NU_COMPOUND_SIMPLE, "0003 000C 0000007A 00000051 FF0003B1"),
    ],
)
def test_compound_observation_has_its_values_in_the_order_of_the_metric_id_list(attribute: int, octets: str) -> None:
    found = one(BLOOD_PRESSURE, (attribute, octets))
    assert found.value == (122.0, 81.0, 94.5)
    assert (found.channel.components, found.channel.unit) == ((SYSTOLIC, DIASTOLIC, MEAN), MMHG)


def test_metric_id_list_in_a_report_applies_to_its_compound_value() -> None:
    found = one(
        BLOOD_PRESSURE,
        (Attribute.METRIC_ID_LIST, "0002 0004 4A07 4A05"),
        (Attribute.NU_COMPOUND_BASIC, "0002 0004 0051 007A"),
    )
    assert (found.channel.components, found.value) == ((MEAN, SYSTOLIC), (81.0, 122.0))


def test_compound_value_of_unconfigured_length_keeps_its_values_in_order() -> None:
    read = Read(BLOOD_PRESSURE)
    (found,) = read(variable_of(1, (Attribute.NU_COMPOUND_BASIC, "0002 0004 007A 0051")))
    assert found.value == (122.0, 81.0)
    assert read.oddities == [Oddity.COMPOUND_LENGTH]


def test_nu_observed_value_overrides_the_metric_and_unit_and_status_of_its_object() -> None:
    full = FullNumeric(19292, 6048, 36.7, status=0x4000)
    (found,) = Read(OXIMETER)(variable_report(OXIMETER, (Reading(1, full, minute(2)),)))
    assert (found.channel.type, found.channel.unit) == (Code(2, 19292), CELSIUS)
    assert (found.value, found.status, found.device_time) == (36.7, 0x4000, minute(2))


def test_components_of_a_compound_nu_observed_value_become_separate_observations() -> None:
    values = (FullNumeric(19292, 6048, 36.7), FullNumeric(18458, 2720, 61.0, status=0x2000))
    temperature, pulse = Read(OXIMETER)(variable_report(OXIMETER, (Reading(1, values, minute(2), person=3),)))
    assert (temperature.channel.unit, temperature.value, temperature.status) == (CELSIUS, 36.7, 0)
    assert (pulse.channel.unit, pulse.value, pulse.status) == (Code(4, 2720), 61.0, 0x2000)
    assert {temperature.channel.person, pulse.channel.person} == {3}
    assert {temperature.device_time, pulse.device_time} == {minute(2)}


# 8.4 Samples.


def test_unsigned_samples_are_masked_to_their_significant_bits() -> None:
    """Ten significant bits of sixteen; bits outside of the value carry marks (ext-val-range)."""
    lead = waveform(
        1,
        ECG_I,
        MILLIVOLT,
        period_s=0.004,
        samples=4,
        sample_format=SampleFormat.U16,
        physical=(-2.0, 2.0),
        raw=(0, 1000),
    )
    marked = changed(lead, (Attribute.SA_SPECIFICATION, "0004 10 0A 1000"))
    read = Read(marked)
    report = fixed_report(marked, (Reading(1, bytes.fromhex("FC00 01F4 83E8 07FF")),))
    for _ in range(2):
        (found,) = read(report)
        assert found.samples == bytes.fromhex("0000 01F4 03E8 03FF")
    assert (read.sentences, read.carried) == ([], [])


@pytest.mark.parametrize(
    "specification", ["0004 10 0A 2000", "0004 10 10 1000", "0004 10 FF 1000"], ids=["no-flag", "all-bits", "signed"]
)
def test_samples_without_masked_bits_are_kept_as_received(specification: str) -> None:
    lead = ecg_configuration(4).objects[0]
    configuration = changed(lead, (Attribute.SA_SPECIFICATION, specification))
    samples = bytes.fromhex("FC00 01F4 83E8 07FF")
    (found,) = Read(configuration)(fixed_report(configuration, (Reading(1, samples),)))
    assert found.samples == samples


def test_scale_attribute_that_matches_the_sample_width_is_used_when_an_object_has_several() -> None:
    lead = ecg_configuration(4).objects[0]
    both = changed(lead, (Attribute.SCALE_AND_RANGE_I8, "FFFFFFFF 00000001 80 7F"))
    found = one(both, (Attribute.SA_SIMPLE, "0008 F830 0000 07D0 0001"))
    assert found.channel.array is not None
    assert found.channel.array.slope == pytest.approx(0.001)


def test_scale_attribute_of_each_report_is_applied() -> None:
    configuration = ecg_configuration(2)
    read = Read(configuration)
    slopes = []
    for upper in (4, 8, 4, 16):
        scale = ava(Attribute.SCALE_AND_RANGE_I16, bytes.fromhex(f"00000000 {upper:08X} 0000 0400"))
        (found,) = read(variable_report(configuration, (Reading(1, b"\x00\x00\x04\x00", attributes=(scale,)),)))
        assert found.channel.array is not None
        slopes.append(found.channel.array.slope * 1024)
    assert slopes == [4.0, 8.0, 4.0, 16.0]
    (found,) = read(variable_report(configuration, (Reading(1, b"\x00\x00\x04\x00"),)))
    assert found.channel.array is not None
    assert found.channel.array.slope * 1024 == 16.0


def test_sample_period_attribute_of_a_report_is_applied() -> None:
    found = one(ecg_configuration(1), (Attribute.SAMPLE_PERIOD, "00000050"), (Attribute.SA_SIMPLE, "0002 0001"))
    assert found.channel.array is not None
    assert found.channel.array.period_s == 0.01


def test_all_samples_are_kept_with_a_deviation_when_their_count_was_not_announced() -> None:
    read = Read(ecg_configuration(4))
    (found,) = read(variable_of(1, (Attribute.SA_SIMPLE, "0004 0001 0002")))
    assert found.samples == bytes.fromhex("0001 0002")
    assert read.oddities == [Oddity.SAMPLES_COUNT]


def test_worked_ecg_sample_of_the_reference_is_scaled_to_one_millivolt() -> None:
    configuration = ecg_configuration(8, SampleFormat.U16, (0, 4000))
    samples = bytes.fromhex("07D007DC080308B60BC2071C07A807D1")
    (found,) = Read(configuration)(fixed_report(configuration, (Reading(1, samples),)))
    scale, raw = found.channel.array, array("H", samples)
    raw.byteswap()
    assert scale is not None
    assert [scale.slope * raw[at] + scale.offset for at in (0, 4)] == pytest.approx([0.0, 1.01])


# 8.5 Enumerations.


@pytest.mark.parametrize(
    ("handle", "attribute", "octets", "value"),
    [
        (1, Attribute.ENUM_SIMPLE_OID, "00C4", Code(10, 196)),
        (2, Attribute.ENUM_BASIC_BITS, "8001", 0x8001),
        (3, Attribute.ENUM_SIMPLE_BITS, "80000001", 0x8000_0001),
        (4, Attribute.ENUM_SIMPLE_STRING, "0006 6F6B00000000", "ok"),
        (4, Attribute.ENUM_SIMPLE_STRING, "0000", ""),
    ],
)
def test_enumeration_value_is_decoded_as_a_code_or_as_bits_or_as_text(
    handle: int, attribute: int, octets: str, value: object
) -> None:
    read = Read(ALARMS)
    (found,) = read(variable_of(handle, (attribute, octets)))
    assert (found.value, found.channel.unit) == (value, None)


@pytest.mark.parametrize("value", [Code(10, 196), "lead off", 0x8000_0001])
def test_enum_observed_value_overrides_metric_and_status_of_its_object(value: Code | str | int) -> None:
    full = FullEnumeration(500, value, status=0x0080)
    (found,) = Read(ALARMS)(variable_report(ALARMS, (Reading(1, full),)))
    assert (found.channel.type, found.value, found.status) == (Code(2, 500), value, 0x0080)


def test_enumeration_partition_in_a_report_applies_to_its_enumeration_code() -> None:
    found = one(ALARMS, (Attribute.ENUM_PARTITION, "0080"), (Attribute.ENUM_SIMPLE_OID, "7FFF"))
    assert found.value == Code(128, 0x7FFF)


# Attributes without a value.


@pytest.mark.parametrize(
    ("attribute", "octets"),
    [
        (Attribute.ENUM_OBSERVED, "0000 0000 0003 0002 BEEF"),
        (Attribute.NU_COMPOUND_BASIC, "0000 0000"),
        (Attribute.NU_COMPOUND, "0000 0000"),
        (Attribute.NU_COMPOUND_BASIC, "0100 0200" + "0001" * 256),
        (Attribute.ENUM_SIMPLE_STRING, "4002" + "41" * 0x4002),
        (Attribute.ENUM_OBSERVED, "0000 0000 0002 4004 4002" + "41" * 0x4002),
    ],
    ids=[
        "unknown-choice",
        "empty-compound",
        "empty-full-compound",
        "endless-compound",
        "endless-text",
        "endless-choice",
    ],
)
def test_undecodable_value_is_reported_as_a_raw_attribute_and_other_values_are_decoded(
    attribute: int, octets: str
) -> None:
    read = Read(ALARMS)
    (found,) = read(variable_items((1, ((attribute, octets),)), (2, ((Attribute.ENUM_BASIC_BITS, "0001"),))))
    assert found.value == 1
    assert read.oddities == [Oddity.VALUE_ABSENT]
    assert [event.attributes for event in read.carried] == [((attribute, bytes.fromhex(octets)),)]


def test_largest_decoded_values_and_channels_fit_the_uplink_encoding() -> None:
    """The longest text, the longest compound and too long lists of codes: each channel and value can be encoded."""
    codes = "0100 0400" + "0002 0001" * 256
    named = changed(BLOOD_PRESSURE.objects[0], (Attribute.SUPPLEMENTAL_TYPES, codes))
    read = Read(named)
    (found,) = read(variable_of(1, (Attribute.NU_COMPOUND_BASIC, "00FF 01FE" + "0001" * 255)))
    assert len(channel_bytes(found.channel)) > 0
    assert (found.channel.supplemental_types, len(found.channel.components)) == ((), 3)
    (text,) = Read(ALARMS)(variable_of(4, (Attribute.ENUM_SIMPLE_STRING, "3FFE" + "FF" * 0x3FFE)))
    assert isinstance(text.value, str)
    assert len(text.value.encode()) <= TEXT_BYTES_MAX


def test_enumeration_of_known_form_is_decoded_after_an_enumeration_of_unknown_form() -> None:
    read = Read(ALARMS)
    assert read(variable_of(1, (Attribute.ENUM_OBSERVED, "0000 0000 0003 0002 00C4"))) == []
    (found,) = read(variable_of(1, (Attribute.ENUM_OBSERVED, "0000 0000 0001 0002 00C4")))
    assert found.value == Code(10, 196)


def test_report_with_a_value_of_wrong_length_is_reported_as_unreadable() -> None:
    read = Read(OXIMETER)
    assert read(variable_of(1, (Attribute.NU_BASIC, "00620062"))) == []
    assert read.oddities == [Oddity.REPORT_UNREADABLE]


def test_refused_report_does_not_change_the_unit_of_later_reports() -> None:
    read = Read(Configuration(0x4032, (numeric(1, SPO2, PERCENT),)))
    broken = variable_items((1, ((Attribute.UNIT_CODE, "1234"), (Attribute.NU_BASIC, "0062 0062"))))
    assert read(broken) == []
    (found,) = read(variable_of(1, (Attribute.NU_BASIC, "0062")))
    assert found.channel.unit == PERCENT
    assert roer(0, ErrorValue.NO_SUCH_OBJECT_INSTANCE) not in read.manager.to_send()


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Attribute.NU_BASIC, "text"),
        (Attribute.NU_COMPOUND_BASIC, (FullNumeric(1, 2, 3.0),)),
        (Attribute.NU_COMPOUND, (1.0, 2.0)),
        (Attribute.ENUM_BASIC_BITS, 0x1_0000),
        (Attribute.NU_OBSERVED, FullNumeric(0x1_0000, 2, 3.0)),
    ],
)
def test_encoding_a_value_of_wrong_type_is_a_local_protocol_error(attribute: int, value: object) -> None:
    with pytest.raises(LocalProtocolError):
        encoded_value(attribute, value)  # type: ignore[arg-type]  # the wrong type is the test


def test_observation_without_a_time_stamp_has_no_device_time() -> None:
    assert one(changed(numeric(1, SPO2, PERCENT, time_stamp=STAMP)), (Attribute.NU_BASIC, "0062")).device_time is None
