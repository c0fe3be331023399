"""A controller for this machine's kernel: Linux's /dev/vhci, through which BlueZ gets an adapter that is ours.

Opening the device and writing a type creates the adapter, closing it removes it. One HCI packet for each write and each
read. Only the guest of `make test-bluez` has such a device.
"""

from __future__ import annotations

import asyncio
import os

import structlog
from bumble.transport.common import TransportSink

from simulators.ble.hci_stream import VENDOR_KIND, NoHci, PacketCutter

log = structlog.get_logger(__name__)

_PRIMARY = bytes([VENDOR_KIND, 0x00])
# More than any packet: ACL data of 1021 bytes and its header.
_READ_BYTES = 4096


class VhciPort:
    """The kernel as a host; a Bumble packet source and sink at once. Raises OSError where there is no such device."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._cutter = PacketCutter(vhci=True)
        self._sink: TransportSink | None = None
        os.write(self._descriptor, _PRIMARY)
        asyncio.get_running_loop().add_reader(self._descriptor, self._on_readable)

    def set_packet_sink(self, sink: TransportSink) -> None:
        """Set the receiver of the kernel's packets."""
        self._sink = sink

    def on_packet(self, packet: bytes) -> None:
        """Send one packet to the kernel, which accepts it at once or not at all."""
        if self._descriptor < 0:
            return
        try:
            os.write(self._descriptor, packet)
        except OSError as error:
            log.warning("vhci.lost", error=type(error).__name__)
            self.close()

    def close(self) -> None:
        """Remove the adapter from the kernel. Idempotent."""
        if self._descriptor < 0:
            return
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1

    def _on_readable(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("vhci.lost", error=type(error).__name__)
            self.close()
            return
        try:
            for packet in self._cutter.cut(data):
                if packet[0] == VENDOR_KIND:
                    log.info("vhci.plugged", adapter=f"hci{int.from_bytes(packet[2:4], 'little')}")
                elif self._sink is not None:
                    self._sink.on_packet(packet)
        except NoHci as error:
            log.warning("vhci.lost", kind=error.kind)
            self.close()
