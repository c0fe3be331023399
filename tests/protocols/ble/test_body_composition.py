"""Values of a body composition scale: each field in its unit, and measurements that are split over two values."""

import pytest

from protocols.ble.body_composition import (
    BODY_COMPOSITION_FEATURE,
    BODY_COMPOSITION_MEASUREMENT,
    BodyComposition,
    BodyScale,
    encode_body_composition,
)
from protocols.errors import RemoteProtocolError
from protocols.observation import PERSON_UNKNOWN, Special
from tests.builders.ble_reported import Reported, measured, observations, raw, reported, statuses
from tests.builders.ble_values import sample

WHOLE = BodyComposition(
    fat_percent=21.3,
    user_id=2,
    basal_metabolism_kj=7000.0,
    muscle_percent=41.0,
    muscle_mass=31.2,
    fat_free_mass=60.0,
    soft_lean_mass=57.005,
    water_mass=44.2,
    impedance_ohm=500.1,
    weight=76.2,
    height=177.0,
)


def test_each_measurement_field_becomes_an_observation_with_its_unit() -> None:
    events = BodyScale().receive(BODY_COMPOSITION_MEASUREMENT, encode_body_composition(WHOLE), 1.0)
    assert reported(events) == [
        Reported("MDC_BODY_FAT", 21.3, "MDC_DIM_PERCENT"),
        Reported("MDC_BASAL_METABOLISM", 7_000_000.0, "MDC_DIM_X_JOULES"),
        Reported("MDC_BODY_MUSCLE", 41.0, "MDC_DIM_PERCENT"),
        Reported("MDC_MASS_BODY_MUSCLE", 31.2, "MDC_DIM_KILO_G"),
        Reported("MDC_MASS_BODY_FAT_FREE", 60.0, "MDC_DIM_KILO_G"),
        Reported("MDC_MASS_BODY_SOFT_LEAN", 57.005, "MDC_DIM_KILO_G"),
        Reported("MDC_BODY_WATER", 44.2, "MDC_DIM_KILO_G"),
        Reported("MDC_BODY_ELECTRICAL_IMPEDANCE", 500.1, "MDC_DIM_X_OHM"),
        Reported("MDC_MASS_BODY_ACTUAL", 76.2, "MDC_DIM_KILO_G"),
        Reported("MDC_LEN_BODY_ACTUAL", 177.0, "MDC_DIM_CENTI_M"),
    ]
    assert len({each.channel.handle for each in observations(events)}) == 10
    assert {each.channel.person for each in observations(events)} == {2}
    assert not measured(events).stored


def test_masses_in_pounds_and_height_in_inches_are_not_converted() -> None:
    octets = sample(BODY_COMPOSITION_MEASUREMENT, "with everything, imperial")
    events = BodyScale().receive(BODY_COMPOSITION_MEASUREMENT, octets, 1.0)
    units = {each.type: (each.value, each.unit) for each in reported(events)}
    assert units["MDC_MASS_BODY_MUSCLE"] == (69.28, "MDC_DIM_LB")
    assert units["MDC_MASS_BODY_ACTUAL"] == (168.01, "MDC_DIM_LB")
    assert units["MDC_LEN_BODY_ACTUAL"] == (69.7, "MDC_DIM_INCH")
    assert units["MDC_BASAL_METABOLISM"] == (7_000_000.0, "MDC_DIM_X_JOULES")
    assert measured(events).stored


def test_unknown_user_id_becomes_the_person_id_that_means_unknown() -> None:
    octets = encode_body_composition(BodyComposition(fat_percent=20.0, user_id=0xFF))
    events = BodyScale().receive(BODY_COMPOSITION_MEASUREMENT, octets, 1.0)
    assert observations(events)[0].channel.person == PERSON_UNKNOWN


def test_multiple_packet_measurement_is_decoded_and_also_emitted_as_raw_bytes() -> None:
    octets = encode_body_composition(BodyComposition(fat_percent=21.3, weight=76.2, continues=True))
    events = BodyScale().receive(BODY_COMPOSITION_MEASUREMENT, octets, 1.0)
    assert [each.value for each in reported(events)] == [21.3, 76.2]
    assert raw(events) == [octets]


def test_unsuccessful_measurement_becomes_nan_with_the_status_not_available() -> None:
    octets = encode_body_composition(BodyComposition(fat_percent=Special.NAN, weight=76.2))
    events = BodyScale().receive(BODY_COMPOSITION_MEASUREMENT, octets, 1.0)
    assert [each.value for each in reported(events)] == [Special.NAN, 76.2]
    assert statuses(events) == [["not-available"], []]
    assert raw(events) == [octets]


@pytest.mark.parametrize(
    "octets",
    ["00 20 D5 00", "00 04 D5 00", "00 00 D5 00 88 3B", "00"],
    ids=["unknown flag", "announced weight is missing", "unannounced weight", "half the flags"],
)
def test_measurement_value_that_contradicts_its_flags_field_is_refused(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        BodyScale().receive(BODY_COMPOSITION_MEASUREMENT, bytes.fromhex(octets), 1.0)


def test_body_composition_feature_value_of_wrong_length_is_refused() -> None:
    assert BodyScale().learn(BODY_COMPOSITION_FEATURE, sample(BODY_COMPOSITION_FEATURE)) == ()
    with pytest.raises(RemoteProtocolError):
        BodyScale().learn(BODY_COMPOSITION_FEATURE, b"\x01")
