"""Bytes that wait for a socket or for a client library keep their order."""

import pytest

from protocols.uplink.mqtt_packets import PUBLISH, Packet, encode_packet
from protocols.uplink.packet_bytes import HandedPacket, UnsentBytes


def test_handed_packet_is_read_in_pieces_as_from_a_socket() -> None:
    packet = Packet(PUBLISH, b"0123456789")
    handed = HandedPacket()
    handed.put(packet)
    whole = encode_packet(packet)
    assert b"".join(handed.read(5) for _ in range(3)) == whole
    with pytest.raises(BlockingIOError):
        handed.read(5)


def test_bytes_that_a_socket_did_not_take_stay_in_their_order() -> None:
    unsent = UnsentBytes()
    for part in (b"ab", b"cd"):
        unsent.add(part)
    assert unsent.join() == b"abcd"
    unsent.remove(3)
    unsent.add(b"ef")
    assert unsent.join() == b"def"
    unsent.remove(3)
    assert not unsent
