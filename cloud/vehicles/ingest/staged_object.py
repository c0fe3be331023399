"""A staged object: the live batches of some vehicles, as they were received, in one object.

It makes batches durable with one write to the object store, and it is removed when the rows of its batches are written.
A version that reads objects only once, some seconds later, needs no index:

    magic `ARGS` · version (1 byte: 1) · zstd frame with a checksum, which states the size of its content

The content has the time of staging (i64, µs since 1970), and for each batch the size of its facts (u16), the facts (a
JSON array: tenant, gateway, organisation, vehicle, lane, time of arrival in µs), the size of the envelope (u32) and the
envelope. Integers are little-endian.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import zstandard

from cloud.foundation.ids import Ids
from cloud.foundation.objects import ObjectDamaged
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import ENVELOPE_BYTES_MAX

STAGED = "staged"
"""First part of the names of staged objects."""
STAGED_BYTES_MAX = 16 << 20
"""Bytes of the content of one object: more than ingest stages at once, so that a damaged object fills no memory."""

_MAGIC = b"ARGS\x01"
_AT = struct.Struct("<q")
_FACTS_SIZE = struct.Struct("<H")
_ENVELOPE_SIZE = struct.Struct("<I")
_LEVEL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedBatch:
    """A batch as it arrived, with the organisation and the vehicle that its gateway then had."""

    tenant_id: str
    gateway_id: str
    organization_id: str
    vehicle_id: str
    lane: Lane
    received_at_us: int
    envelope: bytes

    @property
    def facts(self) -> tuple[str, str, str, str, str, int]:
        return (
            self.tenant_id,
            self.gateway_id,
            self.organization_id,
            self.vehicle_id,
            self.lane.value,
            self.received_at_us,
        )


@dataclass(frozen=True, slots=True)
class StagedObject:
    """The content of a staged object. `staged_at_us` is by the clock of the process that stored it."""

    staged_at_us: int
    batches: Sequence[StagedBatch]


def new_staged_name(ids: Ids) -> str:
    """Return a name that follows those of objects that were staged before."""
    return f"{STAGED}/{ids.new('')}"


def encode_staged(staged: StagedObject) -> bytes:
    parts = [_AT.pack(staged.staged_at_us)]
    for one in staged.batches:
        facts = orjson.dumps(one.facts)
        parts += (_FACTS_SIZE.pack(len(facts)), facts, _ENVELOPE_SIZE.pack(len(one.envelope)), one.envelope)
    content = b"".join(parts)
    assert len(content) <= STAGED_BYTES_MAX, "ingest stages fewer bytes at once"
    return _MAGIC + zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(content)


def decode_staged(name: str, data: bytes) -> StagedObject:
    """Return the content of a staged object. Raises only `ObjectDamaged`."""
    if not data.startswith(_MAGIC):
        raise ObjectDamaged(f"({name} is no staged object of version 1.)")
    frame = data[len(_MAGIC) :]
    try:
        if not _AT.size <= zstandard.frame_content_size(frame) <= STAGED_BYTES_MAX:
            raise ObjectDamaged(f"({name} states a size beyond the limits.)")
        content = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
        (staged_at_us,) = _AT.unpack_from(content)
        batches: list[StagedBatch] = []
        at = _AT.size
        while at < len(content):
            at, facts = _sized(content, at, _FACTS_SIZE)
            at, envelope = _sized(content, at, _ENVELOPE_SIZE)
            batches.append(_batch(facts, envelope))
    except (zstandard.ZstdError, struct.error, ValueError, TypeError):
        raise ObjectDamaged(f"({name} cannot be decoded.)") from None
    return StagedObject(staged_at_us, batches)


def _sized(content: bytes, at: int, size: struct.Struct) -> tuple[int, bytes]:
    """Return the bytes at `at`, which begin with their number, and the position behind them. Raises `ValueError`."""
    (count,) = size.unpack_from(content, at)
    begin = at + size.size
    if count > ENVELOPE_BYTES_MAX or begin + count > len(content):
        raise ValueError(at)
    return begin + count, content[begin : begin + count]


def _batch(facts: bytes, envelope: bytes) -> StagedBatch:
    """Raises `ValueError`, also for facts that are no JSON or have other types."""
    tenant_id, gateway_id, organization_id, vehicle_id, lane, received_at_us = orjson.loads(facts)
    texts = (tenant_id, gateway_id, organization_id, vehicle_id)
    if not all(isinstance(one, str) for one in texts) or not isinstance(received_at_us, int):
        raise ValueError(received_at_us)
    return StagedBatch(
        tenant_id=tenant_id,
        gateway_id=gateway_id,
        organization_id=organization_id,
        vehicle_id=vehicle_id,
        lane=Lane(lane),
        received_at_us=received_at_us,
        envelope=envelope,
    )
