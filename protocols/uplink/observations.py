"""Block of observations: the content of a numeric or waveform batch, which the gateway encrypts and stores.

Its encoding is columnar, because a device waits while a commit encodes the block: a list comprehension collects each
field of all observations into one column, and zlib compresses the columns at its cheapest level. Device times, samples,
texts and bits are unchanged. A float has eight bytes and is finite.

The body of version 1: facts · runs (facts number, count) · channels · channel numbers · reception times · status ·
device times · values (`block_values`). A run is a sequence of consecutive observations with the same facts. An
observation's index is its position in the block, counted from 0. Adjacent sections with equal facts are merged, and
empty sections are dropped.

Version 2 is the waveform block: all observations have samples. Its body differs in two places: the lengths of the
channels precede the channels, so that a decoder recognises a channel by its bytes, and sample columns (`waveforms`)
stand in the place of the values. One compressed body holds all channels of a batch: with a body for each channel, a
batch of a second would be 19 % larger and a batch of a quarter of a second 47 %, since each body has an entropy code of
its own. So an envelope is the unit of reading, and an index by channel and time refers to whole envelopes. The version
belongs to the block and not to the envelope, because a cloud stores and acknowledges the envelope of a block that it
cannot decode, but must refuse an envelope that it cannot decode.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError
from protocols.observation import Channel, Observation, Value
from protocols.uplink.block_body import WAVEFORMS, body_bytes, pack, pack_waveforms
from protocols.uplink.block_runs import open_block
from protocols.uplink.block_values import read_values, write_values
from protocols.uplink.channel_table import check_channels, read_channels, write_channels
from protocols.uplink.channels import DeviceRef, Facts, write_facts
from protocols.uplink.limits import (
    BLOCK_BYTES_MAX,
    BLOCK_DEVICES_MAX,
    BLOCK_OBSERVATIONS_MAX,
    BlockTooLarge,
)
from protocols.uplink.waveforms import check_waveforms, read_waveforms, write_waveforms
from protocols.uplink.wire import WireCheck, WireReader, WireWriter

__all__ = [
    "BlockColumns",
    "DeviceObservations",
    "DeviceRef",
    "body_bytes",
    "check_block",
    "decode_block",
    "decode_columns",
    "encode_block",
]

RECEIVED_S_MAX = float(1 << 33)
"""About 270 years of monotonic time. Readers convert it to whole microseconds, which must stay in range."""
_U16_MAX = 0xFFFF
_KINDS = (TimeKind.ABSOLUTE, TimeKind.BASE_OFFSET, TimeKind.RELATIVE, TimeKind.HIGH_RESOLUTION)
_STATUS_CLEAR, _STATUS_TOLD = 0, 1
_TIME_ABSENT, _TIME_UNIFORM, _TIME_MIXED = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceObservations:
    """Section of a block: observations of one device, and the facts that they share. `channels.Facts` has the same
    fields for these facts and explains them."""

    device: DeviceRef
    boot_id: str
    wall_offset_us: int
    wall_synchronised: bool
    device_offset_us: int | None
    uncertainty_us: int
    stored: bool
    observations: Sequence[Observation]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockColumns:
    """The observations of a decoded block as columns, in the order of the block.

    `runs` are the facts of consecutive observations, with the number of these. `channel_numbers` has the place of each
    observation's channel in `channel_table`.
    """

    runs: Sequence[tuple[Facts, int]]
    channel_table: Sequence[Channel]
    channel_numbers: Sequence[int]
    values: Sequence[Value | None]
    samples: Sequence[bytes | None]
    status: Sequence[int]
    device_times: Sequence[DeviceTime | None]
    received_s: Sequence[float]

    def sections(self) -> list[DeviceObservations]:
        """Return the observations of each run as objects. Equal channels share one object, and usually times too."""
        channels = map(self.channel_table.__getitem__, self.channel_numbers)
        columns = channels, self.values, self.samples, self.status, self.device_times, self.received_s
        observations = list(map(Observation, *columns))
        sections: list[DeviceObservations] = []
        begin = 0
        for facts, length in self.runs:
            sections.append(_section(facts, observations[begin : begin + length]))
            begin += length
        return sections


def encode_block(sections: Sequence[DeviceObservations]) -> bytes:
    """Encode `sections` as one block, in their order.

    Raises `LocalProtocolError` for a value that the encoding cannot hold: a float that is not finite (it must be a
    `Special`), a reception time beyond `RECEIVED_S_MAX`, samples on a channel without an array. Raises `BlockTooLarge`
    for a block above a limit of `protocols.uplink.limits`. `decode_block` refuses the same blocks.
    """
    observations = list(chain.from_iterable([section.observations for section in sections]))
    waveforms = _has_only_samples(observations)
    writer = WireWriter()
    numbers = _write_head(writer, sections, observations, sized=waveforms)
    if waveforms:
        low_bytes = write_waveforms(writer, numbers, observations)
        return pack_waveforms(writer.take(), low_bytes)
    write_values(writer, observations)
    return pack(writer.take())


def check_block(sections: Sequence[DeviceObservations]) -> None:
    """Raise the `LocalProtocolError` or `BlockTooLarge` that `encode_block` would raise for the values of `sections`.
    This takes a tenth of the time, since it makes no columns and compresses nothing."""
    observations = list(chain.from_iterable([section.observations for section in sections]))
    _check_sizes(sections, observations)
    writer = WireCheck()
    for section in {_facts_of(section): section for section in sections if section.observations}.values():
        write_facts(writer, section)
    check_channels([observation.channel for observation in observations])
    for received_s in {observation.received_s for observation in observations}:
        _check_received(received_s)
    _check_status([observation.status for observation in observations])
    for time in {id(observation.device_time): observation.device_time for observation in observations}.values():
        _check_time(time)
    if _has_only_samples(observations):
        check_waveforms(observations)
    else:
        write_values(writer, observations)


def _has_only_samples(observations: Sequence[Observation]) -> bool:
    return bool(observations) and None not in [observation.samples for observation in observations]


def _write_head(
    writer: WireWriter, sections: Sequence[DeviceObservations], observations: Sequence[Observation], *, sized: bool
) -> "array[int]":
    """Write the part of a body before the values or samples. Return the channel numbers of the observations."""
    _check_sizes(sections, observations)
    _write_runs(writer, sections)
    numbers = write_channels(writer, [observation.channel for observation in observations], sized=sized)
    _write_received(writer, [observation.received_s for observation in observations])
    _write_status(writer, [observation.status for observation in observations])
    _write_times(writer, [observation.device_time for observation in observations])
    return numbers


def _check_sizes(sections: Sequence[DeviceObservations], observations: Sequence[Observation]) -> None:
    _check_size(len(observations), BLOCK_OBSERVATIONS_MAX, "observations")
    devices = {id(section.device): section.device for section in sections if section.observations}
    _check_size(len(set(devices.values())), BLOCK_DEVICES_MAX, "devices")


def _check_size(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise BlockTooLarge(f"{size} {what} in one block; {limit} are allowed")


def decode_block(
    data: bytes, *, announced_count: int | None = None, limit_bytes: int = BLOCK_BYTES_MAX
) -> list[DeviceObservations]:
    """Decode the sections of a block (`decode_columns`)."""
    return decode_columns(data, announced_count=announced_count, limit_bytes=limit_bytes).sections()


def decode_columns(
    data: bytes, *, announced_count: int | None = None, limit_bytes: int = BLOCK_BYTES_MAX
) -> BlockColumns:
    """Decode a block into columns. A reader that writes columns to a database needs no object for each observation,
    which would take a fifth of its time.

    `limit_bytes` limits the length of the body after decompression. `announced_count` is the number of observations
    that the envelope states (None: unknown). A block with another number is refused before an observation is decoded.

    Raises `LimitExceeded` for a block above a limit of `protocols.uplink.limits`, before memory is used for it, and
    `RemoteProtocolError` for all other invalid bytes.
    """
    (version, reader), runs = open_block(data, announced_count=announced_count, limit_bytes=limit_bytes)
    count = sum([length for _, length in runs])
    numbers, table = read_channels(reader, count, sized=version == WAVEFORMS)
    channels = [table[number] for number in numbers]
    received_s = _read_received(reader, count)
    status = _read_status(reader, count)
    times = _read_times(reader, count)
    values: Sequence[Value | None]
    samples: Sequence[bytes | None]
    if version == WAVEFORMS:
        values, samples = [None] * count, read_waveforms(reader, numbers, channels)
    else:
        values, samples = read_values(reader, channels)
    reader.end()
    return BlockColumns(
        runs=runs,
        channel_table=table,
        channel_numbers=numbers,
        values=values,
        samples=samples,
        status=status,
        device_times=times,
        received_s=received_s,
    )


def _section(facts: Facts, observations: Sequence[Observation]) -> DeviceObservations:
    return DeviceObservations(
        device=facts.device,
        boot_id=facts.boot_id,
        wall_offset_us=facts.wall_offset_us,
        wall_synchronised=facts.wall_synchronised,
        device_offset_us=facts.device_offset_us,
        uncertainty_us=facts.uncertainty_us,
        stored=facts.stored,
        observations=observations,
    )


def _write_runs(writer: WireWriter, sections: Sequence[DeviceObservations]) -> None:
    """Write the table of facts. Then write, for each run (consecutive observations with the same facts), the index of
    its facts and its number of observations."""
    numbers: dict[tuple[object, ...], int] = {}
    table: list[DeviceObservations] = []
    which: list[int] = []
    lengths: list[int] = []
    for section in sections:
        if not section.observations:
            continue
        number = numbers.setdefault(_facts_of(section), len(table))
        if number == len(table):
            table.append(section)
        if which and which[-1] == number:
            lengths[-1] += len(section.observations)
        else:
            which.append(number)
            lengths.append(len(section.observations))
    writer.varint(len(table))
    for section in table:
        write_facts(writer, section)
    writer.varint(len(which))
    writer.column(array("I", which))
    writer.column(array("I", lengths))


_facts_of = attrgetter(
    "device.system_id",
    "device.model",
    "device.unverified_link",
    "boot_id",
    "wall_offset_us",
    "wall_synchronised",
    "device_offset_us",
    "uncertainty_us",
    "stored",
)
"""Return the facts of a section, to compare them with those of others."""


def _write_received(writer: WireWriter, received_s: list[float]) -> None:
    writer.floats(array("d", received_s))
    _check_received(min(received_s, default=0.0))
    _check_received(max(received_s, default=0.0))


def _check_received(received_s: float) -> None:
    if not -RECEIVED_S_MAX <= received_s <= RECEIVED_S_MAX:
        raise LocalProtocolError("a reception time is further from the start of its boot than any machine runs")


def _read_received(reader: WireReader, count: int) -> list[float]:
    received_s = reader.floats(count)
    if not _within(received_s):
        raise reader.wrong("a reception time is further from the start of its boot than any machine runs")
    return received_s


def _within(received_s: list[float]) -> bool:
    return not received_s or (min(received_s) >= -RECEIVED_S_MAX and max(received_s) <= RECEIVED_S_MAX)


def _write_status(writer: WireWriter, status: list[int]) -> None:
    if any(status):
        _check_status(status)
        writer.u8(_STATUS_TOLD)
        writer.column(array("H", status))
    else:
        writer.u8(_STATUS_CLEAR)


def _check_status(status: list[int]) -> None:
    if any(status) and (min(status) < 0 or max(status) > _U16_MAX):
        raise LocalProtocolError("a Measurement-Status has more than 16 bits")


def _read_status(reader: WireReader, count: int) -> list[int]:
    form = reader.u8()
    if form == _STATUS_CLEAR:
        return [0] * count
    if form == _STATUS_TOLD:
        return reader.column("H", count).tolist()
    raise reader.wrong("no such form of the status column")


def _write_times(writer: WireWriter, times: list[DeviceTime | None]) -> None:
    """Write the device times. Kind and length are written once where all times have the same kind and length."""
    # The values of a report share one time, so there are few objects.
    distinct = list({id(time): time for time in times}.values())
    forms = {(time.kind.value, len(time.octets)) if time is not None else None for time in distinct}
    if forms <= {None}:
        writer.u8(_TIME_ABSENT)
        return
    for time in distinct:
        _check_time(time)
    present = [time for time in times if time is not None]
    data = [time.octets for time in present]
    if len(forms) == 1 and data[0]:
        writer.u8(_TIME_UNIFORM)
        writer.u8(_KINDS.index(present[0].kind))
        writer.u8(len(data[0]))
        writer.planes(b"".join(data), len(data[0]))
        return
    writer.u8(_TIME_MIXED)
    writer.raw(bytes([0 if time is None else _KINDS.index(time.kind) + 1 for time in times]))
    writer.raw(bytes(map(len, data)))
    writer.raw(b"".join(data))


def _check_time(time: DeviceTime | None) -> None:
    if time is not None and len(time.octets) > 0xFF:
        raise LocalProtocolError("a device time has more than 255 bytes")


def _read_times(reader: WireReader, count: int) -> Sequence[DeviceTime | None]:
    form = reader.u8()
    if form == _TIME_ABSENT:
        return [None] * count
    if form == _TIME_UNIFORM:
        kind = _time_kind(reader, reader.u8())
        length = reader.u8()
        if not length:
            raise reader.wrong("a column of device times without bytes")
        data = reader.planes(count, length)
        each = [data[at : at + length] for at in range(0, len(data), length)]
        # All values of a report have one time, which becomes one object.
        times = {octets: DeviceTime(kind, octets) for octets in set(each)}
        return list(map(times.__getitem__, each))
    if form == _TIME_MIXED:
        kinds = reader.take(count)
        lengths = iter(reader.take(count - kinds.count(0)))
        return [
            DeviceTime(_time_kind(reader, kind - 1), reader.take(next(lengths))) if kind else None for kind in kinds
        ]
    raise reader.wrong("no such form of the device time column")


def _time_kind(reader: WireReader, number: int) -> TimeKind:
    if number >= len(_KINDS):
        raise reader.wrong("no such kind of device time")
    return _KINDS[number]
