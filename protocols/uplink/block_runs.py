"""Runs of an observation block: the facts of consecutive observations, which stand at the beginning of its body.

A receiver that stores the bytes of a block and decodes its columns later reads only the runs at first: they name the
devices, and whether a device sent values from its memory. That takes a tenth of the time of decoding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.errors import RemoteProtocolError
from protocols.uplink.block_body import CLAUSES, unpack, unpack_beginning
from protocols.uplink.channels import DeviceRef, Facts, read_facts
from protocols.uplink.limits import BLOCK_BYTES_MAX, BLOCK_DEVICES_MAX, BLOCK_OBSERVATIONS_MAX, LimitExceeded
from protocols.uplink.wire import WireReader

HEAD_BYTES = 768
"""Bytes of a body that are decompressed to read its runs: those of four devices and fifty runs."""
_U32_MAX = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class BlockHead:
    """The facts that the runs of a block state. `devices` has each device once, in the order of the block. `stored`: a
    device measured some of the values earlier and sent them from its memory."""

    devices: tuple[DeviceRef, ...]
    stored: bool


def read_head(data: bytes, *, announced_count: int | None = None, limit_bytes: int = BLOCK_BYTES_MAX) -> BlockHead:
    """Read the runs of a block, and nothing behind them, which may be invalid. The arguments and errors are those of
    `observations.decode_columns`, which accepts no block that is refused here."""
    try:
        _, runs = _open(unpack_beginning(data, limit_bytes, HEAD_BYTES), announced_count)
    except RemoteProtocolError:  # there are more runs than usual, or the block is invalid
        _, runs = open_block(data, announced_count=announced_count, limit_bytes=limit_bytes)
    return BlockHead(
        devices=tuple(dict.fromkeys([facts.device for facts, _ in runs])),
        stored=any(facts.stored for facts, _ in runs),
    )


def open_block(
    data: bytes, *, announced_count: int | None, limit_bytes: int
) -> tuple[tuple[int, WireReader], Sequence[tuple[Facts, int]]]:
    """Decompress a block and read its runs: facts, and the number of consecutive observations with these facts. Return
    the version of the block and a reader of what follows, and the runs. Raises as `observations.decode_columns`."""
    if announced_count is not None and announced_count > BLOCK_OBSERVATIONS_MAX:
        raise LimitExceeded(f"more than {BLOCK_OBSERVATIONS_MAX} observations", clause="uplink observation block")
    return _open(unpack(data, limit_bytes), announced_count)


def _open(
    unpacked: tuple[int, bytes], announced_count: int | None
) -> tuple[tuple[int, WireReader], Sequence[tuple[Facts, int]]]:
    version, body = unpacked
    reader = WireReader(body, clause=CLAUSES[version])
    runs = _read_runs(reader)
    if announced_count is not None and sum([length for _, length in runs]) != announced_count:
        raise reader.wrong("the envelope announces another number of observations")
    return (version, reader), runs


def _read_runs(reader: WireReader) -> list[tuple[Facts, int]]:
    table = _read_table(reader)
    runs = reader.varint(_U32_MAX)
    if runs > BLOCK_OBSERVATIONS_MAX:
        raise reader.over_limit("runs in one block", BLOCK_OBSERVATIONS_MAX)
    which = reader.column("I", runs)
    lengths = reader.column("I", runs)
    if runs and max(which) >= len(table):
        raise reader.wrong("a run refers to facts that are missing")
    if sum(lengths) > BLOCK_OBSERVATIONS_MAX:
        raise reader.over_limit("observations in one block", BLOCK_OBSERVATIONS_MAX)
    return [(table[number], length) for number, length in zip(which, lengths, strict=True)]


def _read_table(reader: WireReader) -> list[Facts]:
    """Read a block's table of facts. Raises `LimitExceeded` at more than `BLOCK_DEVICES_MAX` devices."""
    count = reader.varint(_U32_MAX)
    if count > BLOCK_OBSERVATIONS_MAX:
        raise reader.over_limit("facts in one block", BLOCK_OBSERVATIONS_MAX)
    table: list[Facts] = []
    devices: set[DeviceRef] = set()
    for _ in range(count):
        facts = read_facts(reader)
        devices.add(facts.device)
        if len(devices) > BLOCK_DEVICES_MAX:
            raise reader.over_limit("devices in one block", BLOCK_DEVICES_MAX)
        table.append(facts)
    return table
