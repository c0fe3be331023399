"""HTTP over a plain socket, so that a test can send bytes that no HTTP library would send.

Each response is read by its Content-Length within a deadline. Its status line and headers are checked while it is
parsed.
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
class BareResponse:
    """One response. `closed` is True if it has the header `Connection: close`."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool

    def json(self) -> Any:
        return json.loads(self.body)


class BareConnection:
    """One TCP connection to a port of 127.0.0.1, with `patience_s` as the timeout of each response."""

    def __init__(self, port: int, patience_s: float = PATIENCE_S) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
        self._patience_s = patience_s
        self._received = b""

    def send(self, octets: bytes) -> None:
        """Send the bytes; ignore the error if the server has already closed the connection."""
        try:
            self._socket.sendall(octets)
        except (ConnectionResetError, BrokenPipeError):
            return

    def answer(self, *, head_only: bool = False) -> BareResponse:
        """Read and return the next response; with `head_only`, a response without a body, as to a HEAD request."""
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
        return BareResponse(int(status), headers, body, headers.get("connection", "").lower() == "close")

    def ended(self) -> bool:
        """Return True if the server closes the connection within the timeout and sends nothing before."""
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


def exchange(port: int, octets: bytes, *, head_only: bool = False) -> BareResponse:
    """Send a request on a new connection and return the response.

    If the response has `Connection: close`, check that the server closes the connection.
    """
    with closing(BareConnection(port)) as connection:
        connection.send(octets)
        answer = connection.answer(head_only=head_only)
        if answer.closed:
            assert connection.ended(), "Connection: close was said and not done"
        return answer


def request(method: str, path: str, *lines: str, host: str = "127.0.0.1", body: bytes = b"") -> bytes:
    """Return the bytes of an HTTP/1.1 request with a Host header and these further header lines."""
    head = "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", f"Host: {host}", *lines))
    return head.encode("latin-1") + b"\r\n" + body
