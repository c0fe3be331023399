"""Values of a pulse oximeter: saturation and pulse rate with fast and slow averages, status and time."""

import pytest

from protocols.ble.interpretation import Measured
from protocols.ble.pulse_oximeter import (
    FROM_STORAGE,
    PLX_CONTINUOUS,
    PLX_FEATURES,
    PLX_SPOT_CHECK,
    OximeterReading,
    PlxContinuous,
    PlxSpotCheck,
    PulseOximeter,
    encode_continuous,
    encode_spot_check,
)
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature import name_of
from protocols.observation import Special
from tests.builders.ble_reported import Reported, deviations, measured, observations, raw, reported, statuses
from tests.builders.ble_values import sample

PAIR = OximeterReading(98.0, 72.0)
STAMP = bytes.fromhex("EA070301 0E1900")


def spot(**details: object) -> bytes:
    return encode_spot_check(PlxSpotCheck(reading=PAIR, **details))  # type: ignore[arg-type]  # fields of the value


def continuous(**details: object) -> bytes:
    return encode_continuous(PlxContinuous(normal=PAIR, **details))  # type: ignore[arg-type]  # fields of the value


def supplements(octets: bytes) -> list[list[str]]:
    events = PulseOximeter().receive(PLX_CONTINUOUS, octets, 1.0)
    return [[name_of(code) for code in each.channel.supplemental_types] for each in observations(events)]


def test_continuous_notification_becomes_live_saturation_and_pulse_rate() -> None:
    events = PulseOximeter().receive(PLX_CONTINUOUS, continuous(), 12.5)
    assert reported(events) == [
        Reported("MDC_PULS_OXIM_SAT_O2", 98.0, "MDC_DIM_PERCENT"),
        Reported("MDC_PULS_OXIM_PULS_RATE", 72.0, "MDC_DIM_BEAT_PER_MIN"),
    ]
    assert {(each.received_s, each.device_time) for each in observations(events)} == {(12.5, None)}
    assert not measured(events).stored


def test_fast_and_slow_averages_are_marked_by_their_supplemental_types() -> None:
    octets = continuous(fast=OximeterReading(96.0, 75.0), slow=OximeterReading(97.0, 73.0))
    assert [each.value for each in reported(PulseOximeter().receive(PLX_CONTINUOUS, octets, 1.0))] == [
        98.0,
        72.0,
        96.0,
        75.0,
        97.0,
        73.0,
    ]
    assert supplements(octets) == [[], [], *[["MDC_MODALITY_FAST"]] * 2, *[["MDC_MODALITY_SLOW"]] * 2]


def test_normal_and_fast_and_slow_averages_have_separate_constant_handles() -> None:
    octets = continuous(fast=PAIR, slow=PAIR, device_status=0)
    first, again = (observations(PulseOximeter().receive(PLX_CONTINUOUS, octets, 1.0)) for _ in range(2))
    assert len({each.channel.handle for each in first}) == 7
    assert [each.channel for each in first] == [each.channel for each in again]


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (1 << 15, ["invalid"]),
        (1 << 14, ["questionable"]),
        (1 << 13, ["not-available"]),
        (1 << 12, ["calibration-ongoing"]),
        (1 << 11, ["test-data"]),
        (1 << 10, ["demo-data"]),
        (1 << 9, []),
        (1 << 8, []),
        (1 << 7, ["validated-data"]),
        (1 << 6, ["early-indication"]),
        (1 << 5, ["msmt-ongoing"]),
    ],
)
def test_measurement_status_applies_to_saturation_and_pulse_rate(bits: int, names: list[str]) -> None:
    events = PulseOximeter().receive(PLX_CONTINUOUS, continuous(measurement_status=bits), 1.0)
    assert statuses(events) == [names, names]
    assert deviations(events) == []


def test_reserved_status_bits_are_reported_as_one_deviation_and_set_no_measurement_status() -> None:
    oximeter = PulseOximeter()
    events = [*oximeter.receive(PLX_CONTINUOUS, continuous(measurement_status=0x001F), 1.0)]
    events += oximeter.receive(PLX_CONTINUOUS, continuous(measurement_status=0x001F), 2.0)
    assert statuses(events) == [[]] * 4
    assert len(deviations(events)) == 1


