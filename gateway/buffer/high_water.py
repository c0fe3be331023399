"""Committed and acknowledged sequence numbers (marks) of each lane, in a small file beside the store: `<store>.marks`.

A store whose log was cut, or that was restored from an earlier copy, is a valid database: nothing in it shows that it
once held more. If the gateway continued such a store, it would reuse the numbers of existing batches, and the cloud
would suspect that a second gateway uses the same identity.

The last batch of a lane may grow, so the file has the lane's number of observations too: an older copy may end with the
same batch and hold less of it.

The file is written after each commit without a flush of its own, so it may show less than was committed, never more.
One write of 120 bytes in place needs no room on a full disk. A damaged file, or one of another epoch, is ignored.
"""

import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from protocols.uplink.lanes import Lane

_MAGIC, _EARLIER_MAGIC = b"ARGN", b"ARGM"
_LANES = (Lane.EVENT, Lane.EPCR, Lane.NUMERIC, Lane.WAVEFORM)
"""Order of the lanes in the file, which never changes."""
_FORM = struct.Struct(">4s16s" + "QQQ" * len(_LANES))
_EARLIER_FORM = struct.Struct(">4s16s" + "QQ" * len(_LANES))
"""The form of releases whose batches did not grow: without the numbers of observations."""
_SUM = struct.Struct(">I")

log = structlog.get_logger()


def marks_path(store: Path) -> Path:
    return store.with_name(store.name + ".marks")


@dataclass(frozen=True, slots=True)
class HighWater:
    """Last committed (`last`) and acknowledged (`acked`) sequence number of each lane of `epoch`, and the number of
    observations in the lane so far. A lane missing from a mapping counts as 0."""

    epoch: str
    last: Mapping[Lane, int] = field(default_factory=dict)
    acked: Mapping[Lane, int] = field(default_factory=dict)
    observations: Mapping[Lane, int] = field(default_factory=dict)

    def behind(self, epoch: str, last: Mapping[Lane, int], observations: Mapping[Lane, int]) -> Lane | None:
        """Return a lane whose last sequence number in the store (`last`) is below the number in the marks file, or
        whose last batch has grown further than in the store, or None. `observations`: number of observations of the
        lanes that end with a batch. If `epoch` is not the epoch of the marks file, return None."""
        if epoch != self.epoch:
            return None
        for lane in Lane:
            known = self.last.get(lane, 0)
            if last[lane] < known:
                return lane
            if last[lane] == known and lane in observations and observations[lane] < self.observations.get(lane, 0):
                return lane
        return None

    @classmethod
    def read(cls, path: Path) -> "HighWater | None":
        """Return the sequence numbers in the marks file at `path`, or None where the file is missing or damaged."""
        try:
            found = path.read_bytes()
        except OSError:
            return None
        for form, expected in ((_FORM, _MAGIC), (_EARLIER_FORM, _EARLIER_MAGIC)):
            # An earlier release writes its shorter form over ours, so bytes behind it have no meaning.
            packed, check = found[: form.size], found[form.size : form.size + _SUM.size]
            if len(check) != _SUM.size or _SUM.unpack(check)[0] != zlib.crc32(packed):
                continue
            magic, epoch, *numbers = form.unpack(packed)
            if magic != expected:
                continue
            width = len(numbers) // len(_LANES)
            columns = [dict(zip(_LANES, numbers[start::width], strict=True)) for start in range(width)]
            return cls(epoch.rstrip(b"\0").decode("ascii", "replace"), *columns)
        return None


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

    def write(self, epoch: str, marks: Mapping[Lane, tuple[int, int, int]]) -> None:
        """Write the last committed and acknowledged sequence number of each lane, and its number of observations."""
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
