"""Records of a continuous glucose monitor, and the checksum (E2E-CRC) that protects its values."""

from dataclasses import replace

import pytest

from protocols.ble.cgm import ContinuousGlucose
from protocols.ble.cgm_values import (
    CGM_CONTROL_POINT,
    CGM_FEATURE,
    CGM_MEASUREMENT,
    CGM_SESSION_START,
    CGM_STATUS,
    CgmFeature,
    CgmMeasurement,
    CgmRecord,
    decode_control,
    decode_feature,
    decode_measurement,
    encode_feature,
    encode_measurement,
)
from protocols.ble.e2e_crc import e2e_crc
from protocols.ble.interpretation import Measured
from protocols.errors import RemoteProtocolError
from tests.builders.ble_reported import Reported, deviations, measured, observations, raw, reported
from tests.builders.ble_values import sample

MG_PER_DL = "MDC_DIM_MILLI_G_PER_DL"


def sensor(*described: tuple[int, bytes]) -> ContinuousGlucose:
    found = ContinuousGlucose()
    for uuid, octets in described:
        found.learn(uuid, octets)
    return found


def records(*found: CgmRecord) -> bytes:
    return encode_measurement(CgmMeasurement(found))


PLAIN = CgmRecord(concentration_mg_dl=112.0, offset_min=15)
START = (CGM_SESSION_START, sample(CGM_SESSION_START))


def test_computed_e2e_crc_equals_the_published_check_value() -> None:
    assert e2e_crc(b"123456789") == 0x6F91


def test_measurement_record_gets_a_device_time_when_the_session_start_is_known() -> None:
    events = sensor(START, (CGM_FEATURE, sample(CGM_FEATURE))).receive(CGM_MEASUREMENT, sample(CGM_MEASUREMENT), 1.0)
    assert reported(events) == [
        Reported("MDC_CONC_GLU_ISF", 112.0, MG_PER_DL),
        Reported("MDC_CONC_GLU_TREND", -1.5, "MDC_DIM_MILLI_G_PER_DL_PER_MIN"),
        Reported(f"1024:{CGM_MEASUREMENT}", 98.0, "MDC_DIM_PERCENT"),
        Reported(f"1024:{CGM_STATUS}", 0x000402, None),
    ]
    record = measured(events)
    assert (record.record, record.stored) == (15, True)
    assert {each.device_time.text() for each in observations(events) if each.device_time} == {"2026-03-01T14:40:00.000"}
    assert raw(events) == []


def test_measurement_record_gets_no_device_time_when_the_session_start_is_unknown() -> None:
    event = measured(sensor().receive(CGM_MEASUREMENT, records(PLAIN), 1.0))
    assert (event.record, event.stored, event.observations[0].device_time) == (15, False, None)
    unknown = sensor((CGM_SESSION_START, bytes(9)))
    assert not measured(unknown.receive(CGM_MEASUREMENT, records(PLAIN), 1.0)).stored


def test_several_records_in_one_notification_become_separate_measurements() -> None:
    later = CgmRecord(concentration_mg_dl=115.0, offset_min=20, has_crc=True)
    events = sensor(START).receive(CGM_MEASUREMENT, records(PLAIN, later), 1.0)
    assert [event.record for event in events if isinstance(event, Measured)] == [15, 20]
    assert raw(events) == []


def test_sample_type_in_the_cgm_feature_selects_the_code_of_the_concentration() -> None:
    venous = sensor((CGM_FEATURE, encode_feature(CgmFeature(0, 3, 1))))
    assert reported(venous.receive(CGM_MEASUREMENT, records(PLAIN), 1.0))[0].type == "MDC_CONC_GLU_VENOUS_WHOLEBLOOD"
    odd = sensor((CGM_FEATURE, encode_feature(CgmFeature(0, 15, 1))))
    events = odd.receive(CGM_MEASUREMENT, records(PLAIN), 1.0)
    assert (reported(events), raw(events)) == ([], [records(PLAIN)])


def test_wrong_or_missing_e2e_crc_of_a_record_is_detected() -> None:
    octets = bytearray(records(CgmRecord(concentration_mg_dl=112.0, offset_min=15, has_crc=True)))
    assert encode_measurement(decode_measurement(bytes(octets))) == octets
    for place in range(2, len(octets)):
        damaged = bytearray(octets)
        damaged[place] ^= 0x10
        with pytest.raises(RemoteProtocolError):
            decode_measurement(bytes(damaged))
    promised = sensor((CGM_FEATURE, sample(CGM_FEATURE)))
    assert deviations(promised.receive(CGM_MEASUREMENT, records(PLAIN), 1.0)) == [
        "E2E-CRC is announced and records come without it"
    ]


def test_cgm_feature_value_with_a_wrong_e2e_crc_is_refused() -> None:
    feature = CgmFeature(1 << 12, 9, 5)
    unchecked = encode_feature(feature)
    octets = encode_feature(CgmFeature(1 << 12, 9, 5, e2e_crc(unchecked[:-2])))
    assert decode_feature(octets).supported == 1 << 12
    with pytest.raises(RemoteProtocolError):
        decode_feature(bytes((octets[0] ^ 1,)) + octets[1:])


@pytest.mark.parametrize("size", [0, 1, 5, 7, 9, 255])
def test_measurement_record_with_a_wrong_size_field_is_refused(size: int) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_measurement(bytes((size,)) + records(PLAIN)[1:])


def test_warning_byte_becomes_the_upper_8_of_the_24_status_bits() -> None:
    octets = records(replace(PLAIN, warning=0x81))
    assert reported(sensor().receive(CGM_MEASUREMENT, octets, 1.0))[-1].value == 0x810000


def test_cgm_status_read_from_the_sensor_is_emitted_as_raw_bytes_unless_it_is_zero() -> None:
    assert raw(sensor().learn(CGM_STATUS, sample(CGM_STATUS))) == [sample(CGM_STATUS)]
    assert list(sensor().learn(CGM_STATUS, bytes(5))) == []
    with pytest.raises(RemoteProtocolError):
        sensor().learn(CGM_STATUS, bytes(4))


def test_control_point_value_of_every_opcode_is_decoded_and_emitted_as_raw_bytes() -> None:
    for opcode in range(1, 0x1D):
        operand = bytes(12)
        lengths = [n for n in range(12) if _is_control(bytes((opcode,)) + operand[:n])]
        assert lengths
    assert raw(sensor().receive(CGM_CONTROL_POINT, bytes.fromhex("1C 01 01"), 1.0))


def _is_control(octets: bytes) -> bool:
    try:
        decode_control(octets)
    except RemoteProtocolError:
        return False
    return True
