"""Bytes between a socket and a client library that does not read or write the socket itself; without I/O.

paho keeps the connections of gateway and cloud, and the packets of batches do not pass through it (`mqtt_packets`). So
it reads the other packets from a `HandedPacket`, and everything that is written waits in `UnsentBytes` for the socket.
"""

from protocols.uplink.mqtt_packets import Packet, encode_packet


class HandedPacket:
    """A packet that a client library reads as if from its socket."""

    def __init__(self) -> None:
        self._rest = b""

    def put(self, packet: Packet) -> None:
        """Let a packet be read."""
        self._rest = encode_packet(packet)

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes at most. Raises BlockingIOError when nothing is left, as a socket does."""
        if not self._rest:
            raise BlockingIOError
        data, self._rest = self._rest[:count], self._rest[count:]
        return data


class UnsentBytes:
    """Bytes to be sent, in their order."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, data: bytes) -> None:
        self._parts.append(data)

    def join(self) -> bytes:
        """Return all of them."""
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def remove(self, count: int) -> None:
        """Forget the first `count` bytes of those that `join` returned, since the socket took them."""
        data = self.join()
        self._parts = [data[count:]] if count < len(data) else []
