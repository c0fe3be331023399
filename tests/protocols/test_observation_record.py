"""An observation as a record: its identity, time, uncertainty and JSON form (DESIGN §5)."""

import pytest

from protocols.device_time import DeviceTime, TimeKind
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, SampleArray, SampleFormat, Special
from protocols.observation_record import ObservationRecord, raw_samples, records_of, to_json, utc_text
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations, DeviceRef
from tests.builders.uplink_blocks import ALARM, BLOOD_PRESSURE, NOON, OXIMETER, observation, section, waveform

HOUR_US = 3_600_000_000
NOON_US = 1_795_608_000_000_000


def records(*sections: DeviceObservations) -> list[ObservationRecord]:
    return list(records_of(sections, gateway="gw_test", epoch="epoch-1", lane=Lane.NUMERIC, sequence=12))


def record(one: DeviceObservations) -> ObservationRecord:
    return records(one)[0]


def test_observation_record_in_json_has_the_specified_fields():
    document = to_json(record(section(observation(98.0, device_time=NOON, status=0x4000))))
    assert list(document) == [
        "gateway", "epoch", "lane", "sequence", "index", "device", "handle", "person", "type", "value", "unit",
        "samples", "slope", "offset", "sample_period_s", "status", "flags", "device_time", "observed_at",
        "uncertainty_ms", "wall_synchronised", "received_at", "encounter_id",
    ]  # fmt: skip
    assert document == {
        "gateway": "gw_test",
        "epoch": "epoch-1",
        "lane": "numeric",
        "sequence": 12,
        "index": 0,
        "device": {"system_id": "1122334455667788", "model": "Oximeter of nobody"},
        "handle": 1,
        "person": None,
        "type": "MDC_PULS_OXIM_SAT_O2",
        "value": 98.0,
        "unit": "MDC_DIM_PERCENT",
        "samples": None,
        "slope": None,
        "offset": None,
        "sample_period_s": None,
        "status": ["questionable"],
        "flags": [],
        "device_time": "2026-11-25T12:00:00.000",
        "observed_at": "2025-11-25T12:00:10.000000Z",
        "uncertainty_ms": 0,
        "wall_synchronised": True,
        "received_at": "2025-11-25T12:00:10.000000Z",
        "encounter_id": None,
    }


def test_record_index_continues_across_all_sections_of_a_batch():
    other = DeviceRef(system_id="aabbccddeeff0011", model="")
    both = records(section(observation(1.0), observation(2.0)), section(observation(3.0), device=other))
    assert [(each.index, each.device) for each in both] == [(0, OXIMETER), (1, OXIMETER), (2, other)]


def test_device_time_is_corrected_by_a_known_device_offset():
    corrected = record(section(observation(device_time=NOON), device_offset_us=-HOUR_US, uncertainty_us=150_001))
    assert corrected.device_local_us == NOON_US
    assert corrected.observed_at_us == NOON_US - HOUR_US
    document = to_json(corrected)
    assert document["observed_at"] == "2026-11-25T11:00:00.000000Z"
    assert document["device_time"] == "2026-11-25T12:00:00.000"
    assert document["uncertainty_ms"] == 151


def test_device_clock_offset_of_zero_is_applied():
    assert record(section(observation(device_time=NOON), device_offset_us=0)).observed_at_us == NOON_US


@pytest.mark.parametrize(
    "device_time",
    [None, DeviceTime(TimeKind.ABSOLUTE, bytes.fromhex("2026112512000a00"))],
    ids=["absent", "unreadable"],
)
def test_observation_without_readable_device_time_has_the_reception_time(device_time: DeviceTime | None):
    one = record(section(observation(device_time=device_time), device_offset_us=-HOUR_US))
    assert one.device_local_us is None
    assert one.observed_at_us == one.received_at_us


@pytest.mark.parametrize("special", Special)
def test_special_values_become_strings_in_json(special: Special):
    assert to_json(record(section(observation(special))))["value"] == special.value


def test_compound_value_becomes_a_json_object_keyed_by_component_type():
    one = record(section(observation((120.0, 80.0, Special.NRES), channel=BLOOD_PRESSURE)))
    assert to_json(one)["value"] == {
        "MDC_PRESS_BLD_NONINV_SYS": 120.0,
        "MDC_PRESS_BLD_NONINV_DIA": 80.0,
        "MDC_PRESS_BLD_NONINV_MEAN": "NRes",
    }


def test_repeated_and_unnamed_components_of_a_compound_value_are_kept_in_json():
    twice = Channel(handle=1, type=Code(2, 1), components=(Code(2, 18949), Code(2, 18949)))
    one = record(section(observation((1.0, 2.0, 3.0), channel=twice)))
    assert to_json(one)["value"] == {"MDC_PRESS_BLD_NONINV_SYS": 1.0, "MDC_PRESS_BLD_NONINV_SYS#2": 2.0, "#3": 3.0}


@pytest.mark.parametrize(
    ("value", "expected"), [(0x8001, 0x8001), ("lead off", "lead off"), (Code(2, 19384), "MDC_PULS_OXIM_SAT_O2")]
)
def test_enumeration_is_written_in_json_as_bits_or_as_text_or_as_code_name(value: object, expected: object):
    assert to_json(record(section(observation(value, channel=ALARM))))["value"] == expected


def test_unknown_nomenclature_code_becomes_its_number_in_json():
    document = to_json(record(section(observation(1.0, channel=Channel(handle=1, type=Code(2, 61731))))))
    assert document["type"] == "2:61731"
    assert document["unit"] is None


def test_samples_become_raw_integers_with_their_scale_in_json():
    document = to_json(record(section(waveform(b"\x00\x01\x7f\xff\x80\x00"))))
    assert document["samples"] == [1, 32767, -32768]
    assert (document["slope"], document["offset"], document["sample_period_s"]) == (0.5, -1.0, 0.008)
    assert document["value"] is None


@pytest.mark.parametrize(
    ("sample_format", "octets", "expected"),
    [
        (SampleFormat.I8, b"\x80\x7f", [-128, 127]),
        (SampleFormat.U8, b"\x80\x7f", [128, 127]),
        (SampleFormat.U16, b"\x80\x00", [32768]),
        (SampleFormat.I32, b"\xff\xff\xff\xfe", [-2]),
        (SampleFormat.U32, b"\xff\xff\xff\xfe", [4294967294]),
        (SampleFormat.I16, b"\x00\x05\x00", [5]),
    ],
)
def test_samples_of_every_width_are_decoded_big_endian(sample_format: SampleFormat, octets: bytes, expected: list[int]):
    channel = Channel(
        handle=1, type=Code(2, 1), array=SampleArray(format=sample_format, period_s=0.01, slope=1.0, offset=0.0)
    )
    assert list(raw_samples(record(section(waveform(octets, channel=channel))))) == expected


@pytest.mark.parametrize(
    ("at_us", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (2**63 - 1, "9999-12-31T23:59:59.999999Z"),
        (-(2**63), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_any_time_in_utc_microseconds_is_printed_as_text(at_us: int, text: str):
    assert utc_text(at_us) == text


@pytest.mark.finding("security-5")
def test_record_of_an_unverified_link_has_a_flag():
    verified, unverified = (
        record(section(observation(98.0), device=DeviceRef("1122334455667788", "", flag))) for flag in (False, True)
    )
    assert [to_json(each)["flags"] for each in (verified, unverified)] == [[], ["unverified_link"]]
