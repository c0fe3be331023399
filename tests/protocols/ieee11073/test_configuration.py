"""A configuration is converted to channels, even if attributes are missing or contradict each other.

A remembered configuration is the same as the one that was received.
"""

import pytest

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.apdu.data import ConfigObject
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.notes import KINDS_MAX, Notes
from protocols.ieee11073.dim.objects import ava, numeric
from protocols.ieee11073.dim.reports import Reading, fixed_report, grouped_report, variable_report
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.specializations import STANDARD_CONFIGURATIONS, standard_configuration
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import Channel, SampleFormat
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import (
    ALARMS,
    BLOOD_PRESSURE,
    OXIMETER,
    PERCENT,
    SPO2,
    ecg_configuration,
    minute,
)

ECG_TYPE = ava(Attribute.TYPE, bytes.fromhex("0002 0101"))
PERIOD = ava(Attribute.SAMPLE_PERIOD, 32, 4)


def channel(*attributes: object, object_class: int = ObjectClass.RT_SA) -> tuple[Channel, list[str]]:
    """Return the channel of an object with these attributes, and the descriptions of the deviations found in them."""
    notes = Notes()
    model = DeviceModel(Configuration(0x4001, (ConfigObject(object_class, 1, attributes),)), notes)  # type: ignore[arg-type]  # AVAs
    (found,) = model.channels
    return found, [note.sentence for note in notes.drain()]


@pytest.mark.parametrize("configuration", [*STANDARD_CONFIGURATIONS, OXIMETER, BLOOD_PRESSURE, ALARMS])
def test_encoded_configuration_is_decoded_to_the_same_configuration(configuration: Configuration) -> None:
    assert Configuration.decode(configuration.config_id, configuration.encoded) == configuration


def test_standard_blood_pressure_configuration_equals_the_worked_example() -> None:
    """The object list in the sample E5, which an independent stack encoded."""
    pressure = standard_configuration(0x02BC)
    assert pressure is not None
    assert pressure.encoded == apdu("e5")[24:]


def test_extended_ecg_configuration_decodes_to_its_lead_and_heart_rate() -> None:
    model = DeviceModel(Configuration.decode(0x4000, apdu("e14")[24:]), Notes())
    lead, rate = model.channels
    assert lead.array is not None
    assert (lead.array.format, lead.array.period_s) == (SampleFormat.U16, 0.004)
    assert lead.array.slope * 3010 + lead.array.offset == pytest.approx(1.01)
    assert (rate.type, rate.array) == (Code(2, 16770), None)


def test_waveform_without_a_scale_attribute_has_slope_1_and_offset_0() -> None:
    found, told = channel(ECG_TYPE, PERIOD, ava(Attribute.SA_SPECIFICATION, bytes.fromhex("0008 10FF 0000")))
    assert found.array is not None
    assert (found.array.format, found.array.slope, found.array.offset) == (SampleFormat.I16, 1.0, 0.0)
    assert told == []


def test_waveform_without_a_sample_specification_takes_the_sample_width_of_its_scale() -> None:
    scale = ava(Attribute.SCALE_AND_RANGE_I8, bytes.fromhex("00000000 00000064 00 C8"))
    found, _ = channel(ECG_TYPE, PERIOD, scale)
    assert found.array is not None
    assert (found.array.format, found.array.slope) == (SampleFormat.U8, 0.5)


@pytest.mark.parametrize(
    ("scale", "sentence"),
    [
        ("00000000 00000064 0000 0000", "the waveform with handle 1 has no usable scale"),
        ("007FFFFF 00000064 0000 0FA0", "the waveform with handle 1 has no usable scale"),
        (
            "00000000 00000064 0000",
            "the scale of the waveform with handle 1 cannot be read: 2 bytes are due and 0 are left",
        ),
    ],
    ids=["empty-range", "not-a-number", "too-short"],
)
def test_invalid_waveform_scale_is_not_applied_and_is_reported_as_a_deviation(scale: str, sentence: str) -> None:
    found, told = channel(ECG_TYPE, PERIOD, ava(Attribute.SCALE_AND_RANGE_I16, bytes.fromhex(scale)))
    assert found.array is not None
    assert (found.array.slope, found.array.offset) == (1.0, 0.0)
    assert told == [sentence]


