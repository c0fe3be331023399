"""Value column of an observation block: numbers, special values, bits, texts, codes, compounds and sample arrays.

A block of vital signs holds only numbers, so this case is encoded as one column of doubles. In every other block each
observation has a byte for the kind of its value, and the values of each kind follow as one column. Floats in a block
are finite (`wire` enforces it in both directions). NaN and infinities are `Special` values instead.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import cast

from protocols.errors import LocalProtocolError
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Observation, Scalar, Special, Value
from protocols.uplink.channels import read_code, write_code
from protocols.uplink.limits import BLOCK_SAMPLES_BYTES_MAX, BLOCK_SCALARS_MAX, BlockTooLarge
from protocols.uplink.wire import WireReader, WireWriter

TEXT_BYTES_MAX = 65_535
_U32_MAX = 0xFFFF_FFFF
_ALL_FLOATS, _MIXED = 0, 1
_SAMPLES, _FLOAT, _SPECIAL, _BITS, _TEXT, _CODE, _COMPOUND = range(7)
_KIND_OF: dict[type, int] = {
    type(None): _SAMPLES,
    float: _FLOAT,
    Special: _SPECIAL,
    int: _BITS,
    str: _TEXT,
    Code: _CODE,
    tuple: _COMPOUND,
}
_SPECIALS = (Special.NAN, Special.NRES, Special.PLUS_INFINITY, Special.MINUS_INFINITY)


def write_values(writer: WireWriter, observations: Sequence[Observation]) -> None:
    """Write the values and samples of `observations`. Raises `LocalProtocolError` for a value that the encoding cannot
    hold."""
    values = [observation.value for observation in observations]
    kinds_met = set(map(type, values))
    if kinds_met == {float}:
        writer.u8(_ALL_FLOATS)
        writer.floats(array("d", cast(list[float], values)))
        return
    writer.u8(_MIXED)
    try:
        kinds = bytes([_KIND_OF[type(value)] for value in values])
    except KeyError as error:
        raise LocalProtocolError(f"a value of type {error.args[0].__name__}") from None
    writer.raw(kinds)
    _write_samples(writer, [observation for observation in observations if observation.value is None])
    writer.floats(array("d", [value for value in values if type(value) is float]))
    _write_specials(writer, [value for value in values if isinstance(value, Special)])
    _write_bits(writer, [value for value in values if type(value) is int])
    for text in [value for value in values if isinstance(value, str)]:
        writer.text(text, limit_bytes=TEXT_BYTES_MAX)
    for code in [value for value in values if isinstance(value, Code)]:
        write_code(writer, code)
    _write_compounds(writer, [value for value in values if type(value) is tuple])


def read_values(
    reader: WireReader, channels: Sequence[Channel]
) -> tuple[Sequence[Value | None], Sequence[bytes | None]]:
    """Return the values and the samples of the observations whose channels are `channels`, in two sequences. An
    observation has either a value or samples; its entry in the other sequence is None."""
    form = reader.u8()
    if form == _ALL_FLOATS:
        return reader.floats(len(channels)), [None] * len(channels)
    if form == _MIXED:
        return _read_mixed(reader, channels)
    raise reader.wrong("no such form of the value column")


def _read_mixed(reader: WireReader, channels: Sequence[Channel]) -> tuple[list[Value | None], list[bytes | None]]:
    kinds = reader.take(len(channels))
    if kinds and max(kinds) > _COMPOUND:
        raise reader.wrong("no such kind of value")
    for kind, channel in zip(kinds, channels, strict=True):
        if kind == _SAMPLES and channel.array is None:
            raise reader.wrong("samples on a channel without an array")
    count_of = kinds.count
    blocks = iter(_read_samples(reader, count_of(_SAMPLES)))
    columns: tuple[Iterator[Value | None], ...] = (
        iter([None] * count_of(_SAMPLES)),
        iter(reader.floats(count_of(_FLOAT))),
        iter(_read_specials(reader, count_of(_SPECIAL))),
        iter(reader.column("q", count_of(_BITS)).tolist()),
        iter([reader.text(TEXT_BYTES_MAX) for _ in range(count_of(_TEXT))]),
        iter([read_code(reader) for _ in range(count_of(_CODE))]),
        iter(_read_compounds(reader, count_of(_COMPOUND))),
    )
    following: tuple[Callable[[], Value | None], ...] = tuple(column.__next__ for column in columns)
    return [following[kind]() for kind in kinds], [None if kind else next(blocks) for kind in kinds]


def _write_samples(writer: WireWriter, observations: Sequence[Observation]) -> None:
    blocks: list[bytes] = []
    for observation in observations:
        if observation.samples is None:
            raise LocalProtocolError("an observation has neither a value nor samples")
        if observation.channel.array is None:
            raise LocalProtocolError("samples on a channel without an array")
        blocks.append(observation.samples)
    samples = b"".join(blocks)
    if len(samples) > BLOCK_SAMPLES_BYTES_MAX:
        raise BlockTooLarge(f"{len(samples)} bytes of samples in one block; {BLOCK_SAMPLES_BYTES_MAX} are allowed")
    writer.column(array("I", map(len, blocks)))
    writer.raw(samples)


def _read_samples(reader: WireReader, count: int) -> list[bytes]:
    lengths = reader.column("I", count)
    if sum(lengths) > BLOCK_SAMPLES_BYTES_MAX:
        raise reader.over_limit("bytes of samples in one block", BLOCK_SAMPLES_BYTES_MAX)
    samples = reader.take(sum(lengths))
    return [samples[end - length : end] for length, end in zip(lengths, accumulate(lengths), strict=True)]


def _write_bits(writer: WireWriter, bits: Sequence[int]) -> None:
    try:
        writer.column(array("q", bits))
    except OverflowError:
        raise LocalProtocolError("bits that do not fit 64") from None


def _write_specials(writer: WireWriter, specials: Sequence[Special]) -> None:
    writer.raw(bytes([_SPECIALS.index(special) for special in specials]))


def _read_specials(reader: WireReader, count: int) -> list[Special]:
    numbers = reader.take(count)
    if numbers and max(numbers) >= len(_SPECIALS):
        raise reader.wrong("no such special value")
    return [_SPECIALS[number] for number in numbers]


def _write_compounds(writer: WireWriter, compounds: Sequence[tuple[Scalar, ...]]) -> None:
    """Write, in this order: the length of each compound; one byte for each component (1: special, 0: float); the
    floats; the specials."""
    if any(len(compound) > 0xFF for compound in compounds):
        raise LocalProtocolError("a compound has more than 255 components")
    scalars = [scalar for compound in compounds for scalar in compound]
    if len(scalars) > BLOCK_SCALARS_MAX:
        raise BlockTooLarge(f"{len(scalars)} components in one block; {BLOCK_SCALARS_MAX} are allowed")
    if not set(map(type, scalars)) <= {float, Special}:
        raise LocalProtocolError("a component that is neither a float nor a Special")
    writer.raw(bytes(map(len, compounds)))
    writer.raw(bytes([type(scalar) is Special for scalar in scalars]))
    writer.floats(array("d", [scalar for scalar in scalars if isinstance(scalar, float)]))
    _write_specials(writer, [scalar for scalar in scalars if isinstance(scalar, Special)])


def _read_compounds(reader: WireReader, count: int) -> list[tuple[Scalar, ...]]:
    lengths = reader.take(count)
    if sum(lengths) > BLOCK_SCALARS_MAX:
        raise reader.over_limit("components in one block", BLOCK_SCALARS_MAX)
    special = reader.take(sum(lengths))
    floats = iter(reader.floats(special.count(0)))
    specials = iter(_read_specials(reader, len(special) - special.count(0)))
    scalars: Iterator[Scalar] = iter([next(specials) if is_special else next(floats) for is_special in special])
    return [tuple([next(scalars) for _ in range(length)]) for length in lengths]
