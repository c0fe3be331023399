"""Header of a WFDB record: signals, files, formats and scales.

The format is PhysioNet's (header(5) of the WFDB applications guide). Fields that do not affect samples are ignored, and
absent fields have the documented defaults. A field with an invalid value is refused, with the line number.
Multi-segment records are refused too; their segments are records that can be read one by one.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

_HEADER_BYTES_MAX = 1 << 20
_SIGNALS_MAX = 1024
_DEFAULT_HZ = Fraction(250)
_DEFAULT_GAIN = Fraction(200)
"""ADC units per physical unit of a signal that was not calibrated."""

# As many digits as an integer of 64 bits has, and an exponent that a double has: 1e999999999 is no gain, but would
# compute a billion digits.
_NUMBER = r"[+-]?(?:\d{1,19}(?:\.\d{0,19})?|\.\d{1,19})(?:[eE][+-]?\d{1,2})?"
_FREQUENCY = re.compile(rf"(?P<hz>{_NUMBER})(?:/{_NUMBER}(?:\({_NUMBER}\))?)?")
_FORMAT = re.compile(
    r"(?P<format>\d{1,19})(?:x(?P<frame>\d{1,19}))?(?::(?P<skew>\d{1,19}))?(?:\+(?P<offset>\d{1,19}))?"
)
_GAIN = re.compile(rf"(?P<gain>{_NUMBER})(?:\((?P<baseline>[+-]?\d{{1,19}})\))?(?:/(?P<units>\S+))?")
_COUNT = re.compile(r"\d{1,19}")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class RecordUnusable(Exception):
    """A WFDB record that cannot be read: which, and why, in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One signal of a record. The physical value is (sample − baseline) / gain, in `units`."""

    file: str
    format: int
    samples_per_frame: int
    skew_frames: int
    byte_offset: int
    gain: Fraction
    baseline: int
    units: str
    first_value: int
    checksum: int | None
    description: str


@dataclass(frozen=True, slots=True)
class Header:
    """Fields of a header that playback needs. `frames` is None where the header does not state it."""

    name: str
    frame_hz: Fraction
    frames: int | None
    signals: tuple[Signal, ...]


def read_header(path: Path) -> Header:
    """Read a header. Raises RecordUnusable where the file is absent, too large, or not a header."""
    try:
        if path.stat().st_size > _HEADER_BYTES_MAX:
            raise RecordUnusable(f"{path.name} is larger than any WFDB header")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RecordUnusable(f"{path} cannot be read: {error.strerror}") from error
    return parse_header(text, path.name)


def parse_header(text: str, source: str) -> Header:
    """Parse the text of a header. `source` is the file name for error messages. Raises RecordUnusable."""
    lines = [
        (f"{source} line {number}", line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines:
        raise RecordUnusable(f"{source} holds no record line")
    name, count, frame_hz, frames = _record_line(*lines[0])
    if len(lines) - 1 < count:
        raise RecordUnusable(f"{source} announces {count} signals and describes {len(lines) - 1}")
    signals = tuple(_signal_line(where, line, name, index) for index, (where, line) in enumerate(lines[1 : count + 1]))
    _check_groups(source, signals)
    return Header(name, frame_hz, frames, signals)


def _record_line(where: str, line: str) -> tuple[str, int, Fraction, int | None]:
    """Parse the record line: record name, number of signals, frames a second, and number of frames (None where absent
    or 0). The fields after it (counter frequency, time, date) do not affect samples."""
    fields = line.split()
    name, slash, segments = fields[0].partition("/")
    if slash:
        raise RecordUnusable(f"{where}: {name} is made of {segments} segments; read its segments as records one by one")
    if not _NAME.fullmatch(name):
        raise RecordUnusable(f"{where}: {name!r} is no record name")
    if len(fields) < 2 or not _COUNT.fullmatch(fields[1]) or int(fields[1]) > _SIGNALS_MAX:
        raise RecordUnusable(f"{where}: the record line does not state how many signals there are")
    frame_hz, frames = _DEFAULT_HZ, None
    if len(fields) > 2:
        match = _FREQUENCY.fullmatch(fields[2])
        if match is None or Fraction(match["hz"]) <= 0:
            raise RecordUnusable(f"{where}: {fields[2]!r} is no sampling frequency")
        frame_hz = Fraction(match["hz"])
    if len(fields) > 3:
        if not _COUNT.fullmatch(fields[3]):
            raise RecordUnusable(f"{where}: {fields[3]!r} is no number of samples")
        frames = int(fields[3]) or None
    return name, int(fields[1]), frame_hz, frames


def _signal_line(where: str, line: str, record: str, index: int) -> Signal:
    fields = line.split(maxsplit=8)
    if len(fields) < 2:
        raise RecordUnusable(f"{where}: a signal needs a file and a format")
    file = fields[0]
    if not _NAME.fullmatch(file) or file in {".", ".."}:
        raise RecordUnusable(f"{where}: {file!r} is not the name of a file beside the header")
    match = _FORMAT.fullmatch(fields[1])
    if match is None:
        raise RecordUnusable(f"{where}: {fields[1]!r} is no signal format")
    if int(match["format"]) not in (16, 212):
        raise RecordUnusable(f"{where}: signal format {match['format']} is not read here, only 16 and 212 are")
    samples_per_frame = int(match["frame"] or 1)
    if not 1 <= samples_per_frame <= 1000:
        raise RecordUnusable(f"{where}: {samples_per_frame} samples a frame are not plausible")
    gain, baseline, units = _gain(where, fields[2] if len(fields) > 2 else "0")
    numbers = [_integer(where, field) for field in fields[3:8]]
    # Resolution, zero, first value (the zero unless written), checksum and block size, as far as they are written.
    zero = numbers[1] if len(numbers) > 1 else 0
    return Signal(
        file=file,
        format=int(match["format"]),
        samples_per_frame=samples_per_frame,
        skew_frames=int(match["skew"] or 0),
        byte_offset=int(match["offset"] or 0),
        gain=gain or _DEFAULT_GAIN,
        baseline=zero if baseline is None else baseline,
        units=units,
        first_value=numbers[2] if len(numbers) > 2 else zero,
        checksum=numbers[3] if len(numbers) > 3 else None,
        description=fields[8].strip() if len(fields) > 8 else f"record {record}, signal {index}",
    )


def _gain(where: str, field: str) -> tuple[Fraction, int | None, str]:
    """Parse the gain field: gain (0: not calibrated), baseline (None where absent), and units (mV where absent)."""
    match = _GAIN.fullmatch(field)
    if match is None:
        raise RecordUnusable(f"{where}: {field!r} is no gain")
    gain = Fraction(match["gain"])
    if gain < 0:
        raise RecordUnusable(f"{where}: a gain is not negative")
    return gain, None if match["baseline"] is None else int(match["baseline"]), match["units"] or "mV"


def _integer(where: str, field: str) -> int:
    try:
        return int(field)
    except ValueError:
        raise RecordUnusable(f"{where}: {field!r} is no whole number") from None


def _check_groups(source: str, signals: tuple[Signal, ...]) -> None:
    """Check that the signals of each file are adjacent and have one format and byte offset, because the file
    interleaves them."""
    seen: dict[str, Signal] = {}
    previous = ""
    for signal in signals:
        first = seen.setdefault(signal.file, signal)
        if first is not signal and previous != signal.file:
            raise RecordUnusable(f"{source}: the signals of {signal.file} do not stand together")
        if (first.format, first.byte_offset) != (signal.format, signal.byte_offset):
            raise RecordUnusable(f"{source}: the signals of {signal.file} differ in format or byte offset")
        previous = signal.file
