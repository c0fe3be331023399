"""Values of a heart rate sensor: the rate by sensor location, RR-intervals and energy.

A rate measured without skin contact is marked as questionable.
"""

import pytest

from protocols.ble.heart_rate import (
    BODY_SENSOR_LOCATION,
    CHEST,
    EAR_LOBE,
    FINGER,
    FOOT,
    HAND,
    HEART_RATE_CONTROL_POINT,
    HEART_RATE_MEASUREMENT,
    OTHER,
    RESET_ENERGY,
    WRIST,
    HeartRate,
    HeartRateSensor,
    decode_heart_rate,
    encode_heart_rate,
    encode_one_byte,
)
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature import name_of
from tests.builders.ble_reported import Reported, deviations, measured, observations, reported, statuses
from tests.builders.ble_values import sample


def test_measurement_becomes_observations_of_heart_rate_and_rr_intervals_and_energy() -> None:
    events = HeartRateSensor().receive(HEART_RATE_MEASUREMENT, sample(HEART_RATE_MEASUREMENT), 5.0)
    assert reported(events) == [
        Reported("MDC_ECG_HEART_RATE", 72.0, "MDC_DIM_BEAT_PER_MIN"),
        Reported("MDC_ECG_TIME_PD_RR_GL", 976.5625, "MDC_DIM_MILLI_SEC"),
        Reported("MDC_ECG_TIME_PD_RR_GL", 650.390625, "MDC_DIM_MILLI_SEC"),
        Reported("MDC_HF_ENERGY", 20_000.0, "MDC_DIM_X_JOULES"),
    ]
    assert {(each.received_s, each.device_time) for each in observations(events)} == {(5.0, None)}
    assert not measured(events).stored
    assert statuses(events) == [[]] * 4


@pytest.mark.parametrize(
    ("location", "rate", "sites"),
    [
        (OTHER, "MDC_ECG_HEART_RATE", []),
        (CHEST, "MDC_ECG_HEART_RATE", ["MDC_TRUNK_BREAST"]),
        (WRIST, "MDC_PULS_RATE_NON_INV", ["MDC_UPEXT_WRIST"]),
        (FINGER, "MDC_PULS_RATE_NON_INV", ["MDC_UPEXT_FINGER"]),
        (HAND, "MDC_PULS_RATE_NON_INV", ["MDC_UPEXT_HAND"]),
        (EAR_LOBE, "MDC_PULS_RATE_NON_INV", ["MDC_HEAD_EAR"]),
        (FOOT, "MDC_PULS_RATE_NON_INV", ["MDC_LOEXT_FOOT"]),
    ],
)
def test_sensor_location_selects_the_code_of_heart_rate_or_pulse_rate(
    location: int, rate: str, sites: list[str]
) -> None:
    sensor = HeartRateSensor()
    assert sensor.learn(BODY_SENSOR_LOCATION, encode_one_byte(location)) == ()
    first = observations(sensor.receive(HEART_RATE_MEASUREMENT, sample(HEART_RATE_MEASUREMENT), 1.0))[0]
    assert name_of(first.channel.type) == rate
    assert [name_of(code) for code in first.channel.supplemental_types] == sites


def test_unknown_sensor_location_is_reported_as_a_deviation_and_keeps_the_heart_rate_code() -> None:
    sensor = HeartRateSensor()
    assert len(deviations(sensor.learn(BODY_SENSOR_LOCATION, b"\x07"))) == 1
    events = sensor.receive(HEART_RATE_MEASUREMENT, sample(HEART_RATE_MEASUREMENT), 1.0)
    assert reported(events)[0].type == "MDC_ECG_HEART_RATE"


@pytest.mark.parametrize(
    ("supported", "detected", "doubtful"),
    [(False, False, False), (False, True, False), (True, True, False), (True, False, True)],
)
def test_heart_rate_measured_without_skin_contact_has_the_status_questionable(
    supported: bool, detected: bool, doubtful: bool
) -> None:
    octets = encode_heart_rate(
        HeartRate(rate=72, contact_supported=supported, contact_detected=detected, intervals_ticks=(1000,))
    )
    events = HeartRateSensor().receive(HEART_RATE_MEASUREMENT, octets, 1.0)
    assert statuses(events) == [["questionable"] if doubtful else []] * 2


def test_heart_rate_above_255_is_encoded_in_two_bytes() -> None:
    octets = encode_heart_rate(HeartRate(rate=300))
    assert octets == b"\x01\x2c\x01"
    assert decode_heart_rate(octets).rate == 300


def test_all_rr_intervals_of_a_long_measurement_are_emitted_in_order() -> None:
    ticks = tuple(range(600, 600 + 120))
    octets = encode_heart_rate(HeartRate(rate=72, intervals_ticks=ticks))
    found = reported(HeartRateSensor().receive(HEART_RATE_MEASUREMENT, octets, 1.0))
    assert [each.value for each in found[1:]] == [number / 1.024 for number in ticks]


@pytest.mark.parametrize(
    "octets",
    ["20 48", "01 48", "08 48", "10 48", "10 48 E8", "10 48 E8 03 9A", "00 48 E8 03", ""],
    ids=[
        "unknown flag",
        "second byte is missing",
        "energy is missing",
        "no interval",
        "half an interval",
        "one and a half",
        "unannounced intervals",
        "nothing",
    ],
)
def test_measurement_value_that_contradicts_its_flags_field_is_refused(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        HeartRateSensor().receive(HEART_RATE_MEASUREMENT, bytes.fromhex(octets), 1.0)


def test_control_point_command_to_reset_the_energy_is_encoded_in_one_byte() -> None:
    assert encode_one_byte(RESET_ENERGY) == sample(HEART_RATE_CONTROL_POINT)
