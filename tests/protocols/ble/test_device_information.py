"""The identity of a Bluetooth device: its strings, certificates and ids, in the form used for IEEE 11073 devices."""

from collections.abc import Mapping

import pytest

from protocols.ble.device_information import (
    FIRMWARE_REVISION,
    HARDWARE_REVISION,
    MANUFACTURER_NAME,
    MODEL_NUMBER,
    PNP_ID,
    REGULATORY_CERTIFICATION,
    SERIAL_NUMBER,
    SOFTWARE_REVISION,
    SYSTEM_ID,
    DeviceInformation,
    PnpId,
    decode_text,
    system_id_of,
)
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.identity import DeviceIdentity, identity_of
from protocols.ieee11073.dim.regulatory import CertifiedTransport, certifications
from tests.builders.ble_values import sample

SENT = bytes.fromhex("88 77 66 55 44 33 22 11")
OURS = bytes.fromhex("1122334455667788")


def identity(information: DeviceInformation) -> DeviceIdentity:
    return identity_of(OURS, tuple(AvaType(*pair) for pair in information.attributes))


def read(values: Mapping[int, bytes]) -> DeviceInformation:
    information = DeviceInformation()
    for characteristic, octets in values.items():
        assert information.learn(characteristic, octets) == ()
    return information


def test_device_information_strings_become_the_device_identity() -> None:
    found = identity(
        read(
            {
                MANUFACTURER_NAME: b"ACME",
                MODEL_NUMBER: b"OXI-1",
                SERIAL_NUMBER: b"SN-7\x00",
                HARDWARE_REVISION: b"B",
                FIRMWARE_REVISION: b"1.4.2",
                SOFTWARE_REVISION: b"2.0",
            }
        )
    )
    assert (found.manufacturer, found.model, found.serial_number, found.firmware) == ("ACME", "OXI-1", "SN-7", "1.4.2")
    assert {(each.kind, each.text) for each in found.production} == {(1, "SN-7"), (3, "B"), (4, "2.0"), (5, "1.4.2")}
    assert found.unreadable == ()


def test_identity_from_a_model_number_alone_leaves_the_other_fields_empty() -> None:
    assert DeviceInformation().attributes == ()
    found = identity(read({MODEL_NUMBER: b"OXI-1"}))
    assert (found.manufacturer, found.model, found.serial_number) == ("", "OXI-1", "")


def test_control_characters_and_invalid_utf8_bytes_in_a_string_are_replaced() -> None:
    assert identity(read({MODEL_NUMBER: b"\x1b[2J\xff"})).model == "\ufffd[2J\ufffd"


def test_regulatory_certification_is_decoded_to_classes_and_regulation() -> None:
    information = read({REGULATORY_CERTIFICATION: sample(REGULATORY_CERTIFICATION)})
    listed = dict(information.attributes)[Attribute.REG_CERT_DATA_LIST]
    classes, regulation = certifications(listed)
    assert classes.version == (6, 0)
    assert [(each.transport, each.profile) for each in classes.classes] == [(CertifiedTransport.BLE, 4100)]
    assert regulation.unregulated is False


def test_malformed_regulatory_certification_is_refused_and_leaves_the_attributes_unchanged() -> None:
    information = read({MODEL_NUMBER: b"OXI-1"})
    with pytest.raises(RemoteProtocolError):
        information.learn(REGULATORY_CERTIFICATION, b"experimental")
    assert [attribute for attribute, _ in information.attributes] == [Attribute.SYSTEM_MODEL]


def test_pnp_id_is_decoded_and_adds_no_attribute() -> None:
    information = read({PNP_ID: sample(PNP_ID)})
    assert information.pnp_id == PnpId(source=1, vendor=0x59, product=0x1234, version=0x0102)
    assert information.attributes == ()


def test_system_id_is_decoded_most_significant_byte_first() -> None:
    information = read({SYSTEM_ID: SENT})
    assert dict(information.attributes)[Attribute.SYSTEM_ID] == b"\x00\x08" + OURS
    assert information.system_id_bytes == SENT


@pytest.mark.parametrize(
    ("octets", "address", "system_id"),
    [
        (SENT, "11:22:33:AA:BB:CC", OURS),
        (SENT, "F0:12:34:AA:BB:CC", OURS),
        (OURS, "11:22:33:AA:BB:CC", OURS),
        (OURS, "F0:12:34:AA:BB:CC", SENT),
        (None, "11:22:33:AA:BB:CC", bytes.fromhex("112233FFFEAABBCC")),
        (bytes(8), "11:22:33:AA:BB:CC", bytes.fromhex("112233FFFEAABBCC")),
        (b"\xff" * 8, "11:22:33:AA:BB:CC", bytes.fromhex("112233FFFEAABBCC")),
        (SENT[:6], "11:22:33:AA:BB:CC", bytes.fromhex("112233FFFEAABBCC")),
    ],
    ids=[
        "as the SIG says",
        "as the SIG says, random address",
        "the wrong way round",
        "nothing shows that it is the wrong way round",
        "none",
        "zeros",
        "ones",
        "too short",
    ],
)
def test_device_without_a_valid_system_id_is_identified_by_its_address(
    octets: bytes | None, address: str, system_id: bytes
) -> None:
    assert system_id_of(octets, address) == system_id


@pytest.mark.parametrize(("characteristic", "octets"), [(SYSTEM_ID, SENT[:7]), (PNP_ID, b"\x01" * 8)])
def test_system_id_and_pnp_id_of_wrong_length_are_refused(characteristic: int, octets: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        DeviceInformation().learn(characteristic, octets)


def test_string_of_more_than_512_bytes_is_refused() -> None:
    assert len(decode_text(bytes(512))) == 512
    with pytest.raises(RemoteProtocolError):
        decode_text(bytes(513))


def test_device_information_received_as_a_notification_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        DeviceInformation().receive(MODEL_NUMBER, b"OXI-1", 1.0)
