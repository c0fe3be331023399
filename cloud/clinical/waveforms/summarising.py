"""Make the summary of one object: the least and the greatest sample of each channel, by second and by minute.

The samples of all channels of an object are compared at once, with numpy. A group of a large fleet has a second of 16
channels of each vehicle: loops over its samples took a quarter of the time of ingest, and a call for each channel would
take as long.

`summary` defines the values, and reads what `Summary.write` writes.
"""

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloud.clinical.waveforms.summary import (
    BUCKETS_MAX,
    CHANNELS_MAX,
    FORMATS,
    NAME_BYTES_MAX,
    SECONDS_A_MINUTE,
    ChannelSummary,
    Extremes,
)
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, SampleFormat
from protocols.uplink.channels import DeviceRef
from protocols.uplink.wire import WireWriter

SECOND_US = 1_000_000
SECONDS_KEPT_MAX = BUCKETS_MAX // 2
"""Seconds of all channels in a summary, since as many minutes may be due."""
SAMPLES_BYTES_MAX = 1 << 20
"""Bytes of samples that are compared at once: those of a second of 80 vehicles. Samples of one byte that are further
apart than a second take 100 MB of memory meanwhile, all others a few."""
_I64 = range(-(1 << 63), 1 << 63)
_I64_END = float(1 << 63)
_BYTE_ORDER = ">"  # of samples, as devices send them

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """A channel of a device of a gateway."""

    gateway: str
    device: DeviceRef
    channel: Channel


@dataclass(frozen=True, slots=True)
class SampleBlocks:
    """The blocks of samples of one batch as columns of equal length: the place of the channel in `keys`, the time of
    the first sample in µs, the samples. None: the observation has no samples."""

    keys: Sequence[ChannelKey]
    numbers: Sequence[int]
    observed_at_us: Sequence[int]
    samples: Sequence[bytes | None]


