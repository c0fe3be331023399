"""Read samples of a WFDB record in formats 16 and 212, from any frame on, without loading the whole record.

Argus has its own reader because the reference library requires pandas. A frame holds `samples_per_frame` samples of
each signal. The signals of one file are interleaved by frame. Format 16 is little-endian two's complement; format 212
packs two 12-bit samples into three bytes.

Samples are returned as raw integers; the header has their scale. A missing sample (−32768, or −2048 in format 212) is
returned as `GAP`. A signal with a skew of n frames is read n frames later, so that the returned samples were recorded
at the same time.
"""

import sys
from array import array
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from simulators.replay.wfdb_header import Header, RecordUnusable, Signal, read_header

GAP: Final = -32768
"""Value of a missing sample, independent of the format."""
_GAP_212: Final = -2048
_FRAMES_AT_ONCE_MAX = 1 << 20


class _Group:
    """Signals that one file holds. `width` is the number of samples in one frame of the file."""

    def __init__(self, folder: Path, signals: tuple[Signal, ...]) -> None:
        self.signals = signals
        self.width = sum(signal.samples_per_frame for signal in signals)
        self.format = signals[0].format
        self._start = signals[0].byte_offset
        path = folder / signals[0].file
        try:
            self._file: BufferedReader = path.open("rb")
            octets = path.stat().st_size - self._start
        except OSError as error:
            raise RecordUnusable(f"{path} cannot be read: {error.strerror}") from error
        samples = octets // 2 if self.format == 16 else octets * 2 // 3
        self.frames = max(0, samples) // self.width

    def close(self) -> None:
        self._file.close()

    def read(self, frame: int, count: int) -> "array[int]":
        """Return the samples of `count` frames from `frame` on, interleaved as in the file. Raises RecordUnusable where
        the file is too short."""
        first, wanted = frame * self.width, count * self.width
        samples = self._read_16(first, wanted) if self.format == 16 else self._read_212(first, wanted)
        if len(samples) != wanted:
            raise RecordUnusable(f"{self._file.name} ends before frame {frame + count}")
        return samples

    def _read_16(self, first: int, wanted: int) -> "array[int]":
        self._file.seek(self._start + 2 * first)
        octets = self._file.read(2 * wanted)
        samples = array("h")
        samples.frombytes(octets[: len(octets) // 2 * 2])
        if sys.byteorder == "big":
            samples.byteswap()
        return samples

    def _read_212(self, first: int, wanted: int) -> "array[int]":
        # A pair begins at an even sample: begin one earlier where needed and drop it afterwards.
        skip = first & 1
        pairs = (wanted + skip + 1) // 2
        self._file.seek(self._start + (first - skip) // 2 * 3)
        octets = self._file.read(3 * pairs)
        if len(octets) % 3 == 2:
            octets += b"\0"  # an odd count ends with two bytes
        low, middle, high = octets[0::3], octets[1::3], octets[2::3]
        samples = array("h", bytes(4 * len(high)))
        samples[0::2] = array("h", [_TWELVE[a | (b & 0x0F) << 8] for a, b in zip(low, middle, strict=False)])[
            : len(high)
        ]
        samples[1::2] = array("h", [_TWELVE[c | (b & 0xF0) << 4] for b, c in zip(middle, high, strict=False)])
        return samples[skip : skip + wanted]


_TWELVE: Final = tuple(GAP if value == 0x800 else value - 0x1000 if value & 0x800 else value for value in range(0x1000))
"""Signed number of each 12-bit value; the missing sample of format 212 becomes `GAP`."""


class Record:
    """Open WFDB record. Use it as a context manager, or call `close`."""

    def __init__(self, path: Path | str) -> None:
        """Open a record. `path` may be with or without ".hea". Raises RecordUnusable."""
        header_path = Path(path)
        if header_path.suffix != ".hea":
            header_path = header_path.with_name(header_path.name + ".hea")
        self.header: Header = read_header(header_path)
        self._groups: list[_Group] = []
        try:
            for name in dict.fromkeys(signal.file for signal in self.header.signals):
                members = tuple(signal for signal in self.header.signals if signal.file == name)
                self._groups.append(_Group(header_path.parent, members))
        except RecordUnusable:
            self.close()
            raise
        stored = min((group.frames for group in self._groups), default=0)
        announced = self.header.frames
        if announced is not None and stored < announced:
            self.close()
            raise RecordUnusable(f"{header_path.name} announces {announced} frames, the files hold {stored}")
        self.frames: int = stored if announced is None else announced

    @property
    def signals(self) -> tuple[Signal, ...]:
        return self.header.signals

    def read(self, frame: int, count: int) -> "tuple[array[int], ...]":
        """Return for each signal the samples of `count` frames from `frame` on. Missing samples, and samples that a
        skew moves beyond the end of the record, are `GAP`. The caller must not request frames beyond the end."""
        assert frame >= 0, "a reader requested frames before the record"
        assert frame + count <= self.frames, "a reader requested frames beyond the record"
        assert 0 <= count <= _FRAMES_AT_ONCE_MAX, "a reader requested too many frames at once"
        result: list[array[int]] = []
        for group in self._groups:
            result.extend(_separate(group, frame, count))
        return tuple(result)

    def close(self) -> None:
        for group in self._groups:
            group.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _separate(group: _Group, frame: int, count: int) -> "list[array[int]]":
    """Return the samples of each signal of one file, shifted by the signal's skew."""
    skew_max = max(signal.skew_frames for signal in group.signals)
    available = max(0, min(count + skew_max, group.frames - frame))
    samples = group.read(frame, available)
    result: list[array[int]] = []
    column = 0
    for signal in group.signals:
        each = signal.samples_per_frame
        if each == 1:
            own = samples[column :: group.width]
        else:
            own = array("h", bytes(2 * each * available))
            for part in range(each):
                own[part::each] = samples[column + part :: group.width]
        column += each
        own = own[signal.skew_frames * each : (signal.skew_frames + count) * each]
        own.extend([GAP] * (count * each - len(own)))
        result.append(own)
    return result
