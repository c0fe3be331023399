"""The bytes of one connection to the broker: read in large pieces, and written once for each turn of the event loop.

paho keeps the connection: name look-up, TLS, CONNECT, subscriptions, keep-alive and DISCONNECT. Its packets pass
through this stream, in order with those of `mqtt_packets`.
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
"""Bytes of one read: those of some two hundred small batches. They are handled before other tasks run, which takes
some 2 ms."""
READ_EVERY_S = 0.005
"""Shortest time between two reads that do not fill a piece. A turn of the event loop for a message costs as much as
half of the rest that is done with it before its group is opened, and a fleet sends a message in each millisecond."""

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
        # At once, since paho closes the socket after a DISCONNECT.
        self.stream.write(bytes(buf))
        self.stream.flush()
        return len(buf)

    def note_received(self) -> None:
        """Note that bytes have arrived, so that paho's keep-alive counts packets that it does not handle."""
        self._last_bytes_received = paho.time_func()

    def take(self, packet: Packet) -> MQTTErrorCode:
        """Handle a packet as if paho had read it from the socket."""
        self._handed.put(packet)
        return self.loop_read()

    def new_packet_id(self) -> int:
        """Return the next packet id. paho's own packets have ids of the same sequence."""
        return self._mid_generate()


class PacketStream:
    """The packets of a connected socket on the event loop. `note` is called when bytes have arrived, `receive` with
    each packet, and `fail` when the connection has broken."""

    def __init__(
        self,
        opened: Any,
        *,
        note: Callable[[], None],
        receive: Callable[[Packet], None],
        fail: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = opened
        self._note = note
        self._receive = receive
        self._fail = fail
        self._divider = PacketDivider()
        self._unsent = UnsentBytes()
        self._flushing: asyncio.Handle | None = None
        self._flushes_late = False
        self._resuming: asyncio.TimerHandle | None = None
        self._blocked = False
        self._closed = False
        self._loop.add_reader(opened, self._read)

    def write(self, data: bytes, *, within_s: float = 0.0) -> None:
        """Send `data` at the end of this turn of the event loop, or later, but within `within_s`, with everything else
        that is written until then. A closed stream drops it."""
        if self._closed:
            return
        self._unsent.add(data)
        if self._blocked or (self._flushing is not None and (within_s or not self._flushes_late)):
            return
        if self._flushing is not None:
            self._flushing.cancel()
        self._flushes_late = bool(within_s)
        self._flushing = self._loop.call_later(within_s, self.flush) if within_s else self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what was written, as far as the socket takes it; the rest follows when the socket is writable."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._closed or not self._unsent:
            return
        try:
            sent = self._socket.send(self._unsent.join())
        except _LATER:
            sent = 0
        except (OSError, ValueError) as error:
            self._fail(str(error))
            return
        self._unsent.remove(sent)
        if bool(self._unsent) is not self._blocked:
            self._blocked = bool(self._unsent)
            if self._blocked:
                self._loop.add_writer(self._socket, self.flush)
            else:
                self._loop.remove_writer(self._socket)

    def close(self) -> None:
        """Stop reading and writing. The caller closes the socket."""
        self._closed = True
        for due in (self._flushing, self._resuming):
            if due is not None:
                due.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        size_bytes = 0
        while not self._closed:
            try:
                data = self._socket.recv(READ_BYTES_MAX)
                packets = self._divider.packets(data)
            except _LATER:
                if size_bytes:
                    self._pause()
                return
            except (OSError, ValueError, MalformedPacket) as error:
                self._fail(str(error))
                return
            if not data:
                self._fail("the broker closed it")
                return
            self._note()
            for packet in packets:
                self._receive(packet)
            size_bytes += len(data)
            if isinstance(self._socket, ssl.SSLSocket):
                # A read returns one record at most, and a broker may send each packet in its own. The rest of a record
                # is decrypted, so the descriptor does not announce it.
                if size_bytes < READ_BYTES_MAX or self._socket.pending():
                    continue
            elif size_bytes < READ_BYTES_MAX:
                self._pause()
            return

    def _pause(self) -> None:
        """Read again after `READ_EVERY_S`, since more messages have arrived then."""
        if not self._closed:
            self._loop.remove_reader(self._socket)
            self._resuming = self._loop.call_later(READ_EVERY_S, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        self._loop.add_reader(self._socket, self._read)
        self._read()
