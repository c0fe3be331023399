"""The content keys by which a repeated measurement of a device's memory is recognised."""

from dataclasses import replace
from typing import Any

import pytest

from protocols.content_keys import content_keys
from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Special, Value
from protocols.uplink.observations import DeviceObservations, DeviceRef, decode_columns, encode_block
from tests.builders.uplink_blocks import ALARM, NOON, OXIMETER, observation, section, waveform

LATER = DeviceTime(TimeKind.ABSOLUTE, bytes.fromhex("2026112512000001"))


def keys_of(*sections: DeviceObservations) -> dict[int, bytes]:
    """Return the content keys of a block as the cloud receives it."""
    return content_keys(decode_columns(encode_block(sections)))


def stored_key(value: Value = 120.0, *, device_time: DeviceTime = NOON, **facts: Any) -> bytes:
    """Return the content key of a stored measurement. `facts` are arguments of the builder `section`."""
    return keys_of(section(observation(value, device_time=device_time), stored=True, **facts))[0]


def test_resent_stored_measurement_has_the_same_content_key():
    assert stored_key() == stored_key(boot_id="boot-2", wall_offset_us=5, device_offset_us=7, uncertainty_us=9)


def test_measurement_with_another_value_or_time_or_device_has_another_content_key():
    other = DeviceRef(system_id="aabbccddeeff0011", model="")
    keys = {
        stored_key(), stored_key(121.0), stored_key(120), stored_key("120"), stored_key(Special.NAN),
        stored_key((120.0,)), stored_key(Code(2, 120)), stored_key(device_time=LATER), stored_key(device=other),
    }  # fmt: skip
    assert len(keys) == 9


def test_changed_device_model_text_does_not_change_the_content_key():
    assert stored_key() == stored_key(device=DeviceRef(system_id=OXIMETER.system_id, model="renamed"))


@pytest.mark.finding("security-5")
def test_unverified_link_changes_the_content_key():
    verified, unverified = (DeviceRef("1122334455667788", "", flag) for flag in (False, True))
    assert stored_key(device=verified) != stored_key(device=unverified)


def test_stored_waveform_has_a_content_key_only_with_a_device_time():
    timed = waveform(b"\x00\x01", device_time=NOON)
    assert list(keys_of(section(waveform(b"\x00\x01"), timed, stored=True))) == [1]


def test_live_readings_have_no_content_key():
    assert keys_of(section(observation(97.0, device_time=NOON))) == {}


def test_keys_of_a_block_are_those_that_its_measurements_have_alone():
    other = DeviceRef(system_id="aabbccddeeff0011", model="")
    pulse = Channel(handle=2, type=Code(2, 18458), unit=Code(4, 2720), person=3)
    measured = [
        section(observation(97.0, device_time=NOON), observation(96.0, channel=pulse, device_time=LATER), stored=True),
        section(observation(97.0, device_time=NOON)),
        section(observation(97.0), observation("low", device_time=NOON), stored=True, device=other),
        section(observation((120.0, Special.NAN), channel=pulse, device_time=NOON), stored=True),
    ]
    keys = keys_of(*measured)
    alone = [
        keys_of(section(one, stored=each.stored, device=each.device)).get(0)
        for each in measured
        for one in each.observations
    ]
    assert [keys.get(position) for position in range(len(alone))] == alone
    assert sorted(keys) == [0, 1, 4, 5]


KEYS: dict[str, tuple[Value | None, str]] = {
    "number": (97.5, "74616d0de65cee20595e09835baf6b20aa93d1d866368e4b24fec33463a93739"),
    "bits": (0x8001, "95610342cd176b73a88ea217b9f6ec53b88d3fe9754d791f7fa03403a6a7f965"),
    "text": ("low", "f24d777805fab2680b9ea72961af7a78a229d96f414f0404ff61b450760cf0f4"),
    "special": (Special.NAN, "83802dbc60ae22326a3c11d8ca12ccceb9bc799eb3b0ac46766cf00dea132200"),
    "code": (Code(2, 120), "3d0cbea5b23063d2d48edf1618726242fe15806d7ac9966a19e62fe1222e7204"),
    "compound": ((120.0, Special.NAN), "9e2016c0cce4947342f28a55f7431b08a9ac746a30245d0aa46801ad133a3c94"),
    "samples": (None, "79441e5fb5d0f81904589a818804d350cf7a6b2b8636a5ce152cd516a9b8aef2"),
}
"""Values (None: samples), and the content keys that the databases of earlier releases have for them."""


@pytest.mark.parametrize(("value", "key"), KEYS.values(), ids=KEYS)
def test_content_key_is_that_of_earlier_releases(value: Value | None, key: str):
    one = waveform(b"\x00\x01", device_time=NOON) if value is None else observation(value, device_time=NOON)
    assert keys_of(section(one, stored=True))[0].hex() == key


@pytest.mark.parametrize(
    ("channel", "key"),
    [
        (ALARM, "7932d9bca94a82a830d54a84fd762c8acf5d8c3564c4044d15aec36add5336ab"),
        (
            Channel(handle=2, type=Code(2, 18458), unit=Code(4, 2720), person=3, supplemental_types=(Code(2, 7),)),
            "0de2d17ff8bce7a3188ab72862d07c00fd5026c42c961ef62d41bbaafc959f1e",
        ),
    ],
    ids=["without a unit", "with a person and a supplemental type"],
)
def test_content_key_of_any_channel_is_that_of_earlier_releases(channel: Channel, key: str):
    assert keys_of(section(observation(97.5, channel=channel, device_time=NOON), stored=True))[0].hex() == key


def test_text_without_an_encoding_has_no_content_key():
    block = decode_columns(encode_block([section(observation("low", device_time=NOON), stored=True)]))
    with pytest.raises(LocalProtocolError, match="surrogate"):
        content_keys(replace(block, values=["\ud800"]))
