"""Values of a weight scale: weight, body mass index and height with the person, and unsuccessful measurements."""

import pytest

from protocols.ble.weight_scale import (
    WEIGHT_MEASUREMENT,
    WEIGHT_SCALE_FEATURE,
    Scale,
    Weight,
    decode_weight,
    encode_weight,
)
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.observation import PERSON_UNKNOWN, Special
from tests.builders.ble_reported import Reported, measured, observations, raw, reported, statuses
from tests.builders.ble_values import sample


def test_measurement_becomes_observations_of_weight_and_body_mass_index_and_height() -> None:
    events = Scale().receive(WEIGHT_MEASUREMENT, sample(WEIGHT_MEASUREMENT), 1.0)
    assert reported(events) == [
        Reported("MDC_MASS_BODY_ACTUAL", 76.2, "MDC_DIM_KILO_G"),
        Reported("MDC_RATIO_MASS_BODY_LEN_SQ", 24.3, "MDC_DIM_KG_PER_M_SQ"),
        Reported("MDC_LEN_BODY_ACTUAL", 177.0, "MDC_DIM_CENTI_M"),
    ]
    found = measured(events)
    assert found.stored
    assert {each.channel.person for each in found.observations} == {1}
    assert len({each.channel.handle for each in found.observations}) == 3


def test_weight_in_pounds_and_height_in_inches_are_not_converted() -> None:
    octets = encode_weight(Weight(weight=168.01, imperial=True, index_and_height=(24.3, 69.7)))
    assert [(each.value, each.unit) for each in reported(Scale().receive(WEIGHT_MEASUREMENT, octets, 1.0))] == [
        (168.01, "MDC_DIM_LB"),
        (24.3, "MDC_DIM_KG_PER_M_SQ"),
        (69.7, "MDC_DIM_INCH"),
    ]


@pytest.mark.parametrize(("user_id", "person"), [(None, None), (3, 3), (0xFF, PERSON_UNKNOWN)])
def test_user_id_becomes_the_person_id_of_the_observation(user_id: int | None, person: int | None) -> None:
    octets = encode_weight(Weight(weight=70.0, user_id=user_id))
    assert observations(Scale().receive(WEIGHT_MEASUREMENT, octets, 1.0))[0].channel.person == person


def test_unsuccessful_weight_measurement_becomes_nan_with_the_status_not_available() -> None:
    octets = sample(WEIGHT_MEASUREMENT, "unsuccessful")
    events = Scale().receive(WEIGHT_MEASUREMENT, octets, 1.0)
    assert reported(events)[0].value is Special.NAN
    assert statuses(events) == [["not-available"]]
    assert raw(events) == [octets]
    assert encode_weight(decode_weight(octets)) == octets


@pytest.mark.parametrize("weight", [327.675, 400.0, -1.0, Special.NRES, Special.PLUS_INFINITY])
def test_weight_that_cannot_be_encoded_is_a_local_protocol_error(weight: float | Special) -> None:
    with pytest.raises(LocalProtocolError):
        encode_weight(Weight(weight=weight))


def test_every_encodable_weight_is_decoded_and_encoded_to_the_same_bytes() -> None:
    for raw_weight in range(0x10000):
        octets = b"\x00" + raw_weight.to_bytes(2, "little")
        pounds = b"\x01" + octets[1:]
        assert encode_weight(decode_weight(octets)) == octets
        assert encode_weight(decode_weight(pounds)) == pounds


@pytest.mark.parametrize(
    "octets",
    ["10 88 3B", "08 88 3B F3 00", "00 88 3B 01", "02 88 3B 01 02"],
    ids=["unknown flag", "height is missing", "unannounced user", "short date"],
)
def test_measurement_value_that_contradicts_its_flags_field_is_refused(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Scale().receive(WEIGHT_MEASUREMENT, bytes.fromhex(octets), 1.0)


def test_weight_scale_feature_value_of_wrong_length_is_refused() -> None:
    assert Scale().learn(WEIGHT_SCALE_FEATURE, sample(WEIGHT_SCALE_FEATURE)) == ()
    with pytest.raises(RemoteProtocolError):
        Scale().learn(WEIGHT_SCALE_FEATURE, b"\x3b\x00")
