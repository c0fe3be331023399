"""The least and the greatest sample of each channel, by second and by minute.

A reader draws hours of a waveform from these values, without the samples. The values are raw integers as the device
sent them, with the channel's scale beside them. The times are those of the samples by the observation's time, before an
anchor corrects a gateway whose clock was not set. A second or minute is named by its number since 1970. `summarising`
makes a summary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import SampleArray, SampleFormat
from protocols.uplink.wire import WireReader

SECONDS_A_MINUTE = 60
BUCKETS_MAX = 65_536
"""Seconds and minutes of all channels in one index: an object of one vehicle's 16 channels holds about 15 minutes, so
15 000. The limit is for samples that are further apart than a second, of which a small block may hold 250 000."""
CHANNELS_MAX = 4_096
"""Channels in one index: 16 of each of 256 vehicles."""
NAME_BYTES_MAX = 256
FORMATS = tuple(SampleFormat)
_I64_BYTES = 8


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


def read_summaries(reader: WireReader, *, seconds: bool = True) -> list[ChannelSummary]:
    """Read what `Summary.write` wrote; with `seconds` False, skip the extremes by second, which are most of it.
    Raises `RemoteProtocolError`."""
    buckets = 0
    found: list[ChannelSummary] = []
    for _ in range(reader.varint(CHANNELS_MAX)):
        gateway, system_id = reader.text(NAME_BYTES_MAX), reader.text(NAME_BYTES_MAX)
        handle = reader.i64()
        has_person, person = reader.u8(), reader.i64()
        type_, unit = _read_code(reader), _read_code(reader)
        form = reader.u8()
        if type_ is None or form >= len(FORMATS):
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
                array=SampleArray(format=FORMATS[form], period_s=period_s, slope=slope, offset=offset),
                seconds=columns[0],
                minutes=columns[1],
            )
        )
    return found


def _read_code(reader: WireReader) -> Code | None:
    is_set, partition, code = reader.u8(), reader.varint(0xFFFF), reader.varint(0xFFFF)
    return Code(partition, code) if is_set else None
