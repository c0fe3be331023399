"""The body of a row of `observation_minutes`: all values of a channel and minute, as one compressed byte string.

The body holds everything that the single rows held and that differs between the values of a row: sequence, position,
times, value, samples, status and device time. Times that are usually nearly equal (observation, reception, commit) are
written as differences. The order is the order of arrival. A value returns bit for bit: floats are written as their
64-bit patterns and texts as their bytes.

The first byte is the version, so that a later version can change the rest.
"""

import threading
from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import zstandard

from cloud.clinical.observations.minutes.columns import ColumnReader, ColumnsUnreadable, ColumnWriter, minus, plus

VERSION = 1
BODY_BYTES_MAX = 64 << 20
"""Largest body after decompression: a minute of 4,096 of the largest values that a batch can carry is far below."""
_LEVEL = 9
"""Level of compression. A minute of 60 readings has 2 kB of columns, so a higher level hardly changes its size."""


class MinuteValue(NamedTuple):
    """A value of a minute row, with the columns that its single row in `observations` had. `stored_at_us` is the time
    at which the cloud stored it."""

    lane_id: int
    sequence: int
    position: int
    source_id: int
    channel_id: int
    observed_at_us: int
    uncertainty_us: int
    received_at_us: int
    number: float | None
    value: str | None
    samples: bytes | None
    status: int
    device_time: bytes | None
    stored: bool
    clock_id: int | None
    monotonic_us: int | None
    stored_at_us: int

    @property
    def encounter_id(self) -> None:
        """Return None: only an application names an encounter, and what it posts stays a single row."""
        return None


class RowKey(NamedTuple):
    """The columns that all values of a minute row share."""

    lane_id: int
    source_id: int
    channel_id: int
    clock_id: int | None


class BodyEncoder:
    """Encodes bodies with one compressor. Not for use by two threads at once."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)

    def encode(self, values: Sequence[MinuteValue]) -> bytes:
        """Return the body of a row with these values."""
        columns = dict(zip(MinuteValue._fields, zip(*values, strict=True), strict=True))  # all at C speed
        observed, received = columns["observed_at_us"], columns["received_at_us"]
        writer = ColumnWriter()
        writer.integers(columns["sequence"])
        writer.integers(columns["position"])
        writer.integers(observed)
        writer.integers(minus(received, observed))
        writer.integers(minus(columns["stored_at_us"], received))
        writer.integers(columns["uncertainty_us"])
        writer.integers(columns["status"])
        writer.integers(columns["stored"])
        writer.optional_integers(columns["monotonic_us"])
        writer.optional_floats(columns["number"])
        writer.optional_bytes([None if one is None else one.encode() for one in columns["value"]])
        writer.optional_bytes(columns["samples"])
        writer.optional_bytes(columns["device_time"])
        return bytes((VERSION,)) + self._compressor.compress(writer.take())


class _Decompressors(threading.local):
    """A decompressor for each thread. Making one takes ten times as long as decompressing a body."""

    def __init__(self) -> None:
        self.own = zstandard.ZstdDecompressor()


_decompressors = _Decompressors()


def decode_body(key: RowKey, body: bytes, count: int) -> list[MinuteValue]:
    """Return the values of a row, in the order of arrival. Raises `ColumnsUnreadable` for a body that `BodyEncoder` did
    not write with `count` values."""
    if body[:1] != bytes((VERSION,)):
        raise ColumnsUnreadable
    try:
        if zstandard.frame_content_size(body[1:]) > BODY_BYTES_MAX:
            raise ColumnsUnreadable
        reader = ColumnReader(_decompressors.own.decompress(body[1:], allow_extra_data=False))
    except zstandard.ZstdError:
        raise ColumnsUnreadable from None
    sequences, positions, observed = reader.integers(count), reader.integers(count), reader.integers(count)
    received = plus(reader.integers(count), observed)
    stored_at = plus(reader.integers(count), received)
    uncertainty, status, stored = reader.integers(count), reader.integers(count), reader.integers(count)
    monotonic = reader.optional_integers(count)
    numbers = reader.optional_floats(count)
    texts = [None if one is None else _text(one) for one in reader.optional_bytes(count)]
    samples = reader.optional_bytes(count)
    device_times = reader.optional_bytes(count)
    reader.end()
    return list(
        map(
            MinuteValue,
            repeat(key.lane_id),
            sequences,
            positions,
            repeat(key.source_id),
            repeat(key.channel_id),
            observed,
            uncertainty,
            received,
            numbers,
            texts,
            samples,
            status,
            device_times,
            map(bool, stored),
            repeat(key.clock_id),
            monotonic,
            stored_at,
        )
    )


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise ColumnsUnreadable from None
