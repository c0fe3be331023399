"""Table of the channels in an observation block, and the channel number of each observation."""

from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocols.observation import Channel
from protocols.uplink.channels import channel_bytes, channel_of_bytes, code_count, read_channel
from protocols.uplink.limits import BLOCK_CHANNELS_MAX, BLOCK_CODES_MAX, BlockTooLarge
from protocols.uplink.wire import WireReader, WireWriter

TABLES_CACHED = 512
"""Decoded tables that are kept: those of the different devices of a large fleet, since equal devices share one."""
TABLE_BYTES_MAX = 1_024
"""Longest table that is kept, so that a peer's tables take some 40 MB at most. A monitor's numerics take some 200, and
its waveforms some 800."""
TABLES_WRITTEN_MAX = 256
"""Encoded tables that are kept: several for each device of a gateway, which has about twenty."""
CHANNELS_WRITTEN_MAX = 64
"""Channels of the largest table that is kept, so that all take some megabytes. A monitor has some thirty."""
_TABLE_KEY_BYTES = 32
"""Bytes of channels by which a table is found. Tables of different devices differ in their first channels."""


@dataclass(frozen=True, slots=True)
class _WrittenTable:
    """An encoded table. `channels` keeps the objects alive whose identities are the keys of `numbers`."""

    channels: tuple[Channel, ...]
    numbers: Mapping[int, int]
    lengths: "array[int]"
    data: bytes


_written: dict[tuple[int, ...], _WrittenTable] = {}
"""Encoded tables by the identities of their channels. A gateway encodes the same few tables for months, and hashing
their channels, which are compared by value, would take half of the time of a small block."""


def write_channels(writer: WireWriter, channels: Sequence[Channel], *, sized: bool) -> "array[int]":
    """Write the table of channels and the channel number of each observation, and return these numbers. `channels` are
    the channels of the observations. `sized`: the lengths of the encoded channels precede them, as in a waveform block.
    """
    identities = list(map(id, channels))
    table = _table_of(dict(zip(identities, channels, strict=True)))
    writer.varint(len(table.lengths))
    if sized:
        writer.column(table.lengths)
    writer.raw(table.data)
    column = array(_number_type(len(table.lengths)), map(table.numbers.__getitem__, identities))
    writer.column(column)
    return column


def check_channels(channels: Sequence[Channel]) -> None:
    """Raise the error that `write_channels` would raise for `channels`."""
    _table_of(dict(zip(map(id, channels), channels, strict=True)))


def _table_of(distinct: Mapping[int, Channel]) -> _WrittenTable:
    """Return the encoded table of the channels `distinct`, which are given by their identity."""
    return _written.get(tuple(distinct)) or _write_table(distinct)


def _write_table(distinct: Mapping[int, Channel]) -> _WrittenTable:
    """Encode a table, and keep it. `distinct` are its channels by identity; equal channels have one number."""
    numbers: dict[int, int] = {}
    by_encoding: dict[bytes, int] = {}
    codes = 0
    for identity, channel in distinct.items():
        encoded = channel_bytes(channel)
        if encoded not in by_encoding:
            by_encoding[encoded] = len(by_encoding)
            codes += code_count(channel)
        numbers[identity] = by_encoding[encoded]
    for size, limit, what in (
        (len(by_encoding), BLOCK_CHANNELS_MAX, "channels"),
        (codes, BLOCK_CODES_MAX, "codes of channels"),
    ):
        if size > limit:
            raise BlockTooLarge(f"{size} {what} in one block; {limit} are allowed")
    table = _WrittenTable(tuple(distinct.values()), numbers, array("H", map(len, by_encoding)), b"".join(by_encoding))
    if len(distinct) <= CHANNELS_WRITTEN_MAX:
        if len(_written) >= TABLES_WRITTEN_MAX:
            _written.clear()  # one statement, since two threads of a process may encode at the same time
        _written[tuple(distinct)] = table
    return table


def read_channels(reader: WireReader, count: int, *, sized: bool) -> tuple["array[int]", Sequence[Channel]]:
    """Return the channel number of each of `count` observations, and the table of channels to which the numbers
    refer."""
    table_length = reader.varint(count)
    if table_length > BLOCK_CHANNELS_MAX:
        raise reader.over_limit("channels in one block", BLOCK_CHANNELS_MAX)
    table = _tables.read(reader, table_length, sized=sized)
    column = reader.column(_number_type(len(table)), count)
    if count and max(column) >= len(table):
        raise reader.wrong("an observation refers to a channel that is missing")
    return column, table


def _read_table(reader: WireReader, table_length: int, *, sized: bool) -> list[Channel]:
    lengths = reader.column("H", table_length) if sized else None
    table: list[Channel] = []
    codes = 0
    for number in range(table_length):
        channel = read_channel(reader) if lengths is None else channel_of_bytes(reader.take(lengths[number]))
        codes += code_count(channel)
        if codes > BLOCK_CODES_MAX:
            raise reader.over_limit("codes of channels in one block", BLOCK_CODES_MAX)
        table.append(channel)
    return table


class _Tables:
    """Decoded tables, recognised by their bytes: the batches of a device repeat one table, and decoding it takes half
    of the time of a small block. A table is found by its beginning and compared as a whole. One that begins like
    another takes its place."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, bool, bytes], tuple[bytes, Sequence[Channel]]] = OrderedDict()

    def read(self, reader: WireReader, table_length: int, *, sized: bool) -> Sequence[Channel]:
        """Return the channels of the table at the reader's position. Raises `RemoteProtocolError`."""
        key = table_length, sized, reader.peek(_TABLE_KEY_BYTES + (2 * table_length if sized else 0))
        # Taken out and put back, one step each, since two threads of a process may decode at the same time.
        known = self._known.pop(key, None)
        if known is not None and reader.skip(known[0]):
            self._known[key] = known
            return known[1]
        ahead = reader.peek(TABLE_BYTES_MAX)
        rest_bytes = reader.rest_bytes
        table = _read_table(reader, table_length, sized=sized)
        size = rest_bytes - reader.rest_bytes
        if size <= TABLE_BYTES_MAX:
            self._known[key] = ahead[:size], table
            while len(self._known) > TABLES_CACHED:
                self._known.popitem(last=False)
        return table


_tables = _Tables()


def _number_type(table_length: int) -> str:
    return "B" if table_length <= 256 else "H" if table_length <= 65_536 else "I"
