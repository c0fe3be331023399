"""HCI packets over a stream socket (H4: one byte for the packet type, followed by the packet), for both ends.

Bumble's own transports accept one client, ignore that a peer does not read, and continue after bytes that are not HCI.
Here a stream with bytes that are not HCI is closed, and a full buffer is reported to the sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import cast

import structlog
from bumble.transport.common import TransportSink

log = structlog.get_logger(__name__)

# Packet type -> (bytes of header after the type, offset of the length in it, bytes of the length). Core Vol 4 Part A 2.
_KINDS = {1: (3, 2, 1), 2: (4, 2, 2), 4: (2, 1, 1)}
VENDOR_KIND = 0xFF
# Report of Linux's vhci: an operation and the number of the adapter, no length.
_VHCI_KINDS = {**_KINDS, VENDOR_KIND: (3, 0, 0)}
# Limit of data queued for a host that does not read; beyond it, its packets are held at the sender.
_QUEUED_BYTES = 256 * 1024
# Besides data, only responses and events are sent to a host; one with this much of them queued will not read any more.
_UNREAD_BYTES_MAX = 1024 * 1024


class NoHci(Exception):
    """The stream holds bytes that are no HCI packet, and it cannot be resynchronised."""

    def __init__(self, kind: int) -> None:
        self.kind = kind
        super().__init__(f"0x{kind:02X} begins no HCI packet")


class PacketCutter:
    """Splitter of a byte stream into HCI packets. With `vhci` it also accepts the vendor packets of
    Linux's /dev/vhci."""

    def __init__(self, *, vhci: bool = False) -> None:
        self._kinds = _VHCI_KINDS if vhci else _KINDS
        self._rest = b""

    def cut(self, data: bytes) -> Iterator[bytes]:
        """Yield the packets that `data` completes. Raises NoHci at bytes that are not HCI."""
        buffer = self._rest + data if self._rest else data
        at, size = 0, len(buffer)
        while at < size:
            form = self._kinds.get(buffer[at])
            if form is None:
                self._rest = b""
                raise NoHci(buffer[at])
            header, offset, width = form
            if size - at < 1 + header:
                break
            length_at = at + 1 + offset
            end = at + 1 + header + int.from_bytes(buffer[length_at : length_at + width], "little")
            if size < end:
                break
            yield buffer[at:end]
            at = end
        self._rest = buffer[at:]


class HciStream(asyncio.Protocol):
    """One end of a socket, as a packet source and sink of Bumble. `flowing(False)` is called when its buffer is full,
    and `flowing(True)` when there is room again."""

    def __init__(
        self,
        *,
        opened: Callable[[HciStream], None] | None = None,
        ended: Callable[[HciStream], None] | None = None,
        flowing: Callable[[bool], None] | None = None,
    ) -> None:
        self.terminated: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.flowing = flowing
        self._opened, self._ended = opened, ended
        self._sink: TransportSink | None = None
        self._transport: asyncio.Transport | None = None
        self._cutter = PacketCutter()
        self._full = False
        self._unread_bytes = 0

    # Bumble source and sink

    def set_packet_sink(self, sink: TransportSink) -> None:
        self._sink = sink

    def on_packet(self, packet: bytes) -> None:
        """Send one packet, or drop it after a disconnect. Disconnect a peer that leaves too much unread."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._full:
            self._unread_bytes += len(packet)
            if self._unread_bytes > _UNREAD_BYTES_MAX:
                log.warning("hci.host_given_up")
                self._transport.abort()
                return
        self._transport.write(packet)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # asyncio protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_QUEUED_BYTES)
        if self._opened is not None:
            self._opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.terminated.done():
            self.terminated.set_result(None)
        lost = getattr(self._sink, "on_transport_lost", None)
        if lost is not None:
            lost()
        if self._ended is not None:
            self._ended(self)

    def pause_writing(self) -> None:
        self._full, self._unread_bytes = True, 0
        if self.flowing is not None:
            self.flowing(False)

    def resume_writing(self) -> None:
        self._full = False
        if self.flowing is not None:
            self.flowing(True)

    def data_received(self, data: bytes) -> None:
        try:
            for packet in self._cutter.cut(data):
                if self._sink is not None:
                    self._sink.on_packet(packet)
        except NoHci as error:
            log.warning("hci.stream_refused", kind=error.kind)
            self.close()
