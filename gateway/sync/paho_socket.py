"""Reads and writes the socket of one paho client on the event loop, instead of on paho's own thread."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode


class PahoSocket:
    """Runs the I/O of `client` on the event loop. `broken` is called with a sentence when the connection breaks."""

    def __init__(self, client: paho.Client, broken: Callable[[str], None]) -> None:
        self._client = client
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._write_due = False

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
        self.run_step(self._client.loop_read)
        # TLS may hold decrypted bytes that the descriptor no longer announces; a closed socket holds none.
        while isinstance(opened := self._client.socket(), ssl.SSLSocket) and opened.pending():
            self.run_step(self._client.loop_read)

    def _write(self) -> None:
        self.run_step(self._client.loop_write)

    def _write_soon(self) -> None:
        """Write what is queued. Only what the socket does not take now is left to the selector, whose registration
        costs two system calls and a turn of the loop for each message."""
        self._write_due = False
        if self._client.socket() is None:
            return
        self._write()
        opened: Any = self._client.socket()
        if opened is not None and opened.fileno() >= 0 and self._client.want_write():
            self._loop.add_writer(opened, self._write)

    def _on_want_write(self, _client: Any, _data: Any, _sock: Any) -> None:
        if not self._write_due:
            self._write_due = True
            self._loop.call_soon(self._write_soon)

    def _on_wrote(self, _client: Any, _data: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock)

    def _on_close(self, _client: Any, _data: Any, sock: Any) -> None:
        self._unwatch(sock)

    def _unwatch(self, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)
