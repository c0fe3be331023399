"""The two MQTT 5 packets that gateway and cloud exchange for each batch, PUBLISH and PUBACK, and the division of
received bytes into packets.

paho takes about 50 µs of processor time for the PUBLISH of a batch and its PUBACK, a seventh of all that ingest spends
on a small batch: three system calls to read, one to write, several locks, and objects for properties and reason codes,
which hardly anyone reads. Here both take some 5 µs. All other packets, which are rare, stay with paho.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocols.uplink.limits import PACKET_BYTES_MAX

PUBLISH, PUBACK = 0x30, 0x40
"""Kinds of packets: the upper four bits of a packet's first byte."""

_KIND, _QOS, _QOS_1, _RETAIN = 0xF0, 0x06, 0x02, 0x01
_LENGTH_BYTES_MAX = 4
"""Bytes of a packet's length: seven bits in each."""
_FAILURE = 0x80
"""Lowest reason code of a failure."""


class MalformedPacket(Exception):
    """The broker's bytes are not a packet of MQTT 5, or exceed the limit of a packet."""


class Packet(NamedTuple):
    """A packet: its first byte (kind and flags), and what follows its length."""

    head: int
    body: bytes

    @property
    def kind(self) -> int:
        return self.head & _KIND


class ReceivedMessage(NamedTuple):
    """A received application message. `packet_id` is 0 at QoS 0. `properties` are its properties as they arrived."""

    topic_bytes: bytes
    payload: bytes
    qos: int
    packet_id: int
    properties: bytes = b""

    @property
    def topic(self) -> str:
        """Return the topic. Raises UnicodeDecodeError for one that is not UTF-8, which mosquitto refuses."""
        return self.topic_bytes.decode()


class PacketDivider:
    """Divides received bytes into packets, and keeps the beginning of a packet that is not complete yet."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._due_bytes = 0

    def packets(self, data: bytes) -> list[Packet]:
        """Return the packets that `data` completes. Raises `MalformedPacket`."""
        if self._begun:
            # The beginning is copied only when the packet is complete, so that the work is linear in the bytes.
            self._begun += data
            if len(self._begun) < self._due_bytes:
                return []
            data = bytes(self._begun)
            self._begun.clear()
        packets: list[Packet] = []
        at, end = 0, len(data)
        while True:
            self._due_bytes, begin = _extent(data, at)
            after = at + self._due_bytes
            if after > end or begin == at:
                break
            packets.append(Packet(data[at], data[begin:after]))
            at = after
        self._begun += data[at:]
        return packets


def _extent(data: bytes, at: int) -> tuple[int, int]:
    """Return the bytes of the packet that begins at `at`, and the position of its body. If its length is incomplete,
    return the bytes that are needed next, and `at`."""
    length = 0
    for number in range(_LENGTH_BYTES_MAX):
        position = at + 1 + number
        if position >= len(data):
            return number + 2, at
        byte = data[position]
        length |= (byte & 0x7F) << 7 * number
        if byte < 0x80:
            if length > PACKET_BYTES_MAX:
                raise MalformedPacket(f"a packet of {length} bytes; {PACKET_BYTES_MAX} are allowed")
            return position + 1 + length - at, position + 1
    raise MalformedPacket("a length of more than four bytes")


def encode_packet(packet: Packet) -> bytes:
    """Encode a packet. Its length takes as few bytes as possible."""
    return bytes((packet.head,)) + _encode_length(len(packet.body)) + packet.body


def _encode_length(length: int) -> bytes:
    encoded = bytearray()
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def _encode_text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def encode_publish(
    topic: str, payload: bytes, packet_id: int, *, retain: bool, user_properties: Sequence[tuple[str, str]] = ()
) -> bytes:
    """Encode a PUBLISH at QoS 1 that has no properties but `user_properties` (name, value)."""
    name = topic.encode()
    properties = b"".join(
        [bytes((_USER_PROPERTY,)) + _encode_text(key) + _encode_text(value) for key, value in user_properties]
    )
    length = len(name) + len(properties) + len(payload)
    head = bytearray((PUBLISH | _QOS_1 | (_RETAIN if retain else 0),))
    size = _encode_length(len(properties))
    head += _encode_length(4 + length + len(size))
    head += len(name).to_bytes(2, "big")
    return b"".join((head, name, packet_id.to_bytes(2, "big"), size, properties, payload))


def encode_puback(packet_id: int) -> bytes:
    """Encode the PUBACK of a message that is accepted."""
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


def read_publish(packet: Packet) -> ReceivedMessage:
    """Read a PUBLISH at QoS 0 or 1; its properties are not decoded. Raises `MalformedPacket`."""
    head, body = packet
    properties = b""
    try:
        at = 2 + (body[0] << 8 | body[1])
        topic = body[2:at]
        packet_id = 0
        if head & _QOS:
            packet_id = body[at] << 8 | body[at + 1]
            at += 2
        if body[at]:
            size, begin = _extent(body, at - 1)
            at += size - 1 if begin > at else len(body)
            properties = body[begin:at]
        else:
            at += 1
    except IndexError:
        at = len(body) + 1
    if at > len(body) or head & _QOS > _QOS_1 or bool(head & _QOS) is not bool(packet_id):
        raise MalformedPacket("a PUBLISH that is incomplete or has a QoS that was not requested")
    return ReceivedMessage(topic, body[at:], (head & _QOS) >> 1, packet_id, properties)


_USER_PROPERTY = 0x26
_FIXED_BYTES = {0x01: 1, 0x02: 4, 0x23: 2}
"""Bytes of a property's value: payload format indicator, message expiry interval, topic alias."""
_WITH_LENGTH = (0x03, 0x08, 0x09)
"""Properties with a length of two bytes: content type, response topic, correlation data."""


def user_properties(data: bytes) -> dict[str, str]:
    """Return the user properties (MQTT 5 §3.3.2.3.7) among the properties of a PUBLISH, up to the first property that
    is malformed or unknown. The broker checks the properties that it forwards."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        kind, at = data[at], at + 1
        if kind == _USER_PROPERTY:
            name, at = _text(data, at)
            value, at = _text(data, at)
            if at > len(data):
                break
            found[name] = value
        elif kind in _FIXED_BYTES:
            at += _FIXED_BYTES[kind]
        elif kind in _WITH_LENGTH:
            _, at = _text(data, at)
        else:
            break
    return found


def _text(data: bytes, at: int) -> tuple[str, int]:
    """Return the text at a position, and the position behind it. The position is behind the end if the text is cut."""
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    return data[at + 2 : end].decode(errors="replace"), end


class Puback(NamedTuple):
    """The response to a PUBLISH: its packet id, and the reason code, 0 if the packet has none (MQTT 5 §3.4.2)."""

    packet_id: int
    reason_code: int

    @property
    def accepted(self) -> bool:
        return self.reason_code < _FAILURE


def read_puback(packet: Packet) -> Puback:
    """Read a PUBACK. Raises `MalformedPacket`."""
    body = packet.body
    if len(body) < 2:
        raise MalformedPacket("a PUBACK without a packet id")
    return Puback(body[0] << 8 | body[1], body[2] if len(body) > 2 else 0)
