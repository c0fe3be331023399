"""Table of the channels in an observation block, and the channel number of each observation."""

from array import array
from collections.abc import Sequence

from protocols.observation import Channel
from protocols.uplink.channels import channel_bytes, channel_of_bytes, code_count, read_channel
from protocols.uplink.limits import BLOCK_CHANNELS_MAX, BLOCK_CODES_MAX, BlockTooLarge
from protocols.uplink.wire import WireReader, WireWriter


def write_channels(writer: WireWriter, channels: Sequence[Channel], *, sized: bool) -> "array[int]":
    """Write the table of channels and the channel number of each observation, and return these numbers. `channels` are
    the channels of the observations. `sized`: the lengths of the encoded channels precede them, as in a waveform block.
    Channels are first compared by identity, since hashing each of them is expensive."""
    identities = list(map(id, channels))
    numbers: dict[int, int] = {}
    by_encoding: dict[bytes, int] = {}
    codes = 0
    for identity, channel in dict(zip(identities, channels, strict=True)).items():
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
    writer.varint(len(by_encoding))
    if sized:
        writer.column(array("H", map(len, by_encoding)))
    for encoded in by_encoding:
        writer.raw(encoded)
    column = array(_number_type(len(by_encoding)), map(numbers.__getitem__, identities))
    writer.column(column)
    return column


def read_channels(reader: WireReader, count: int, *, sized: bool) -> tuple["array[int]", list[Channel]]:
    """Return the channel number and the channel of each of `count` observations; equal channels are one object."""
    table_length = reader.varint(count)
    if table_length > BLOCK_CHANNELS_MAX:
        raise reader.over_limit("channels in one block", BLOCK_CHANNELS_MAX)
    lengths = reader.column("H", table_length) if sized else None
    table: list[Channel] = []
    codes = 0
    for number in range(table_length):
        channel = read_channel(reader) if lengths is None else channel_of_bytes(reader.take(lengths[number]))
        codes += code_count(channel)
        if codes > BLOCK_CODES_MAX:
            raise reader.over_limit("codes of channels in one block", BLOCK_CODES_MAX)
        table.append(channel)
    column = reader.column(_number_type(len(table)), count)
    if count and max(column) >= len(table):
        raise reader.wrong("an observation refers to a channel that is missing")
    return column, [table[number] for number in column]


def _number_type(table_length: int) -> str:
    return "B" if table_length <= 256 else "H" if table_length <= 65_536 else "I"
