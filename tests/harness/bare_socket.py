"""HTTP without an HTTP library: octets in, octets out, so that a test can send what no client would.

Answers are read by Content-Length or to the end of the connection, within a deadline, and checked for being well-formed
on the way.
"""

import json
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 15.0
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class BareAnswer:
    """One answer. `closed`: whether the server ended the connection after it."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool

    def json(self) -> Any:
        return json.loads(self.body)


class BareConnection:
    """One connection to a port of this machine."""

    def __init__(self, port: int, patience_s: float = PATIENCE_S) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
        self._patience_s = patience_s
        self._received = b""

    def send(self, octets: bytes) -> None:
        """Send, and do not mind a server that has already answered and left."""
        try:
            self._socket.sendall(octets)
        except (ConnectionResetError, BrokenPipeError):
            return

    def answer(self, *, head_only: bool = False) -> BareAnswer:
        """The next answer, whole."""
        head = self._until(b"\r\n\r\n")
        assert head is not None, f"no answer came, only {self._received[:200]!r}"
        status_line, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(": ")
            assert colon, f"a header line without a colon: {line!r}"
            assert name.lower() not in headers, f"{name} came twice"
            headers[name.lower()] = value
        length = int(headers.get("content-length", "0"))
        body = b"" if head_only or status in ("204", "304") else self._exactly(length)
        return BareAnswer(int(status), headers, body, headers.get("connection", "").lower() == "close")

    def ended(self) -> bool:
        """Whether the server ends the connection within the patience, without another octet."""
        try:
            return not self._received and self._socket.recv(_CHUNK) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def _until(self, end: bytes) -> bytes | None:
        deadline_s = time.monotonic() + self._patience_s
        while end not in self._received:
            if time.monotonic() > deadline_s or not self._more():
                return None
        found, _, self._received = self._received.partition(end)
        return found

    def _exactly(self, octets: int) -> bytes:
        while len(self._received) < octets and self._more():
            pass
        found, self._received = self._received[:octets], self._received[octets:]
        assert len(found) == octets, "the connection ended within a body"
        return found

    def _more(self) -> bool:
        try:
            part = self._socket.recv(_CHUNK)
        except (ConnectionResetError, TimeoutError):
            return False
        self._received += part
        return bool(part)

    def close(self) -> None:
        self._socket.close()


def ask(port: int, octets: bytes, *, head_only: bool = False) -> BareAnswer:
    """Send on a connection of its own, read one answer; when it announced so, the connection must have ended."""
    with closing(BareConnection(port)) as connection:
        connection.send(octets)
        answer = connection.answer(head_only=head_only)
        if answer.closed:
            assert connection.ended(), "Connection: close was said and not done"
        return answer


def request(method: str, path: str, *lines: str, host: str = "127.0.0.1", body: bytes = b"") -> bytes:
    """A well-formed request with these header lines."""
    head = "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", f"Host: {host}", *lines))
    return head.encode("latin-1") + b"\r\n" + body
