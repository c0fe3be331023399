"""Reads and writes the socket of one paho client on the event loop, instead of on paho's own thread."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

PUBACK_S = 0.05
"""Time for which a PUBACK waits for other packets. The acknowledgements of two lanes arrive together, and a packet of
its own costs more on a mobile link than the PUBACK. The broker has some twenty more messages in flight meanwhile."""


class PahoSocket:
    """Runs the I/O of `client` on the event loop. `broken` is called with a sentence when the connection breaks."""

    def __init__(self, client: paho.Client, broken: Callable[[str], None]) -> None:
        self._client = client
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._writing: asyncio.Handle | None = None
        self._writes_late = self._is_reading = False

    def watch(self) -> bool:
        """Start reading and writing the socket of a connected client. Return False if the broker has already
        disconnected."""
        opened: Any = self._client.socket()  # paho types it without `setsockopt`
        if opened is None:
            return False
        # A batch is one small write that a caller waits for: it must not be held until the one before is acknowledged.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add_reader(opened, self._read)
        self._client.on_socket_close = self._on_close
        self._client.on_socket_register_write = self._on_want_write
        self._client.on_socket_unregister_write = self._on_wrote
        if self._client.want_write():
            self._on_want_write(None, None, opened)
        return True

    def close(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        opened = self._client.socket()
        if opened is not None:
            self._unwatch(opened)
            opened.close()

    def run_step(self, step: Callable[[], MQTTErrorCode]) -> None:
        """Run one step of paho. Call `broken` if an exception or a return code reports the end of the connection."""
        try:
            result = step()
        except (OSError, ValueError) as error:
            self._broken(f"the connection to the broker broke: {error}")
            return
        if result is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._broken(f"the connection to the broker broke: {paho.error_string(result)}")

    def _read(self) -> None:
        self._is_reading = True
        try:
            self.run_step(self._client.loop_read)
            # TLS may hold decrypted bytes that the descriptor no longer announces; a closed socket holds none.
            while isinstance(opened := self._client.socket(), ssl.SSLSocket) and opened.pending():
                self.run_step(self._client.loop_read)
        finally:
            self._is_reading = False

    def _write(self) -> None:
        self.run_step(self._write_together)

    def _write_together(self) -> MQTTErrorCode:
        """Write what is queued. paho makes a system call for each packet, and the kernel sends them together, so that
        two batches of a commit are one packet on the link."""
        opened: Any = self._client.socket()
        if opened is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        result = self._client.loop_write()
        if opened.fileno() >= 0:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        return result

    def _write_soon(self) -> None:
        """Write what is queued. Only what the socket does not take now is left to the selector, whose registration
        costs two system calls and a turn of the loop for each message."""
        self._writing = None
        if self._client.socket() is None:
            return
        self._write()
        opened: Any = self._client.socket()
        if opened is not None and opened.fileno() >= 0 and self._client.want_write():
            self._loop.add_writer(opened, self._write)

    def _on_want_write(self, _client: Any, _data: Any, _sock: Any) -> None:
        # While paho reads, it queues nothing but responses (PUBACK).
        late = self._is_reading
        if self._writing is not None and (late or not self._writes_late):
            return
        if self._writing is not None:
            self._writing.cancel()
        self._writes_late = late
        self._writing = (
            self._loop.call_later(PUBACK_S, self._write_soon) if late else self._loop.call_soon(self._write_soon)
        )

    def _on_wrote(self, _client: Any, _data: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock)

    def _on_close(self, _client: Any, _data: Any, sock: Any) -> None:
        self._unwatch(sock)

    def _unwatch(self, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)
