"""Controller for this machine's kernel through Linux's /dev/vhci, so that BlueZ gets a simulated adapter.

Opening the device file and writing a type creates the adapter; closing the file removes it. Each read and each write
carries one HCI packet. Only the virtual machine of `make test-bluez` has this device file.
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
    """Port to this machine's kernel, which is the Bluetooth host: a packet source and sink of Bumble. Raises OSError
    where /dev/vhci does not exist."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._cutter = PacketCutter(vhci=True)
        self._sink: TransportSink | None = None
        os.write(self._descriptor, _PRIMARY)
        asyncio.get_running_loop().add_reader(self._descriptor, self._on_readable)

    def set_packet_sink(self, sink: TransportSink) -> None:
        self._sink = sink

    def on_packet(self, packet: bytes) -> None:
        """Send one packet to the kernel. Where the kernel does not accept it at once, remove the adapter."""
        if self._descriptor < 0:
            return
        try:
            os.write(self._descriptor, packet)
        except OSError as error:
            log.warning("vhci.lost", error=type(error).__name__)
            self.close()

    def close(self) -> None:
        """Remove the adapter from the kernel. Repeated calls do nothing."""
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
