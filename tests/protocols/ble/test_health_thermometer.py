"""Values of a thermometer: a temperature, whose code depends on the measurement site."""

import pytest

from protocols.ble.health_thermometer import (
    ARMPIT,
    BODY,
    EAR,
    FINGER,
    GASTRO_INTESTINAL,
    INTERMEDIATE_TEMPERATURE,
    MEASUREMENT_INTERVAL,
    MOUTH,
    RECTUM,
    TEMPERATURE_MEASUREMENT,
    TEMPERATURE_TYPE,
    TOE,
    TYMPANUM,
    Temperature,
    Thermometer,
    encode_temperature,
)
from protocols.errors import RemoteProtocolError
from protocols.observation import Special
from tests.builders.ble_reported import Reported, deviations, measured, observations, reported, statuses
from tests.builders.ble_values import sample


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (None, "MDC_TEMP_BODY"),
        (ARMPIT, "MDC_TEMP_AXILLA"),
        (BODY, "MDC_TEMP_BODY"),
        (EAR, "MDC_TEMP_EAR"),
        (FINGER, "MDC_TEMP_FINGER"),
        (GASTRO_INTESTINAL, "MDC_TEMP_GIT"),
        (MOUTH, "MDC_TEMP_ORAL"),
        (RECTUM, "MDC_TEMP_RECT"),
        (TOE, "MDC_TEMP_TOE"),
        (TYMPANUM, "MDC_TEMP_TYMP"),
    ],
)
def test_measurement_site_selects_the_nomenclature_code_of_the_temperature(place: int | None, name: str) -> None:
    octets = encode_temperature(Temperature(value=36.7, place=place))
    assert reported(Thermometer().receive(TEMPERATURE_MEASUREMENT, octets, 1.0)) == [
        Reported(name, 36.7, "MDC_DIM_DEGC")
    ]


def test_temperature_type_characteristic_applies_to_measurements_without_a_site() -> None:
    thermometer = Thermometer()
    assert thermometer.learn(TEMPERATURE_TYPE, bytes([MOUTH])) == ()
    bare = encode_temperature(Temperature(value=36.7))
    assert reported(thermometer.receive(TEMPERATURE_MEASUREMENT, bare, 1.0))[0].type == "MDC_TEMP_ORAL"
    ear = encode_temperature(Temperature(value=36.7, place=EAR))
    assert reported(thermometer.receive(TEMPERATURE_MEASUREMENT, ear, 1.0))[0].type == "MDC_TEMP_EAR"


@pytest.mark.parametrize("place", [0, 10, 255])
def test_unknown_measurement_site_gives_a_body_temperature_and_a_deviation(place: int) -> None:
    octets = encode_temperature(Temperature(value=36.7, place=place))
    events = Thermometer().receive(TEMPERATURE_MEASUREMENT, octets, 1.0)
    assert reported(events)[0].type == "MDC_TEMP_BODY"
    assert len(deviations(events)) == 1


def test_temperature_in_fahrenheit_is_not_converted() -> None:
    octets = sample(TEMPERATURE_MEASUREMENT, "in Fahrenheit")
    assert reported(Thermometer().receive(TEMPERATURE_MEASUREMENT, octets, 1.0)) == [
        Reported("MDC_TEMP_BODY", 98.6, "MDC_DIM_FAHR")
    ]


def test_temperature_of_nan_stays_nan() -> None:
    octets = sample(TEMPERATURE_MEASUREMENT, "no number")
    assert reported(Thermometer().receive(TEMPERATURE_MEASUREMENT, octets, 1.0))[0].value is Special.NAN


def test_temperature_with_a_date_is_marked_as_a_stored_measurement() -> None:
    found = measured(Thermometer().receive(TEMPERATURE_MEASUREMENT, sample(TEMPERATURE_MEASUREMENT), 1.0))
    assert found.stored
    assert found.observations[0].device_time is not None
    assert found.observations[0].device_time.text() == "2026-03-01T14:25:00.000"
    undated = encode_temperature(Temperature(value=36.7))
    assert not measured(Thermometer().receive(TEMPERATURE_MEASUREMENT, undated, 1.0)).stored


def test_intermediate_temperature_has_the_status_early_indication() -> None:
    events = Thermometer().receive(INTERMEDIATE_TEMPERATURE, sample(TEMPERATURE_MEASUREMENT), 1.0)
    assert statuses(events) == [["early-indication"]]
    assert not measured(events).stored
    final = Thermometer().receive(TEMPERATURE_MEASUREMENT, sample(TEMPERATURE_MEASUREMENT), 1.0)
    assert statuses(final) == [[]]
    assert observations(events)[0].channel.handle != observations(final)[0].channel.handle


@pytest.mark.parametrize(
    "octets",
    ["08 6F 01 00 FF", "04 6F 01 00 FF", "00 6F 01 00 FF 06", "02 6F 01 00 FF 06"],
    ids=["unknown flag", "announced place is missing", "unannounced place", "short date"],
)
def test_measurement_value_that_contradicts_its_flags_field_is_refused(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Thermometer().receive(TEMPERATURE_MEASUREMENT, bytes.fromhex(octets), 1.0)


def test_measurement_interval_of_wrong_length_is_refused() -> None:
    assert Thermometer().learn(MEASUREMENT_INTERVAL, b"\x3c\x00") == ()
    with pytest.raises(RemoteProtocolError):
        Thermometer().learn(MEASUREMENT_INTERVAL, b"\x3c")
