"""Committed and acknowledged sequence numbers (marks) of each lane, in a small file beside the store: `<store>.marks`.

A store whose log was cut, or that was restored from an earlier copy, is a valid database: nothing in it shows that it
once held more. Continuing it would reuse the numbers of existing batches, and the cloud would take the gateway for a
copy of itself. So the marks are kept outside of the store.

The file is written after each commit without a flush of its own. It may show less than was committed, never more: the
commit is durable before the write begins. One write of 88 bytes in place needs no room on a full disk. A marks file
that cannot be read is ignored, and so is one of another epoch, which belongs to an earlier store.
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
    """Return the path of the marks file beside `store`."""
    return store.with_name(store.name + ".marks")


@dataclass(frozen=True, slots=True)
class HighWater:
    """The last committed (`last`) and the acknowledged (`acked`) sequence number of each lane in the store of `epoch`.
    A lane that is not listed is at 0."""

    epoch: str
    last: Mapping[Lane, int] = field(default_factory=dict)
    acked: Mapping[Lane, int] = field(default_factory=dict)

    def behind(self, epoch: str, last: Mapping[Lane, int]) -> Lane | None:
        """Return a lane that has lost batches: the store's last sequence number (`last`) is below the committed one in
        these marks. None: no lane has, or the marks are of another epoch."""
        if epoch != self.epoch:
            return None
        return next((lane for lane in Lane if last[lane] < self.last.get(lane, 0)), None)

    @classmethod
    def read(cls, path: Path) -> "HighWater | None":
        """Return the marks in the file at `path`; None where there is no file or it is damaged."""
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
    """The marks file, open for writing. After an error it is not written any more: it must never endanger the store."""

    def __init__(self, store: Path) -> None:
        self._failed = False
        try:
            self._descriptor = os.open(marks_path(store), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._descriptor = -1
            self._give_up(error)

    def write(self, epoch: str, marks: Mapping[Lane, tuple[int, int]]) -> None:
        """Write the marks: for each lane its last committed and its acknowledged sequence number."""
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
