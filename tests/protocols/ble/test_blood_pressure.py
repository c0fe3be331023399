"""Values of a blood pressure cuff: one compound observation, and separate observations for pulse rate and status.

Each observation has the person and the time of the measurement.
"""

import pytest

from protocols.ble.blood_pressure import (
    BLOOD_PRESSURE_FEATURE,
    BLOOD_PRESSURE_MEASUREMENT,
    BLOOD_PRESSURE_RECORD,
    ENHANCED_BLOOD_PRESSURE,
    ENHANCED_CUFF_PRESSURE,
    INTERMEDIATE_CUFF_PRESSURE,
    BloodPressureMonitor,
    mder_status,
)
from protocols.ble.blood_pressure_values import (
    BODY_MOVED,
    CUFF_LOOSE,
    IRREGULAR_PULSE,
    POSITION_IMPROPER,
    PULSE_HIGH,
    PULSE_LOW,
    BloodPressure,
    EnhancedBloodPressure,
    encode_blood_pressure,
    encode_enhanced_blood_pressure,
)
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature import name_of
from protocols.observation import PERSON_UNKNOWN, Scalar, Special
from tests.builders.ble_reported import Reported, deviations, measured, observations, raw, reported
from tests.builders.ble_values import sample


def pressures(mean: Scalar = 94.0, **details: object) -> bytes:
    value = BloodPressure(systolic=122.0, diastolic=81.0, mean=mean, **details)  # type: ignore[arg-type]  # its fields
    return encode_blood_pressure(value)


def enhanced(**details: object) -> bytes:
    value = EnhancedBloodPressure(systolic=122.0, diastolic=81.0, mean=94.0, **details)  # type: ignore[arg-type]  # its fields
    return encode_enhanced_blood_pressure(value)


def test_measurement_becomes_one_compound_observation_and_separate_pulse_and_status_observations() -> None:
    events = BloodPressureMonitor().receive(BLOOD_PRESSURE_MEASUREMENT, sample(BLOOD_PRESSURE_MEASUREMENT), 1.0)
    assert reported(events) == [
        Reported("MDC_PRESS_BLD_NONINV", (122.0, 81.0, 94.0), "MDC_DIM_MMHG"),
        Reported("MDC_PULS_RATE_NON_INV", 66.5, "MDC_DIM_BEAT_PER_MIN"),
        Reported("MDC_BLOOD_PRESSURE_MEASUREMENT_STATUS", 0x2000, None),
    ]
    found = measured(events)
    assert [name_of(code) for code in found.observations[0].channel.components] == [
        "MDC_PRESS_BLD_NONINV_SYS",
        "MDC_PRESS_BLD_NONINV_DIA",
        "MDC_PRESS_BLD_NONINV_MEAN",
    ]
    assert {each.channel.person for each in found.observations} == {1}
    assert {each.device_time.text() for each in found.observations if each.device_time} == {"2026-03-01T14:25:00.000"}
    assert found.stored


def test_mean_pressure_of_nan_is_omitted_from_the_compound_observation() -> None:
    first = observations(BloodPressureMonitor().receive(BLOOD_PRESSURE_MEASUREMENT, pressures(Special.NAN), 1.0))[0]
    assert first.value == (122.0, 81.0)
    assert len(first.channel.components) == 2


def test_mean_pressure_of_plus_infinity_is_kept_in_the_compound_observation() -> None:
    octets = pressures(Special.PLUS_INFINITY)
    first = observations(BloodPressureMonitor().receive(BLOOD_PRESSURE_MEASUREMENT, octets, 1.0))[0]
    assert first.value == (122.0, 81.0, Special.PLUS_INFINITY)


def test_pressure_in_kilopascal_is_not_converted() -> None:
    octets = sample(BLOOD_PRESSURE_MEASUREMENT, "in kilopascal")
    assert reported(BloodPressureMonitor().receive(BLOOD_PRESSURE_MEASUREMENT, octets, 1.0)) == [
        Reported("MDC_PRESS_BLD_NONINV", (16.3, 10.8), "MDC_DIM_KILO_PASCAL")
    ]


@pytest.mark.parametrize(
    ("user_id", "person"), [(None, None), (0, 0), (7, 7), (0xFF, PERSON_UNKNOWN)], ids=["nobody", "0", "7", "unknown"]
)
def test_user_id_becomes_the_person_id_of_the_observations(user_id: int | None, person: int | None) -> None:
    events = BloodPressureMonitor().receive(
        BLOOD_PRESSURE_MEASUREMENT, pressures(user_id=user_id, pulse_rate=70.0, status=0), 1.0
    )
    assert [each.channel.person for each in observations(events)] == [person] * 3


@pytest.mark.parametrize(
    ("sent", "bit"),
    [(BODY_MOVED, 0), (CUFF_LOOSE, 1), (IRREGULAR_PULSE, 2), (PULSE_HIGH, 3), (PULSE_LOW, 4), (POSITION_IMPROPER, 5)],
)
def test_measurement_status_bits_are_reversed_to_mder_bit_order(sent: int, bit: int) -> None:
    assert mder_status(sent) == 0x8000 >> bit


