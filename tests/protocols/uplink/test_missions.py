"""Missions from the cloud: signed for one gateway, and listed by version in the status of the gateway."""

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.errors import RemoteProtocolError
from protocols.uplink.messages import write_message
from protocols.uplink.missions import Mission, MissionForged, decode_mission
from protocols.uplink.status import MISSIONS_MAX, decode_status, encode_status
from tests.builders.missions import CALL, CLOUD_KEY, CLOUD_PUBLIC_KEY, STREET, signed
from tests.builders.uplink_golden import GOLDEN

OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def read(data: bytes, *, tenant: str = "tnt_1", gateway: str = "gw_1", keys: list[bytes] | None = None) -> Mission:
    return decode_mission(data, tenant=tenant, gateway=gateway, keys=[CLOUD_PUBLIC_KEY] if keys is None else keys)


def body_with(**fields: Any) -> bytes:
    """Return a signed mission whose body has these fields instead of its own."""
    document = {**orjson.loads(orjson.loads(signed(CALL))["body"]), **fields}
    del document["v"]
    body = write_message(document)
    signature = base64.b64encode(CLOUD_KEY.sign(b"argus/v1/mission\x00" + body)).decode()
    return write_message({"command": "mission", "body": body.decode(), "signature": signature})


def test_mission_is_the_same_after_encoding_and_decoding():
    assert read(signed(CALL)) == CALL


def test_repr_of_a_mission_has_no_address():
    assert STREET not in repr(CALL)


@pytest.mark.parametrize("keys", [[], [OTHER_KEY.public_key().public_bytes_raw()], [b"short"]])
def test_mission_that_no_known_key_signed_is_refused(keys: list[bytes]):
    with pytest.raises(MissionForged):
        read(signed(CALL), keys=keys)


def test_mission_of_a_further_known_key_is_read():
    keys = [CLOUD_PUBLIC_KEY, OTHER_KEY.public_key().public_bytes_raw()]
    assert read(signed(CALL, OTHER_KEY), keys=keys) == CALL


def test_mission_for_another_gateway_or_tenant_is_refused():
    for names in ({"gateway": "gw_2"}, {"tenant": "tnt_2"}):
        with pytest.raises(MissionForged):
            read(signed(CALL), **names)


def test_changed_mission_is_refused():
    data = signed(CALL).replace(b"Marktgasse", b"Nebengasse")
    with pytest.raises(MissionForged):
        read(data)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "lost"},
        {"version": 0},
        {"version": True},
        {"encounter": "a/b"},
        {"vehicle": ""},
        {"values": {"scene.street": 5}},
        {"values": {"scene.street": "x" * 256}},
        {"values": {f"scene.{number}": "" for number in range(33)}},
        {"values": []},
        {"issued_at_us": "now"},
    ],
)
def test_malformed_body_is_refused_although_it_is_signed(fields: dict[str, object]):
    with pytest.raises(RemoteProtocolError):
        read(body_with(**fields))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", signed(CALL)[:-1], write_message({"command": "reboot"})])
def test_bytes_that_are_no_mission_are_refused(data: bytes):
    with pytest.raises(RemoteProtocolError):
        read(data)


def test_status_lists_versions_and_an_older_status_has_none():
    status = GOLDEN["status"].value
    assert decode_status(encode_status(status)).missions == {}
    many = {f"enc_{number}": number + 1 for number in range(MISSIONS_MAX + 1)}
    read_back = decode_status(encode_status(replace(status, missions=many))).missions
    assert read_back == dict(list(many.items())[:MISSIONS_MAX])


@pytest.mark.parametrize("missions", [{"a/b": 1}, {"enc_1": 0}, {"enc_1": "1"}, [], {f"enc_{n}": 1 for n in range(17)}])
def test_status_with_malformed_missions_is_refused(missions: object):
    status = GOLDEN["status"].value
    document = {**orjson.loads(encode_status(status)), "missions": missions}
    del document["v"]
    with pytest.raises(RemoteProtocolError):
        decode_status(write_message(document))
