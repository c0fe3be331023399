"""PUBLISH and PUBACK of MQTT 5, and the division of the broker's bytes into packets."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.uplink.limits import PACKET_BYTES_MAX
from protocols.uplink.mqtt_packets import (
    PUBACK,
    PUBLISH,
    MalformedPacket,
    Packet,
    PacketDivider,
    ReceivedMessage,
    encode_packet,
    encode_puback,
    encode_publish,
    read_puback,
    read_publish,
    user_properties,
)

BODIES = st.sampled_from([0, 1, 2, 127, 128, 16_383, 16_384, 70_000]).map(lambda size: bytes([size % 251]) * size)
PACKETS = st.lists(st.builds(Packet, head=st.integers(0, 255), body=BODIES), max_size=4)


@given(packets=PACKETS, data=st.data())
def test_packets_are_the_same_however_their_bytes_are_divided(packets: list[Packet], data: st.DataObject):
    sent = b"".join(map(encode_packet, packets))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    divider = PacketDivider()
    received = [one for begin, end in pairwise([0, *cuts, len(sent)]) for one in divider.packets(sent[begin:end])]
    assert received == packets


def test_packet_that_arrives_byte_by_byte_is_divided_without_copying_it_for_each_byte():
    class Counting(PacketDivider):
        copied = 0

        def packets(self, data: bytes) -> list[Packet]:
            before = len(self._begun)
            found = super().packets(data)
            if len(self._begun) < before:
                self.copied += before
            return found

    packet, divider = Packet(PUBLISH, bytes(20_000)), Counting()
    found = [one for byte in encode_packet(packet) for one in divider.packets(bytes([byte]))]
    assert found == [packet]
    assert divider.copied < 2 * len(packet.body)


def test_packet_above_the_stated_maximum_is_refused_before_its_body_arrives():
    with pytest.raises(MalformedPacket, match="are allowed"):
        PacketDivider().packets(encode_packet(Packet(PUBLISH, bytes(PACKET_BYTES_MAX + 1)))[:5])


def test_packet_length_of_five_bytes_is_refused():
    with pytest.raises(MalformedPacket, match="four bytes"):
        PacketDivider().packets(b"\x30\xff\xff\xff\xff\x01")


@pytest.mark.parametrize("retain", [False, True])
def test_publish_is_read_as_it_was_encoded(retain: bool):
    (packet,) = PacketDivider().packets(encode_publish("argus/v1/ä", b"payload" * 40, 513, retain=retain))
    message = read_publish(packet)
    assert (message.topic, message.payload, message.qos, message.packet_id) == ("argus/v1/ä", b"payload" * 40, 1, 513)
    assert bool(packet.head & 1) is retain


@pytest.mark.parametrize("size", [0, 100, 200, 40_000])
def test_user_properties_of_a_publish_are_read_as_they_were_encoded(size: int):
    sent = [("traceparent", "0" * size), ("ä", "1")]
    (packet,) = PacketDivider().packets(encode_publish("t", b"payload", 7, retain=False, user_properties=sent))
    message = read_publish(packet)
    assert (message.payload, user_properties(message.properties)) == (b"payload", dict(sent))


def test_publish_at_qos_0_has_no_packet_id():
    assert read_publish(Packet(PUBLISH, b"\x00\x01t\x00payload")) == ReceivedMessage(b"t", b"payload", 0, 0)


@pytest.mark.parametrize(("length", "properties"), [(b"\x02", b"\x01\x01"), (b"\x85\x01", bytes(133))])
def test_properties_of_a_publish_are_kept_apart_from_its_payload(length: bytes, properties: bytes):
    packet = Packet(PUBLISH | 2, b"\x00\x01t\x00\x07" + length + properties + b"payload")
    assert read_publish(packet) == ReceivedMessage(b"t", b"payload", 1, 7, properties)


USER = b"\x26\x00\x01a\x00\x02bc"


@pytest.mark.parametrize(
    "before", [b"", b"\x01\x01", b"\x02\x00\x00\x00\x09", b"\x03\x00\x01t", b"\x09\x00\x02\xff\xfe", b"\x23\x00\x01"]
)
def test_user_properties_are_read_beside_others(before: bytes):
    assert user_properties(before + USER) == {"a": "bc"}


def test_user_properties_that_are_cut_or_follow_an_unknown_property_are_left_out():
    for length in range(len(USER)):
        assert user_properties(USER[:length]) == {}
    assert user_properties(USER + b"\x7f" + USER.replace(b"a", b"d")) == {"a": "bc"}


def test_every_truncated_head_of_a_publish_is_refused():
    head = b"\x00\x03abc\x00\x07\x85\x01" + bytes(133)
    assert read_publish(Packet(PUBLISH | 2, head)).payload == b""
    for length in range(len(head)):
        with pytest.raises(MalformedPacket):
            read_publish(Packet(PUBLISH | 2, head[:length]))


@pytest.mark.parametrize(("flags", "packet_id"), [(4, 7), (6, 7), (2, 0)])
def test_publish_with_qos_2_or_3_or_without_a_packet_id_is_refused(flags: int, packet_id: int):
    with pytest.raises(MalformedPacket):
        read_publish(Packet(PUBLISH | flags, b"\x00\x01t" + packet_id.to_bytes(2, "big") + b"\x00payload"))


@given(body=st.binary(max_size=40), flags=st.integers(0, 15))
def test_any_publish_is_read_or_refused(body: bytes, flags: int):
    try:
        message = read_publish(Packet(PUBLISH | flags, body))
    except MalformedPacket:
        return
    assert body.endswith(message.payload)


def test_topic_that_is_not_utf_8_does_not_prevent_the_puback():
    message = read_publish(Packet(PUBLISH | 2, b"\x00\x01\xff\x00\x07\x00payload"))
    assert encode_puback(message.packet_id) == b"\x40\x02\x00\x07"
    with pytest.raises(UnicodeDecodeError):
        _ = message.topic


@pytest.mark.parametrize(
    ("body", "reason_code", "accepted"),
    [(b"\x02\x01", 0, True), (b"\x02\x01\x10", 0x10, True), (b"\x02\x01\x87\x00", 0x87, False)],
)
def test_puback_names_the_packet_and_whether_the_broker_accepts_it(body: bytes, reason_code: int, accepted: bool):
    puback = read_puback(Packet(PUBACK, body))
    assert (*puback, puback.accepted) == (513, reason_code, accepted)


def test_puback_without_a_packet_id_is_refused():
    with pytest.raises(MalformedPacket):
        read_puback(Packet(PUBACK, b"\x02"))