def test_device_status_becomes_an_observation_with_the_bits_of_the_oximeter_standard() -> None:
    events = PulseOximeter().receive(PLX_CONTINUOUS, continuous(device_status=1 << 11 | 1 << 5), 1.0)
    assert reported(events)[-1] == Reported("MDC_PULS_OXIM_DEV_STATUS", 0x0820, None)
    high = PulseOximeter().receive(PLX_CONTINUOUS, continuous(device_status=1 << 20), 1.0)
    assert reported(high)[-1].value == 1 << 20
    assert len(deviations(high)) == 1


def test_special_values_nan_and_nres_are_kept() -> None:
    octets = encode_continuous(PlxContinuous(normal=OximeterReading(Special.NAN, Special.NRES)))
    assert [each.value for each in reported(PulseOximeter().receive(PLX_CONTINUOUS, octets, 1.0))] == [
        Special.NAN,
        Special.NRES,
    ]


def test_spot_check_with_a_date_is_marked_as_a_stored_measurement() -> None:
    events = PulseOximeter().receive(PLX_SPOT_CHECK, sample(PLX_SPOT_CHECK), 1.0)
    found = measured(events)
    assert found.stored
    assert [each.device_time.text() for each in found.observations if each.device_time] == [
        "2026-03-01T14:25:00.000"
    ] * 4
    assert [name_of(code) for code in found.observations[0].channel.supplemental_types] == ["MDC_MODALITY_SPOT"]
    assert statuses(events) == [["validated-data"], ["validated-data"], [], ["validated-data"]]


@pytest.mark.parametrize(
    ("time_stamp", "status", "clock_not_set", "stored"),
    [
        (None, None, False, False),
        (bytes(7), None, False, False),
        (STAMP, None, False, True),
        (STAMP, None, True, False),
        (STAMP, FROM_STORAGE, True, True),
        (bytes.fromhex("EA070D01 0E1900"), None, False, False),
    ],
    ids=["no date", "unknown date", "date", "clock not set", "clock not set, from memory", "month 13"],
)
def test_spot_check_without_a_reliable_time_stamp_is_not_marked_as_a_stored_measurement(
    time_stamp: bytes | None, status: int | None, clock_not_set: bool, stored: bool
) -> None:
    octets = spot(time_stamp=time_stamp, measurement_status=status, clock_not_set=clock_not_set)
    assert measured(PulseOximeter().receive(PLX_SPOT_CHECK, octets, 1.0)).stored == stored


def test_impossible_date_is_kept_as_the_received_bytes() -> None:
    octets = spot(time_stamp=bytes.fromhex("EA070D01 0E1900"))
    first = observations(PulseOximeter().receive(PLX_SPOT_CHECK, octets, 1.0))[0]
    assert first.device_time is not None
    assert first.device_time.text() == "abs:0xea070d010e1900ff"


def test_pulse_amplitude_index_is_emitted_with_a_private_code_and_as_raw_bytes() -> None:
    octets = continuous(pulse_amplitude_index=4.2)
    events = PulseOximeter().receive(PLX_CONTINUOUS, octets, 1.0)
    assert reported(events)[2:] == [Reported("1024:10847", 4.2, "MDC_DIM_PERCENT")]
    assert raw(events) == [octets]
    assert "4.2" not in repr(events[-1])
    checked = PulseOximeter().receive(PLX_SPOT_CHECK, spot(pulse_amplitude_index=4.2), 1.0)
    assert reported(checked)[2:] == reported(events)[2:]


@pytest.mark.parametrize(
    "octets",
    ["20 61 00 4A 00", "01 61 00 4A 00", "00 61 00 4A 00 60 00 4B 00", "08 61 00 4A 00 00 00", ""],
    ids=["unknown flag", "announced average is missing", "unannounced average", "short status", "nothing"],
)
def test_measurement_value_that_contradicts_its_flags_field_is_refused(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        PulseOximeter().receive(PLX_CONTINUOUS, bytes.fromhex(octets), 1.0)


def test_plx_features_value_of_wrong_length_is_refused() -> None:
    oximeter = PulseOximeter()
    assert oximeter.learn(PLX_FEATURES, sample(PLX_FEATURES)) == ()
    with pytest.raises(RemoteProtocolError):
        oximeter.learn(PLX_FEATURES, b"\x03\x00\x00")
    assert oximeter.flush() == ()


def test_continuous_measurements_use_one_channel_per_quantity() -> None:
    oximeter = PulseOximeter()
    events = [oximeter.receive(PLX_CONTINUOUS, continuous(), float(second))[0] for second in range(3)]
    assert all(isinstance(event, Measured) for event in events)
    assert len({id(each.channel) for each in observations(events)}) == 2