def test_samples_of_12_bits_are_kept_as_unscaled_bytes() -> None:
    found, told = channel(ECG_TYPE, PERIOD, ava(Attribute.SA_SPECIFICATION, bytes.fromhex("0008 0C0C 0000")))
    assert found.array is not None
    assert (found.array.format, found.array.slope) == (SampleFormat.U8, 1.0)
    assert told == ["the waveform with handle 1 has samples of 12 bits"]


def test_configured_object_without_attributes_has_unknown_type_and_no_unit() -> None:
    found, told = channel(object_class=ObjectClass.NUMERIC)
    assert (found.type, found.unit, found.components) == (Code(0, 0), None, ())
    assert told == ["the object with handle 1 has no Type"]


def test_malformed_configuration_attributes_are_treated_as_absent() -> None:
    broken = (
        ava(Attribute.TYPE, b"\x00\x02\x4b"),
        ava(Attribute.UNIT_CODE, b"\x02"),
        ava(Attribute.METRIC_ID_LIST, b"\x00\x05\x00\x00"),
    )
    found, told = channel(*broken, object_class=ObjectClass.NUMERIC)
    assert (found.type, found.unit, found.components) == (Code(0, 0), None, ())
    assert len(told) == 4


@pytest.mark.parametrize(
    "octets",
    [
        "0001 0008 0006 0001 0001 0004",
        "0002 0010 0006 0001 0000 0000 0006 0001 0000 0000",
        "0001 0008 0025 0000 0000 0000",
        "0001 000E 0006 0001 0001 0006 0A55 0002 0001",
    ],
    ids=["cut", "one-handle-twice", "the-mds", "broken-value-map"],
)
def test_configuration_with_a_malformed_object_list_is_refused(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Configuration.decode(0x4001, bytes.fromhex(octets))


def test_deviations_are_reported_once_per_kind_up_to_a_maximum_number() -> None:
    notes = Notes()
    for number in range(200):
        notes.add(Oddity.TYPE_MISSING, bytes(1000), handle=number)
        notes.add(Oddity.TYPE_MISSING, handle=number)
    told = notes.drain()
    assert len(told) == KINDS_MAX + 1
    assert told[-1].sentence == "further deviations of this association are not listed"
    assert max(len(note.octets) for note in told) == 256
    assert notes.drain() == []


def test_oldest_remembered_configuration_is_dropped_when_the_limit_is_reached() -> None:
    remembered = RememberedConfigurations()
    for number in range(300):
        remembered.remember(number.to_bytes(8, "big"), 0x4001, b"octets")
    assert remembered.find((43).to_bytes(8, "big"), 0x4001) is None
    assert remembered.find((44).to_bytes(8, "big"), 0x4001) == b"octets"


# Readings that an agent cannot encode.


@pytest.mark.parametrize(
    "readings",
    [
        [Reading(1, 97.0)],
        [Reading(99, 97.0, minute(0))],
        [Reading(1, "97", minute(0))],
    ],
    ids=["without-its-time", "no-such-object", "a-text-for-a-number"],
)
def test_encoding_a_report_that_the_configuration_does_not_declare_is_a_local_protocol_error(
    readings: list[Reading],
) -> None:
    with pytest.raises(LocalProtocolError):
        fixed_report(OXIMETER, readings)


def test_encoding_a_time_stamp_outside_the_attribute_value_map_is_a_local_protocol_error() -> None:
    with pytest.raises(LocalProtocolError):
        fixed_report(Configuration(0x4001, (numeric(1, SPO2, PERCENT),)), [Reading(1, 97.0, minute(0))])


def test_encoding_a_grouped_report_without_one_of_its_objects_is_a_local_protocol_error() -> None:
    with pytest.raises(LocalProtocolError):
        grouped_report(ecg_configuration(2), 3, [[Reading(2, 70.0)]])


def test_sample_array_of_undeclared_length_is_encoded_only_in_a_variable_format_report() -> None:
    configuration = ecg_configuration(samples=8)
    short = [Reading(1, bytes(8))]
    with pytest.raises(LocalProtocolError):
        fixed_report(configuration, short)
    assert variable_report(configuration, short).observations.endswith(b"\x00\x08" + bytes(8))
