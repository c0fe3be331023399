"""The least and the greatest sample of each channel, by second and by minute.

A reader draws hours of a waveform from these values, without the samples. The values are raw integers as the device
sent them, with the channel's scale beside them. The times are those of the samples by the observation's time, before an
anchor corrects a gateway whose clock was not set. A second or minute is named by its number since 1970.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, SampleArray, SampleFormat
from protocols.observation_record import integers_of
from protocols.uplink.channels import DeviceRef
from protocols.uplink.wire import WireReader, WireWriter

SECONDS_A_MINUTE = 60
SECOND_US = 1_000_000
BUCKETS_MAX = 65_536
"""Seconds and minutes of all channels in one index: an object of one vehicle's 16 channels holds about 15 minutes, so
15 000. The limit is for samples that are further apart than a second, of which a small block may hold 250 000."""
CHANNELS_MAX = 4_096
"""Channels in one index: 16 of each of 256 vehicles."""
_NAME_BYTES_MAX = 256
_FORMATS = tuple(SampleFormat)
_I64_BYTES = 8
_I64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """A channel of a device of a gateway."""

    gateway: str
    device: DeviceRef
    channel: Channel


@dataclass(frozen=True, slots=True)
class Extremes:
    """Columns of equal length: the numbers of seconds or minutes, ascending, with the least and greatest sample."""

    numbers: Sequence[int]
    least: Sequence[int]
    greatest: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSummary:
    """The summary of a channel. `array` gives the scale of the values."""

    gateway: str
    system_id: str
    handle: int
    person: int | None
    type: Code
    unit: Code | None
    array: SampleArray
    seconds: Extremes
    minutes: Extremes


@dataclass(slots=True)
class Summarising:
    """The summary of one object while it is packed. `complete` becomes False when a limit is reached."""

    complete: bool = True
    _seconds: dict[ChannelKey, dict[int, tuple[int, int]]] = field(default_factory=dict)
    _met: dict[int, tuple[ChannelKey, dict[int, tuple[int, int]]]] = field(default_factory=dict)
    """The entries of `_seconds` by the identity of a key object, since hashing a channel is expensive. It refers to the
    object, so that no other object gets the same identity."""
    _buckets: int = 0

    def add(self, key: ChannelKey, observed_at_us: int, samples: bytes) -> None:
        """Add the samples of one observation; the first was taken at `observed_at_us`."""
        scale = key.channel.array
        if scale is None or not samples:
            return
        if id(key) in self._met:
            _, seconds = self._met[id(key)]
        else:
            if key not in self._seconds and (len(self._seconds) == CHANNELS_MAX or not _is_storable(key)):
                self.complete = False
                return
            seconds = self._seconds.setdefault(key, {})
            self._met[id(key)] = key, seconds
        values = integers_of(samples, scale.format)
        period_us = scale.period_s * SECOND_US
        end_us = observed_at_us + period_us * len(values)
        if not (math.isfinite(end_us) and period_us >= 0 and observed_at_us in _I64 and int(end_us) in _I64):
            self.complete = False
            return
        begin = 0
        while begin < len(values):
            second = int(observed_at_us + begin * period_us) // SECOND_US
            end = len(values)
            if period_us > 0:
                left_us = (second + 1) * SECOND_US - observed_at_us
                end = min(end, max(begin + 1, math.ceil(left_us / period_us)))
            some = values[begin:end]
            least, greatest = min(some), max(some)
            known = seconds.get(second)
            if known is not None:
                least, greatest = min(least, known[0]), max(greatest, known[1])
            elif self._buckets >= BUCKETS_MAX // 2:  # as many minutes may be due
                self.complete = False
                return
            else:
                self._buckets += 1
            seconds[second] = least, greatest
            begin = end

    def summaries(self) -> list[ChannelSummary]:
        return [
            ChannelSummary(
                gateway=key.gateway,
                system_id=key.device.system_id,
                handle=key.channel.handle,
                person=key.channel.person,
                type=key.channel.type,
                unit=key.channel.unit,
                array=key.channel.array,
                seconds=_extremes(seconds),
                minutes=_extremes(_by_minute(seconds)),
            )
            for key, seconds in self._seconds.items()
            if key.channel.array is not None
        ]


def write_summaries(writer: WireWriter, summaries: Sequence[ChannelSummary]) -> None:
    writer.varint(len(summaries))
    for one in summaries:
        writer.text(one.gateway, limit_bytes=_NAME_BYTES_MAX)
        writer.text(one.system_id, limit_bytes=_NAME_BYTES_MAX)
        writer.i64(one.handle)
        writer.u8(one.person is not None)
        writer.i64(one.person or 0)
        for code in (one.type, one.unit):
            writer.u8(code is not None)
            writer.varint(0 if code is None else code.partition)
            writer.varint(0 if code is None else code.code)
        writer.u8(_FORMATS.index(one.array.format))
        writer.floats(array("d", (one.array.period_s, one.array.slope, one.array.offset)))
        for extremes in (one.seconds, one.minutes):
            writer.varint(len(extremes.numbers))
            for column in (extremes.numbers, extremes.least, extremes.greatest):
                writer.column(array("q", column))


def read_summaries(reader: WireReader, *, seconds: bool = True) -> list[ChannelSummary]:
    """Read what `write_summaries` wrote; with `seconds` False, skip the extremes by second, which are most of it.
    Raises `RemoteProtocolError`."""
    buckets = 0
    found: list[ChannelSummary] = []
    for _ in range(reader.varint(CHANNELS_MAX)):
        gateway, system_id = reader.text(_NAME_BYTES_MAX), reader.text(_NAME_BYTES_MAX)
        handle = reader.i64()
        has_person, person = reader.u8(), reader.i64()
        type_, unit = _read_code(reader), _read_code(reader)
        form = reader.u8()
        if type_ is None or form >= len(_FORMATS):
            raise reader.wrong("a channel has no type, or no such form of samples")
        period_s, slope, offset = reader.floats(3)
        columns: list[Extremes] = []
        for is_wanted in (seconds, True):
            count = reader.varint(BUCKETS_MAX - buckets)
            buckets += count
            if is_wanted:
                columns.append(Extremes(*[reader.column("q", count).tolist() for _ in range(3)]))
            else:
                reader.take(3 * _I64_BYTES * count)
                columns.append(Extremes((), (), ()))
        found.append(
            ChannelSummary(
                gateway=gateway,
                system_id=system_id,
                handle=handle,
                person=person if has_person else None,
                type=type_,
                unit=unit,
                array=SampleArray(format=_FORMATS[form], period_s=period_s, slope=slope, offset=offset),
                seconds=columns[0],
                minutes=columns[1],
            )
        )
    return found


def _read_code(reader: WireReader) -> Code | None:
    is_set, partition, code = reader.u8(), reader.varint(0xFFFF), reader.varint(0xFFFF)
    return Code(partition, code) if is_set else None


def _is_storable(key: ChannelKey) -> bool:
    scale = key.channel.array
    assert scale is not None
    names = (key.gateway, key.device.system_id)
    return (
        all(len(name.encode()) <= _NAME_BYTES_MAX for name in names)
        and all(map(math.isfinite, (scale.period_s, scale.slope, scale.offset)))
        and key.channel.handle in _I64
        and (key.channel.person or 0) in _I64
    )


def _by_minute(seconds: dict[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    minutes: dict[int, tuple[int, int]] = {}
    for second, (least, greatest) in seconds.items():
        known = minutes.get(second // SECONDS_A_MINUTE, (least, greatest))
        minutes[second // SECONDS_A_MINUTE] = min(least, known[0]), max(greatest, known[1])
    return minutes


def _extremes(found: dict[int, tuple[int, int]]) -> Extremes:
    numbers = sorted(found)
    return Extremes(numbers, [found[number][0] for number in numbers], [found[number][1] for number in numbers])


def summarise(observations: Iterable[tuple[ChannelKey, int, bytes]]) -> Summarising:
    """Return the summary of these observations: channel, time of the first sample in µs, samples."""
    summarising = Summarising()
    for key, observed_at_us, samples in observations:
        summarising.add(key, observed_at_us, samples)
    return summarising
