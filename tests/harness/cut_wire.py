"""A connection to PostgreSQL that a test can cut: the cloud connects to a Unix socket of the test, which relays all
bytes.

`cut` removes the socket and ends every connection through it, as when the database machine fails. After `mend`, new
connections succeed. The server itself is not affected, so other tests can use it at the same time.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"
_CHUNK = 65536


class CutWire:
    """A relay between two Unix sockets: clients connect to the socket in `folder`, and the server's socket is in
    `beyond`."""

    def __init__(self, folder: Path, beyond: Path) -> None:
        self.folder = folder
        self._beyond = beyond / SOCKET_NAME
        self._listener: socket.socket | None = None
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()

    def mend(self) -> None:
        """Create the relay's socket and accept connections."""
        path = self.folder / SOCKET_NAME
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """End every connection through the relay, and accept no new ones."""
        (self.folder / SOCKET_NAME).unlink(missing_ok=True)
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                far.connect(str(self._beyond))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._ends |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while octets := one.recv(_CHUNK):
            other.sendall(octets)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


@contextmanager
def wire_to(server_folder: Path, folder: Path) -> Iterator[CutWire]:
    """Yield a relay that accepts connections, and cut it after the block.

    The path of a Unix socket is limited to 107 bytes, so the path of `folder` must be short.
    """
    wire = CutWire(folder, server_folder)
    wire.mend()
    try:
        yield wire
    finally:
        wire.cut()
