"""Committed and acknowledged sequence numbers (marks) of each lane, in a small file beside the store: `<store>.marks`.

A store whose log was cut, or that was restored from an earlier copy, is a valid database: nothing in it shows that it
once held more. If the gateway continued such a store, it would reuse the numbers of existing batches, and the cloud
would suspect that a second gateway uses the same identity.

The file is written after each commit without a flush of its own, so it may show less than was committed, never more.
One write of 88 bytes in place needs no room on a full disk. A damaged file, or one of another epoch, is ignored.
"""

import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from protocols.uplink.lanes import Lane

_MAGIC = b"ARGM"
_LANES = (Lane.EVENT, Lane.EPCR, Lane.NUMERIC, Lane.WAVEFORM)
"""Order of the lanes in the file, which never changes."""
_FORM = struct.Struct(">4s16s" + "QQ" * len(_LANES))
_SUM = struct.Struct(">I")
_BYTES = _FORM.size + _SUM.size

log = structlog.get_logger()


def marks_path(store: Path) -> Path:
    return store.with_name(store.name + ".marks")


@dataclass(frozen=True, slots=True)
class HighWater:
    """Last committed (`last`) and acknowledged (`acked`) sequence number of each lane of `epoch`. A lane missing from a
    mapping counts as 0."""

    epoch: str
    last: Mapping[Lane, int] = field(default_factory=dict)
    acked: Mapping[Lane, int] = field(default_factory=dict)

    def behind(self, epoch: str, last: Mapping[Lane, int]) -> Lane | None:
        """Return a lane whose last sequence number in the store (`last`) is below the number in the marks file, or
        None. If `epoch` is not the epoch of the marks file, return None."""
        if epoch != self.epoch:
            return None
        return next((lane for lane in Lane if last[lane] < self.last.get(lane, 0)), None)

    @classmethod
    def read(cls, path: Path) -> "HighWater | None":
        """Return the sequence numbers in the marks file at `path`, or None where the file is missing or damaged."""
        try:
            found = path.read_bytes()
        except OSError:
            return None
        if len(found) != _BYTES or _SUM.unpack(found[_FORM.size :])[0] != zlib.crc32(found[: _FORM.size]):
            return None
        magic, epoch, *numbers = _FORM.unpack(found[: _FORM.size])
        if magic != _MAGIC:
            return None
        pairs = dict(zip(_LANES, zip(numbers[::2], numbers[1::2], strict=True), strict=True))
        return cls(
            epoch.rstrip(b"\0").decode("ascii", "replace"),
            {lane: last for lane, (last, _) in pairs.items()},
            {lane: acked for lane, (_, acked) in pairs.items()},
        )


class MarksFile:
    """The marks file (sequence numbers of each lane), open for writing. After an error nothing more is written: trouble
    with this file must never endanger the store."""

    def __init__(self, store: Path) -> None:
        self._failed = False
        try:
            self._descriptor = os.open(marks_path(store), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._descriptor = -1
            self._give_up(error)

    def write(self, epoch: str, marks: Mapping[Lane, tuple[int, int]]) -> None:
        """Write the last committed and the acknowledged sequence number of each lane."""
        if self._failed:
            return
        numbers = [number for lane in _LANES for number in marks[lane]]
        packed = _FORM.pack(_MAGIC, epoch.encode("ascii"), *numbers)
        try:
            os.pwrite(self._descriptor, packed + _SUM.pack(zlib.crc32(packed)), 0)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._failed = True

    def _give_up(self, error: OSError) -> None:
        self._failed = True
        log.warning("buffer.marks_unwritten", why=error.strerror)
