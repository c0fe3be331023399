"""Wire captures: the bytes that crossed a link, as JSON lines for people to read and for tests to replay.

    {"meta": {…}}                                                      the first line: who spoke, why it was captured
    {"dir": "agent->manager", "hex": "e200…", "t": 0.0031, "conn": 1}  one APDU; t in seconds, conn counts connections
    {"dir": "agent->manager", "hex": "00610046…", "t": 0.1, "conn": 2, "gatt": "1822/2a5f"}    one GATT value

Each APDU is one line, even if the link delivered it in pieces. Bytes that are no APDU are written as received, since
captures are needed most when a device sends invalid data. The file holds patient data: only its owner may read it, and
it never replaces another file. At its size limit the capture stops with a last line that gives the reason.
"""

import contextlib
import errno
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from gateway.transports.link import Direction

Dir = Literal["agent->manager", "manager->agent"]
Role = Literal["manager", "agent"]

_HEADER_BYTES = 4
_CHOICES: Final = frozenset(range(0xE2, 0xE8))
"""First byte of an APDU's choice, AARQ to PRST; the second is 0 (20601 §3)."""

_ATTRIBUTE: Final = re.compile("[0-9a-f]{4}/[0-9a-f]{4}")

_NOTE_BYTES = 200
"""Bytes that are reserved for the last line."""

LINE_BYTES_MAX = 1 << 20
"""Upper bound on a line, longer than any line that is written: the longest APDU takes 131 kB in hex."""

FILE_BYTES_MAX = 256 << 20
"""Upper bound on a file, since it is read into memory as a whole; a day of a monitor is below it."""


class CaptureError(Exception):
    """A file is not a capture. `line` counts from 1; 0 where the file as a whole is meant."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        self.path = path
        self.line = line
        self.reason = reason
        super().__init__(f"{path}, line {line}: {reason}" if line else f"{path}: {reason}")


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a capture. `t_s` counts from the start. `gatt`: service and characteristic of a GATT value."""

    dir: Dir
    octets: bytes
    t_s: float
    conn: int
    gatt: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """The content of a capture file. `ended` is the reason if the capture stopped early, else None."""

    meta: Mapping[str, Any]
    records: tuple[Record, ...]
    ended: str | None = None


class CaptureWriter:
    """Writer of one capture file for all connections. A disk error ends the capture and affects no connection."""

    def __init__(self, path: Path, limit_bytes: int, *, meta: Mapping[str, Any], started_s: float) -> None:
        """Create `path` with mode 0600. Times in the file count from monotonic `started_s`. `meta` must be JSON and
        hold no patient's name. Raises FileExistsError where the path exists, and other OSError."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Unbuffered: a written line is with the kernel when the call returns, or the line is removed again.
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._written_bytes = 0
        self._room_bytes = limit_bytes - _NOTE_BYTES
        self._limit_bytes = limit_bytes
        self._started_s = started_s
        self._connections: list[ConnectionCapture] = []
        self._count = 0
        self.ended: str | None = None
        """The reason that nothing is written any more; None while the capture runs."""
        self._line({"meta": dict(meta)})

    def connection(self, role: Role = "manager") -> "ConnectionCapture":
        """Add a connection to the capture, and return the writer of its bytes. `role` is the role of this side."""
        self._count += 1
        connection = ConnectionCapture(self, role, self._count)
        self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Write the bytes of incomplete APDUs and close the file. Repeated calls do nothing."""
        for connection in tuple(self._connections):
            connection.end()
        if self.ended is None:
            self.ended = "closed"
        self._file.close()

    def write(self, record: Record) -> None:
        """Write one line of the capture. After the capture has ended, do nothing."""
        line = {"dir": record.dir, "hex": record.octets.hex(), "t": round(record.t_s, 4), "conn": record.conn}
        if record.gatt is not None:
            line["gatt"] = "{:04x}/{:04x}".format(*record.gatt)
        self._line(line)

    def forget(self, connection: "ConnectionCapture") -> None:
        if connection in self._connections:
            self._connections.remove(connection)

    def since_start_s(self, at_s: float) -> float:
        return max(0.0, at_s - self._started_s)

    def _line(self, value: Mapping[str, Any]) -> None:
        if self.ended is not None:
            return
        line = json.dumps(value).encode() + b"\n"
        self._room_bytes -= len(line)
        if self._room_bytes < 0:
            self.ended = "size limit"
            line = json.dumps({"meta": {"ended": self.ended, "limit_bytes": self._limit_bytes}}).encode() + b"\n"
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.ended = f"disk: {error.strerror}"
            with contextlib.suppress(OSError):
                self._file.truncate(self._written_bytes)
        else:
            self._written_bytes += len(line)


