"""Rewrite a packed object without the envelopes of erased batches.

The other entries are copied as they are, in their order. An erased envelope keeps everything but its payload, so the
chain of its lane still verifies from the objects alone. The index and the summary of samples are made again from the
envelopes that are left. The time of packing stays, since it decides which former key may verify an envelope.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from cloud.clinical.waveforms.entries import encode_entry, entries_of
from cloud.clinical.waveforms.packed_object import (
    TRAILER_BYTES,
    VERSION_WITH_ERASED,
    PackedRun,
    decode_object,
    encode_header,
    encode_object,
    erased_envelope,
    index_range,
)
from cloud.clinical.waveforms.summarising import SampleBlocks, summarise
from cloud.foundation.objects import ObjectDamaged
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import Batch, decode_envelope


@dataclass(frozen=True, slots=True)
class RewrittenObject:
    """The bytes of a rewritten object. `moved` maps the position of each entry that is left to its new position, and
    `erased` counts the entries that were erased now."""

    data: bytes
    moved: Mapping[int, int]
    erased: int


def rewrite_object(
    data: bytes, is_erased: Callable[[Batch], bool], blocks_of: Callable[[Batch], SampleBlocks | None]
) -> RewrittenObject:
    """Return the object without the envelopes of the batches for which `is_erased` returns True. `blocks_of` returns
    the samples of a batch, None if its payload cannot be decoded. Raises `ObjectDamaged`."""
    packed = decode_object(data)
    header = encode_header(packed.tenant_id, packed.packed_at_us, version=VERSION_WITH_ERASED)
    body_end, _ = index_range(data[-TRAILER_BYTES:], len(data))
    at = len(header)
    entries: list[bytes] = []
    moved: dict[int, int] = {}
    kept: list[tuple[Batch, int, int]] = []
    erased = 0
    for entry in entries_of(data[:body_end], first=len(header)):
        if entry.in_group:
            raise ObjectDamaged("(It has groups. Objects of numerics are not rewritten.)")
        copied = data[entry.position : entry.position + entry.size_bytes]
        if not entry.is_erased:
            try:
                envelope = decode_envelope(entry.envelope)
            except RemoteProtocolError as error:
                raise ObjectDamaged(f"(The envelope at byte {entry.position}: {error})") from None
            if is_erased(envelope.batch):
                copied = encode_entry(erased_envelope(envelope), is_erased=True)
                erased += 1
            else:
                moved[entry.position] = at
                kept.append((envelope.batch, at, len(copied)))
        entries.append(copied)
        at += len(copied)
    summary = summarise(blocks_of(batch) for batch, _, _ in kept)
    return RewrittenObject(encode_object(header, entries, _runs(kept), summary), moved, erased)


def _runs(kept: Sequence[tuple[Batch, int, int]]) -> list[PackedRun]:
    """Return the runs of entries that are left: consecutive batches of one lane that stand together."""
    runs: list[PackedRun] = []
    for batch, position, size_bytes in kept:
        last = runs[-1] if runs else None
        lane = (batch.gateway, batch.epoch, batch.sequence, position)
        if last is not None and lane == (
            last.gateway,
            last.epoch,
            last.sequence + last.batches,
            last.position + last.size_bytes,
        ):
            runs[-1] = replace(last, batches=last.batches + 1, size_bytes=last.size_bytes + size_bytes)
            continue
        runs.append(
            PackedRun(
                gateway=batch.gateway,
                epoch=batch.epoch,
                sequence=batch.sequence,
                batches=1,
                position=position,
                size_bytes=size_bytes,
            )
        )
    return runs
