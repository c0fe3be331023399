"""The bytes of one connection to the broker: read in large pieces, and written once for each turn of the event loop.

paho keeps the connection: name look-up, TLS, CONNECT, subscriptions, keep-alive and DISCONNECT. Its packets pass
through this stream, in order with those of `protocols.uplink.mqtt_packets`. So two batches of a commit are one packet
on the link, and one system call.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

from protocols.uplink.mqtt_packets import MalformedPacket, Packet, PacketDivider
from protocols.uplink.packet_bytes import HandedPacket, UnsentBytes

READ_BYTES_MAX = 1 << 16
"""Bytes of one read: some hundred acknowledgements."""

_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class StreamClient(paho.Client):
    """paho's client. Once it has a stream, it reads the packets that are handed to it, and writes to the stream."""

    stream: "PacketStream | None" = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._handed = HandedPacket()

    def _sock_recv(self, bufsize: int) -> bytes:
        return self._handed.read(bufsize)

    def _sock_send(self, buf: bytes | bytearray) -> int:
        if self.stream is None:
            return super()._sock_send(buf)
        # At once, since paho closes the socket after a DISCONNECT, and not before the stream has sent all else.
        if self.stream.is_blocked:
            raise BlockingIOError
        self.stream.write(bytes(buf))
        self.stream.flush()
        return len(buf)

    def note_received(self) -> None:
        """Note that bytes have arrived, so that paho's keep-alive counts packets that it does not handle."""
        self._last_bytes_received = paho.time_func()

    def note_sent(self) -> None:
        """Note that bytes were sent, so that paho sends no PINGREQ beside packets that it does not write."""
        self._last_msg_out = paho.time_func()

    def take(self, packet: Packet) -> MQTTErrorCode:
        """Handle a packet as if paho had read it from the socket."""
        self._handed.put(packet)
        return self.loop_read()

    def new_packet_id(self) -> int:
        """Return the next packet id. paho's own packets have ids of the same sequence."""
        return self._mid_generate()


class PacketStream:
    """The packets of the connected socket of `client` on the event loop. `receive` is called with each packet, `fail`
    when the connection has broken, and `emptied` when bytes that the socket did not take at first are sent. `late_s`
    and `late_max`: time for which a late packet waits for others, and number of late packets that wait."""

    def __init__(
        self,
        client: StreamClient,
        opened: Any,
        *,
        receive: Callable[[Packet], None],
        fail: Callable[[str], None],
        emptied: Callable[[], None],
        late_s: float,
        late_max: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._client = client
        self._socket = opened
        self._receive = receive
        self._fail = fail
        self._emptied = emptied
        self._divider = PacketDivider()
        self._unsent = UnsentBytes()
        self._flushing: asyncio.Handle | None = None
        self._late_s = late_s
        self._late_max = late_max
        self._flushes_late = False
        self._late = 0
        """Number of late packets that wait."""
        self.is_blocked = False
        """True while the socket takes no more bytes."""
        self._closed = False
        self._loop.add_reader(opened, self._read)

    def write(self, data: bytes) -> None:
        """Send `data` at the end of this turn of the event loop, with everything else that is written until then. A
        closed stream drops it."""
        if self._closed:
            return
        self._unsent.add(data)
        if self.is_blocked or (self._flushing is not None and not self._flushes_late):
            return
        if self._flushing is not None:
            self._flushing.cancel()
        self._flushes_late = False
        self._flushing = self._loop.call_soon(self.flush)

    def write_late(self, data: bytes) -> None:
        """Send `data` with the next packet that is written, or with other late ones. A closed stream drops it."""
        self._late += 1
        if self._late >= self._late_max:
            self.write(data)
        elif not self._closed:
            self._unsent.add(data)
            if not self.is_blocked and self._flushing is None:
                self._flushes_late = True
                self._flushing = self._loop.call_later(self._late_s, self.flush)

    def flush(self) -> None:
        """Send what was written, as far as the socket takes it; the rest follows when the socket is writable."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._late = 0
        if self._closed or not self._unsent:
            return
        try:
            sent = self._socket.send(self._unsent.join())
        except _LATER:
            sent = 0
        except (OSError, ValueError) as error:
            self._fail(str(error))
            return
        if sent:
            self._client.note_sent()
        self._unsent.remove(sent)
        if bool(self._unsent) is not self.is_blocked:
            self.is_blocked = bool(self._unsent)
            if self.is_blocked:
                self._loop.add_writer(self._socket, self.flush)
            else:
                self._loop.remove_writer(self._socket)
                self._emptied()

    def close(self) -> None:
        """Stop reading and writing. The caller closes the socket."""
        self._closed = True
        if self._flushing is not None:
            self._flushing.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        while not self._closed:
            try:
                data = self._socket.recv(READ_BYTES_MAX)
                packets = self._divider.packets(data)
            except _LATER:
                return
            except (OSError, ValueError, MalformedPacket) as error:
                self._fail(str(error))
                return
            if not data:
                self._fail("the broker closed it")
                return
            self._client.note_received()
            for packet in packets:
                self._receive(packet)
            # TLS may hold decrypted bytes that the descriptor no longer announces.
            if not isinstance(self._socket, ssl.SSLSocket) or not self._socket.pending():
                return