class ConnectionCapture:
    """Writer of the bytes of one connection to its capture."""

    def __init__(self, writer: CaptureWriter, role: Role, conn: int) -> None:
        self._writer = writer
        self._conn = conn
        ours: Dir = "manager->agent" if role == "manager" else "agent->manager"
        theirs: Dir = "agent->manager" if role == "manager" else "manager->agent"
        self._dirs: Mapping[Direction, Dir] = {"sent": ours, "received": theirs}
        self._held: dict[Direction, bytearray] = {"sent": bytearray(), "received": bytearray()}
        self._last_s = 0.0

    def trace(self, direction: Direction, data: bytes, at_s: float) -> None:
        self._last_s = at_s
        held = self._held[direction]
        held += data
        while held:
            if held[0] not in _CHOICES or (len(held) > 1 and held[1] != 0):
                self._flush(direction)
                return
            end = _HEADER_BYTES + int.from_bytes(held[2:4], "big")
            if len(held) < _HEADER_BYTES or len(held) < end:
                return
            self._write(direction, bytes(held[:end]))
            del held[:end]

    def value(self, direction: Direction, attribute: tuple[int, int], octets: bytes, at_s: float) -> None:
        """Write a GATT value. Values are never split, so the line is written at once."""
        t_s = self._writer.since_start_s(at_s)
        self._writer.write(Record(self._dirs[direction], octets, t_s, self._conn, attribute))

    def end(self) -> None:
        """Write the bytes of incomplete APDUs and remove the connection from the capture."""
        self._flush("received")
        self._flush("sent")
        self._writer.forget(self)

    def _flush(self, direction: Direction) -> None:
        held = self._held[direction]
        if held:
            self._write(direction, bytes(held))
            held.clear()

    def _write(self, direction: Direction, octets: bytes) -> None:
        t_s = self._writer.since_start_s(self._last_s)
        self._writer.write(Record(self._dirs[direction], octets, t_s, self._conn))


def read_capture(path: Path) -> Capture:
    """Read a capture file. Raises CaptureError where it is not a capture, and OSError where it cannot be read."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise CaptureError(path, 0, f"larger than {FILE_BYTES_MAX} bytes")
    meta: Mapping[str, Any] | None = None
    ended: str | None = None
    records = []
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LINE_BYTES_MAX + 1), b""), start=1):
            if len(line) > LINE_BYTES_MAX:
                raise CaptureError(path, number, f"longer than {LINE_BYTES_MAX} bytes")
            if not line.strip():
                continue
            value = _object(path, number, line)
            if "meta" not in value:
                if meta is None:
                    raise CaptureError(path, number, 'the first line must be {"meta": {…}}')
                records.append(_record(path, number, value))
            elif not isinstance(value["meta"], dict):
                raise CaptureError(path, number, "meta is not an object")
            elif meta is None:
                meta = value["meta"]
            else:
                ended = str(value["meta"].get("ended", "")) or ended
    if meta is None:
        raise CaptureError(path, 0, "empty")
    return Capture(meta, tuple(records), ended)


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CaptureError(path, number, f"not JSON ({error})") from None
    if not isinstance(value, dict):
        raise CaptureError(path, number, "not a JSON object")
    return value


def _record(path: Path, number: int, value: Mapping[str, Any]) -> Record:
    direction, text, t_s, conn = (value.get(key) for key in ("dir", "hex", "t", "conn"))
    if direction != "agent->manager" and direction != "manager->agent":
        raise CaptureError(path, number, 'dir must be "agent->manager" or "manager->agent"')
    try:
        octets = bytes.fromhex(text if isinstance(text, str) else "?")
    except ValueError:
        raise CaptureError(path, number, "hex must be pairs of hexadecimal digits") from None
    if isinstance(t_s, bool) or not isinstance(t_s, int | float) or not math.isfinite(t_s) or t_s < 0:
        raise CaptureError(path, number, "t must be seconds since the start")
    if isinstance(conn, bool) or not isinstance(conn, int) or conn < 0:
        raise CaptureError(path, number, "conn must be the number of a connection")
    return Record(direction, octets, float(t_s), conn, _attribute(path, number, value.get("gatt")))


def _attribute(path: Path, number: int, text: object) -> tuple[int, int] | None:
    if text is None:
        return None
    if not isinstance(text, str) or _ATTRIBUTE.fullmatch(text) is None:
        raise CaptureError(path, number, 'gatt must be service and characteristic, "1822/2a5f"')
    service, _, characteristic = text.partition("/")
    return int(service, 16), int(characteristic, 16)