@dataclass(frozen=True, slots=True)
class _Buckets:
    """Columns of equal length, one row for each second or minute of each channel: the number of the channel, the number
    of the second or minute, the least and the greatest sample. They are sorted by the two numbers."""

    channels: Integers
    numbers: Integers
    least: Integers
    greatest: Integers

    @property
    def columns(self) -> tuple[Integers, Integers, Integers, Integers]:
        return self.channels, self.numbers, self.least, self.greatest

    def first(self, count: int) -> "_Buckets":
        return _Buckets(*[column[:count] for column in self.columns])

    def of_channels(self, count: int) -> tuple[Integers, Integers]:
        """Return, for each of `count` channels, its first row and its number of rows."""
        lengths = np.bincount(self.channels, minlength=count)
        return np.cumsum(lengths) - lengths, lengths

    def extremes(self, count: int) -> list[Extremes]:
        """Return the rows of each of `count` channels."""
        columns = [column.tolist() for column in self.columns[1:]]
        begins, lengths = self.of_channels(count)
        return [
            Extremes(*[column[begin : begin + length] for column in columns])
            for begin, length in zip(begins.tolist(), lengths.tolist(), strict=True)
        ]

    def written(self, count: int) -> list[bytes]:
        """Return the rows of each of `count` channels as `read_summaries` reads them: their number, then the three
        columns, byte plane by byte plane."""
        columns = np.stack(self.columns[1:]).astype("<i8")
        begins, lengths = self.of_channels(count)
        written = [b"\0"] * count
        for length in np.unique(lengths[lengths > 0]).tolist():
            having = np.flatnonzero(lengths == length)
            rows = np.ascontiguousarray(columns[:, begins[having][:, None] + np.arange(length)])
            planes = rows.view(np.uint8).reshape(3, len(having), length, 8).transpose(1, 0, 3, 2).tobytes()
            head = WireWriter()
            head.varint(length)
            head_bytes, size = head.take(), 3 * 8 * length
            for place, channel in enumerate(having.tolist()):
                written[channel] = head_bytes + planes[place * size : (place + 1) * size]
        return written


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of one object. `complete` is False when some samples are in no second, since a limit was reached or
    a payload was not decoded."""

    keys: Sequence[ChannelKey]
    seconds: _Buckets
    minutes: _Buckets
    complete: bool

    def channels(self) -> list[ChannelSummary]:
        """Return the summary of each channel, in the order in which the channels were met."""
        count = len(self.keys)
        return [
            ChannelSummary(
                gateway=key.gateway,
                system_id=key.device.system_id,
                handle=key.channel.handle,
                person=key.channel.person,
                type=key.channel.type,
                unit=key.channel.unit,
                array=key.channel.array,
                seconds=seconds,
                minutes=minutes,
            )
            for key, seconds, minutes in zip(
                self.keys, self.seconds.extremes(count), self.minutes.extremes(count), strict=True
            )
            if key.channel.array is not None
        ]

    def write(self, writer: WireWriter) -> None:
        count = len(self.keys)
        writer.varint(count)
        names: dict[tuple[str, str], bytes] = {}
        heads: dict[int, bytes] = {}  # by the identity of a channel, which the vehicles of a fleet share
        for key, seconds, minutes in zip(
            self.keys, self.seconds.written(count), self.minutes.written(count), strict=True
        ):
            owner = key.gateway, key.device.system_id
            name = names.get(owner)
            if name is None:
                name = names[owner] = _names(*owner)
            writer.raw(name)
            head = heads.get(id(key.channel))
            if head is None:
                head = heads[id(key.channel)] = _channel_head(key.channel)
            writer.raw(head)
            writer.raw(seconds)
            writer.raw(minutes)


class Summarising:
    """The summary of one object while it is packed."""

    def __init__(self) -> None:
        self._complete = True
        self._keys: list[ChannelKey] = []
        self._numbers: dict[tuple[str, DeviceRef, int], int] = {}
        """The place of each channel of a device of a gateway in `_keys`. The last part of a key is from `_channels`."""
        self._channels: dict[Channel, int] = {}
        self._identities: dict[int, tuple[Channel, int]] = {}
        """The entries of `_channels` by the identity of a channel, since hashing one is expensive, and the vehicles of
        a fleet share the objects. It refers to the object, so that no other object gets the same identity."""
        self._blocks: list[tuple[int, int, bytes]] = []
        self._blocks_bytes = 0
        self._seconds = _Buckets(*[np.zeros(0, np.int64)] * 4)

    def add(self, blocks: SampleBlocks) -> None:
        """Add the samples of one batch."""
        times_us = blocks.observed_at_us
        if not times_us:
            return
        if min(times_us) not in _I64 or max(times_us) not in _I64:
            self._complete = False
            return
        own = [self._number(key) for key in blocks.keys]
        found = [
            (number, at_us, samples)
            for place, at_us, samples in zip(blocks.numbers, times_us, blocks.samples, strict=True)
            if samples and (number := own[place]) is not None
        ]
        self._blocks += found
        self._blocks_bytes += sum([len(samples) for _, _, samples in found])
        if self._blocks_bytes >= SAMPLES_BYTES_MAX:
            self._compare()

    def leave_out(self) -> None:
        """State that there are samples which cannot be added."""
        self._complete = False

    def end(self) -> Summary:
        """Return the summary of all samples that were added."""
        self._compare()
        seconds = self._seconds
        minutes = _joined(seconds.channels, seconds.numbers // SECONDS_A_MINUTE, seconds.least, seconds.greatest)
        return Summary(self._keys, seconds, minutes, self._complete)

    def _number(self, key: ChannelKey) -> int | None:
        """Return the number of a channel; None if it has no samples, or is left out."""
        if key.channel.array is None:
            return None
        channel = self._identities.get(id(key.channel))
        if channel is None:
            number = self._channels.setdefault(key.channel, len(self._channels))
            channel = self._identities[id(key.channel)] = key.channel, number
        place = key.gateway, key.device, channel[1]
        if place not in self._numbers:
            if len(self._keys) == CHANNELS_MAX or not _is_storable(key):
                self._complete = False
                return None
            self._numbers[place] = len(self._keys)
            self._keys.append(key)
        return self._numbers[place]

    def _compare(self) -> None:
        """Add the extremes of the queued blocks to those by second."""
        scales = [scale for key in self._keys if (scale := key.channel.array) is not None]
        assert len(scales) == len(self._keys), "a channel without an array has no number"
        by_format: defaultdict[SampleFormat, list[tuple[int, int, bytes]]] = defaultdict(list)
        for block in self._blocks:
            by_format[scales[block[0]].format].append(block)
        periods_us = np.array([scale.period_s * SECOND_US for scale in scales])
        found = [self._seconds]
        for form, blocks in by_format.items():
            seconds, complete = _seconds_of(form, blocks, periods_us)
            self._complete = self._complete and complete
            found.append(seconds)
        self._blocks, self._blocks_bytes = [], 0
        self._seconds = _sorted(found)
        if len(self._seconds.numbers) > SECONDS_KEPT_MAX:
            self._seconds = self._seconds.first(SECONDS_KEPT_MAX)
            self._complete = False


def summarise(batches: Iterable[SampleBlocks | None]) -> Summary:
    """Return the summary of the samples of these batches. None: the payload of the batch was not decoded."""
    summarising = Summarising()
    for blocks in batches:
        if blocks is None:
            summarising.leave_out()
        else:
            summarising.add(blocks)
    return summarising.end()


def _seconds_of(
    form: SampleFormat, blocks: Sequence[tuple[int, int, bytes]], periods_us: Floats
) -> tuple[_Buckets, bool]:
    """Return the extremes by second of blocks of one form of samples, not sorted, and whether all samples are in
    them. A sample at the edge of a second may be in either one, as far as a float is rounded."""
    width = form.width_bytes
    counts = np.array([len(samples) // width for _, _, samples in blocks], np.int64)
    channels = np.array([number for number, _, _ in blocks], np.int64)
    at_us = np.array([observed_at_us for _, observed_at_us, _ in blocks], np.int64)
    period_us = periods_us[channels]
    with np.errstate(over="ignore"):
        fits = np.abs(at_us + period_us * counts) < _I64_END
    if not fits.all():
        fitting = [block for block, fit in zip(blocks, fits, strict=True) if fit]
        return _seconds_of(form, fitting, periods_us)[0], False
    sent = b"".join([samples[: len(samples) // width * width] for _, _, samples in blocks])
    values = np.frombuffer(sent, _BYTE_ORDER + form.value).astype(form.value)
    # A part for each second that a block touches, or for each sample where samples are further apart.
    first = at_us // SECOND_US
    last = _whole(at_us + period_us * (counts - 1)) // SECOND_US
    is_slow = period_us > SECOND_US
    parts = np.where(is_slow, counts, np.minimum(last - first + 1, counts))
    block = np.repeat(np.arange(len(parts)), parts)
    place = np.arange(len(block)) - np.repeat(np.cumsum(parts) - parts, parts)
    at_us, period_us, is_slow = at_us[block], period_us[block], is_slow[block]
    numbers = np.where(is_slow, _whole(at_us + period_us * place) // SECOND_US, first[block] + place)
    is_later = place > 0
    samples_before = np.divide(numbers * SECOND_US - at_us, period_us, where=is_later, out=np.zeros(len(place)))
    sample = np.where(is_slow, place, np.ceil(samples_before).astype(np.int64))
    begins = np.cumsum(counts) - counts
    edges = begins[block] + np.where(is_later, np.minimum(sample, counts[block] - 1), 0)
    return _Buckets(channels[block], numbers, *_compared(values, values, edges)), True


def _whole(times_us: Floats) -> Integers:
    return np.floor(times_us).astype(np.int64)


def _compared(
    least: npt.NDArray[np.integer], greatest: npt.NDArray[np.integer], edges: Integers
) -> tuple[Integers, Integers]:
    """Return the least and the greatest of the values from each edge until before the next one."""
    if not len(edges):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return (
        np.minimum.reduceat(least, edges).astype(np.int64),
        np.maximum.reduceat(greatest, edges).astype(np.int64),
    )


def _sorted(parts: Sequence[_Buckets]) -> _Buckets:
    """Return the rows of `parts`, sorted, with those of one second of a channel joined."""
    columns = [np.concatenate(column) for column in zip(*[part.columns for part in parts], strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    return _joined(*[column[order] for column in columns])


def _joined(channels: Integers, numbers: Integers, least: Integers, greatest: Integers) -> _Buckets:
    """Join neighbouring rows with the same two numbers."""
    is_other = (np.diff(channels, prepend=-1) != 0) | (np.diff(numbers, prepend=0) != 0)
    edges = np.flatnonzero(is_other)
    return _Buckets(channels[edges], numbers[edges], *_compared(least, greatest, edges))


def _names(gateway: str, system_id: str) -> bytes:
    writer = WireWriter()
    writer.text(gateway, limit_bytes=NAME_BYTES_MAX)
    writer.text(system_id, limit_bytes=NAME_BYTES_MAX)
    return writer.take()


def _channel_head(channel: Channel) -> bytes:
    """Return what a summary states about a channel."""
    assert channel.array is not None
    writer = WireWriter()
    writer.i64(channel.handle)
    writer.u8(channel.person is not None)
    writer.i64(channel.person or 0)
    _write_code(writer, channel.type)
    _write_code(writer, channel.unit)
    writer.u8(FORMATS.index(channel.array.format))
    writer.floats(array("d", (channel.array.period_s, channel.array.slope, channel.array.offset)))
    return writer.take()


def _write_code(writer: WireWriter, code: Code | None) -> None:
    writer.u8(code is not None)
    writer.varint(0 if code is None else code.partition)
    writer.varint(0 if code is None else code.code)


def _is_storable(key: ChannelKey) -> bool:
    scale = key.channel.array
    assert scale is not None
    names = (key.gateway, key.device.system_id)
    return (
        all(len(name.encode()) <= NAME_BYTES_MAX for name in names)
        and all(map(math.isfinite, (scale.period_s, scale.slope, scale.offset)))
        and scale.period_s >= 0
        and key.channel.handle in _I64
        and (key.channel.person or 0) in _I64
    )
