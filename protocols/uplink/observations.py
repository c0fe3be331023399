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

from protocols.device_time import DeviceTime
from protocols.observation import Channel, Observation, Value
from protocols.uplink.block_body import WAVEFORMS, body_bytes, pack, pack_waveforms
from protocols.uplink.block_runs import open_block
from protocols.uplink.block_values import read_values, write_values
from protocols.uplink.channel_table import check_channels, read_channels, write_channels
from protocols.uplink.channels import DeviceRef, FactFields, Facts, write_facts
from protocols.uplink.limits import (
    BLOCK_BYTES_MAX,
    BLOCK_DEVICES_MAX,
    BLOCK_OBSERVATIONS_MAX,
    BlockTooLarge,
)
from protocols.uplink.observation_columns import (
    RECEIVED_S_MAX,
    check_received,
    check_status,
    check_time,
    read_received,
    read_status,
    read_times,
    write_received,
    write_status,
    write_times,
)
from protocols.uplink.waveforms import check_waveforms, read_waveforms, write_waveforms
from protocols.uplink.wire import WireCheck, WireWriter

__all__ = [
    "RECEIVED_S_MAX",
    "BlockColumns",
    "DeviceObservations",
    "DeviceRef",
    "EncodedObservations",
    "body_bytes",
    "check_block",
    "decode_block",
    "decode_columns",
    "encode_block",
    "encode_observations",
    "encode_runs",
]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedObservations:
    """The part of a block's body behind the runs: `count` observations, without the facts of their devices. `low_bytes`
    are the low bytes of the samples of a waveform block; None for a block of version 1."""

    count: int
    columns: bytes
    low_bytes: bytes | None


def encode_block(sections: Sequence[DeviceObservations]) -> bytes:
    """Encode `sections` as one block, in their order.

    Raises `LocalProtocolError` for a value that the encoding cannot hold: a float that is not finite (it must be a
    `Special`), a reception time beyond `RECEIVED_S_MAX`, samples on a channel without an array. Raises `BlockTooLarge`
    for a block above a limit of `protocols.uplink.limits`. `decode_block` refuses the same blocks.
    """
    runs = [(section, len(section.observations)) for section in sections if section.observations]
    return encode_runs(runs, encode_observations(_observations_of(sections)))


def encode_observations(observations: Sequence[Observation]) -> EncodedObservations:
    """Encode what a block has beside its runs. Blocks of several gateways that differ in their devices only can share
    it (`encode_runs`). Raises as `encode_block`."""
    _check_size(len(observations), BLOCK_OBSERVATIONS_MAX, "observations")
    is_waveform = _has_only_samples(observations)
    writer = WireWriter()
    numbers = write_channels(writer, [observation.channel for observation in observations], sized=is_waveform)
    write_received(writer, [observation.received_s for observation in observations])
    write_status(writer, [observation.status for observation in observations])
    write_times(writer, [observation.device_time for observation in observations])
    low_bytes = None
    if is_waveform:
        low_bytes = write_waveforms(writer, numbers, observations)
    else:
        write_values(writer, observations)
    return EncodedObservations(count=len(observations), columns=writer.take(), low_bytes=low_bytes)


def encode_runs(runs: Sequence[tuple[FactFields, int]], observations: EncodedObservations) -> bytes:
    """Return the block of `observations`. `runs` are the facts of its observations in their order, each with the number
    of consecutive observations that have them. Raises as `encode_block`."""
    assert sum([length for _, length in runs]) == observations.count, "each observation is in one run"
    _check_devices(runs)
    writer = WireWriter()
    _write_runs(writer, runs)
    writer.raw(observations.columns)
    body = writer.take()
    return pack(body) if observations.low_bytes is None else pack_waveforms(body, observations.low_bytes)


def check_block(sections: Sequence[DeviceObservations]) -> None:
    """Raise the `LocalProtocolError` or `BlockTooLarge` that `encode_block` would raise for the values of `sections`.
    This takes a tenth of the time, since it makes no columns and compresses nothing."""
    observations = _observations_of(sections)
    _check_size(len(observations), BLOCK_OBSERVATIONS_MAX, "observations")
    _check_devices([(section, len(section.observations)) for section in sections if section.observations])
    writer = WireCheck()
    for section in {_facts_of(section): section for section in sections if section.observations}.values():
        write_facts(writer, section)
    check_channels([observation.channel for observation in observations])
    for received_s in {observation.received_s for observation in observations}:
        check_received(received_s)
    check_status([observation.status for observation in observations])
    for time in {id(observation.device_time): observation.device_time for observation in observations}.values():
        check_time(time)
    if _has_only_samples(observations):
        check_waveforms(observations)
    else:
        write_values(writer, observations)


def _observations_of(sections: Sequence[DeviceObservations]) -> list[Observation]:
    return list(chain.from_iterable([section.observations for section in sections]))


def _has_only_samples(observations: Sequence[Observation]) -> bool:
    return bool(observations) and None not in [observation.samples for observation in observations]


def _check_devices(runs: Sequence[tuple[FactFields, int]]) -> None:
    devices = {id(facts.device): facts.device for facts, _ in runs}
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
    received_s = read_received(reader, count)
    status = read_status(reader, count)
    times = read_times(reader, count)
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


def _write_runs(writer: WireWriter, runs: Sequence[tuple[FactFields, int]]) -> None:
    """Write the table of facts. Then write, for each run (consecutive observations with the same facts), the index of
    its facts and its number of observations. Adjacent runs with equal facts become one."""
    numbers: dict[tuple[object, ...], int] = {}
    table: list[FactFields] = []
    which: list[int] = []
    lengths: list[int] = []
    for facts, length in runs:
        number = numbers.setdefault(_facts_of(facts), len(table))
        if number == len(table):
            table.append(facts)
        if which and which[-1] == number:
            lengths[-1] += length
        else:
            which.append(number)
            lengths.append(length)
    writer.varint(len(table))
    for facts in table:
        write_facts(writer, facts)
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
"""Return the facts of a section or run, to compare them with those of others."""