def test_reserved_pulse_range_is_reported_as_a_deviation_and_its_bits_are_cleared() -> None:
    octets = pressures(status=PULSE_HIGH | PULSE_LOW | CUFF_LOOSE)
    events = BloodPressureMonitor().receive(BLOOD_PRESSURE_MEASUREMENT, octets, 1.0)
    assert reported(events)[-1].value == 0x4000
    assert len(deviations(events)) == 1


def test_reserved_status_bits_are_kept_in_the_observation() -> None:
    events = BloodPressureMonitor().receive(BLOOD_PRESSURE_MEASUREMENT, pressures(status=1 << 15), 1.0)
    assert reported(events)[-1].value == 0x0001


def test_intermediate_cuff_pressure_is_emitted_with_a_private_code_and_as_raw_bytes() -> None:
    monitor = BloodPressureMonitor()
    octets = sample(INTERMEDIATE_CUFF_PRESSURE, "with pulse and status")
    events = monitor.receive(INTERMEDIATE_CUFF_PRESSURE, octets, 1.0)
    assert reported(events) == [
        Reported("1024:10806", 156.0, "MDC_DIM_MMHG"),
        Reported("MDC_PULS_RATE_NON_INV", 72.0, "MDC_DIM_BEAT_PER_MIN"),
        Reported("MDC_BLOOD_PRESSURE_MEASUREMENT_STATUS", 0x8000, None),
    ]
    assert raw(events) == [octets]
    assert not measured(events).stored


def test_enhanced_cuff_pressure_has_the_private_code_of_the_intermediate_cuff_pressure() -> None:
    octets = sample(ENHANCED_CUFF_PRESSURE)
    events = BloodPressureMonitor().receive(ENHANCED_CUFF_PRESSURE, octets, 1.0)
    assert reported(events)[0] == Reported("1024:10806", 156.0, "MDC_DIM_MMHG")
    assert raw(events) == [octets]


def test_enhanced_measurement_uses_the_base_time_as_device_time() -> None:
    events = BloodPressureMonitor().receive(ENHANCED_BLOOD_PRESSURE, sample(ENHANCED_BLOOD_PRESSURE), 1.0)
    found = measured(events)
    assert [each.value for each in found.observations] == [(122.0, 81.0, 94.0), 66.0]
    assert found.observations[0].device_time is not None
    assert found.observations[0].device_time.text() == "2026-03-01T14:25:00.000"
    assert found.stored


def test_base_time_of_epoch_1900_is_decoded() -> None:
    events = BloodPressureMonitor().receive(ENHANCED_BLOOD_PRESSURE, enhanced(time_s=86_400, epoch_2000=False), 1.0)
    time = observations(events)[0].device_time
    assert time is not None
    assert time.text() == "1900-01-02T00:00:00.000"


def test_measurement_without_a_base_time_uses_the_user_facing_time_as_device_time() -> None:
    events = BloodPressureMonitor().receive(ENHANCED_BLOOD_PRESSURE, enhanced(user_facing_s=60), 1.0)
    time = observations(events)[0].device_time
    assert time is not None
    assert time.text() == "2000-01-01T00:01:00.000"
    assert raw(events) == []


def test_user_facing_time_that_differs_from_the_base_time_is_emitted_as_raw_bytes() -> None:
    octets = enhanced(time_s=60, user_facing_s=3660)
    events = BloodPressureMonitor().receive(ENHANCED_BLOOD_PRESSURE, octets, 1.0)
    assert raw(events) == [octets]
    assert (
        raw(BloodPressureMonitor().receive(ENHANCED_BLOOD_PRESSURE, enhanced(time_s=60, user_facing_s=60), 1.0)) == []
    )


def test_blood_pressure_record_is_emitted_as_raw_bytes() -> None:
    octets = sample(BLOOD_PRESSURE_RECORD)
    events = BloodPressureMonitor().receive(BLOOD_PRESSURE_RECORD, octets, 1.0)
    assert raw(events) == [octets]
    assert reported(events) == []


@pytest.mark.parametrize(
    "octets",
    ["20 7A 00 51 00 5E 00", "04 7A 00 51 00 5E 00", "00 7A 00 51 00 5E 00 42 00", "02 7A 00 51 00 5E 00 01 02"],
    ids=["unknown flag", "announced pulse is missing", "unannounced pulse", "short date"],
)
def test_measurement_value_that_contradicts_its_flags_field_is_refused(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        BloodPressureMonitor().receive(BLOOD_PRESSURE_MEASUREMENT, bytes.fromhex(octets), 1.0)


def test_blood_pressure_feature_value_of_wrong_length_is_refused() -> None:
    monitor = BloodPressureMonitor()
    assert monitor.learn(BLOOD_PRESSURE_FEATURE, sample(BLOOD_PRESSURE_FEATURE)) == ()
    assert monitor.receive(BLOOD_PRESSURE_FEATURE, sample(BLOOD_PRESSURE_FEATURE), 1.0) == ()
    with pytest.raises(RemoteProtocolError):
        monitor.learn(BLOOD_PRESSURE_FEATURE, b"\x01")
