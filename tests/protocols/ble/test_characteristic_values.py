"""Values of every characteristic that Argus supports: complete, truncated at each length, and with trailing bytes.

A decoded value is encoded to the bytes that were decoded.
"""

import pytest

from protocols.ble.interpretation import ServiceProfile
from protocols.ble.services import CODECS, PROFILES
from protocols.errors import RemoteProtocolError
from tests.builders.ble_tails import TAILS
from tests.builders.ble_values import Value, corpus, worked_examples
from tests.harness.shared import shared_path

CORPUS = corpus()
MORE_OCTETS_MAX = 24


def is_value(characteristic: int, octets: bytes) -> bool:
    """Return whether the bytes decode as this characteristic's value: False if the codec raises RemoteProtocolError."""
    try:
        CODECS[characteristic].decode(octets)
    except RemoteProtocolError:
        return False
    return True


@pytest.mark.parametrize("value", CORPUS, ids=str)
def test_characteristic_value_is_decoded_and_encoded_to_the_same_bytes(value: Value) -> None:
    codec = CODECS[value.characteristic]
    assert codec.encode(codec.decode(value.octets)) == value.octets


@pytest.mark.parametrize("value", CORPUS, ids=str)
def test_truncated_value_is_refused_unless_its_specification_allows_that_length(value: Value) -> None:
    tail = TAILS.get(value.characteristic)
    for length in range(len(value.octets)):
        allowed = tail is not None and tail.ends_at(value.octets, length)
        assert is_value(value.characteristic, value.octets[:length]) == allowed, f"cut to {length} bytes"


@pytest.mark.parametrize("value", CORPUS, ids=str)
@pytest.mark.parametrize("filling", [b"\x00", b"\xff"], ids=["zeros", "ones"])
def test_value_with_trailing_bytes_is_refused_unless_its_specification_allows_them(
    value: Value, filling: bytes
) -> None:
    tail = TAILS.get(value.characteristic)
    for more in range(1, MORE_OCTETS_MAX):
        allowed = tail is not None and tail.takes(value.octets, more)
        assert is_value(value.characteristic, value.octets + filling * more) == allowed, f"{more} bytes more"


def test_sample_corpus_contains_a_value_of_every_characteristic() -> None:
    assert set(CODECS) == {value.characteristic for value in CORPUS}


def test_every_worked_example_of_the_reference_is_decoded_and_encoded_to_the_same_bytes() -> None:
    examples = worked_examples(shared_path("reference/ble.md"))
    assert len(examples) > 40
    for example in examples:
        codec = CODECS[example.characteristic]
        assert codec.encode(codec.decode(example.octets)) == example.octets, example
    assert {example.octets for example in examples} <= {value.octets for value in CORPUS}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_service_interpreter_refuses_a_value_of_a_characteristic_outside_its_service(profile: ServiceProfile) -> None:
    with pytest.raises(RemoteProtocolError):
        profile.interpreter().receive(0x2A00, b"\x00", 1.0)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_characteristics_required_or_written_at_start_are_listed_in_the_service_profile(
    profile: ServiceProfile,
) -> None:
    known = {each.uuid for each in profile.characteristics}
    assert known <= set(CODECS)
    assert set(profile.required_any) <= known
    assert {uuid for uuid, _ in profile.start} <= known
    assert all(each.fields for each in profile.characteristics)
