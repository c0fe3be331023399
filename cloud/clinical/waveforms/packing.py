"""Pack the envelopes of one tenant into objects.

The envelopes of a lane stand together, in the order of their sequence numbers, so that a reader gets consecutive
batches by one range. An object that would exceed its limits is closed, and the next one begun.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cloud.clinical.waveforms.entries import ENTRIES_MAX, encode_entry
from cloud.clinical.waveforms.packed_object import (
    ENTRIES_BYTES_MAX,
    PackedRun,
    encode_header,
    encode_object,
)
from cloud.clinical.waveforms.summarising import SampleBlocks, summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchToPack:
    """A batch with its envelope as received. `blocks` are its samples; None: the payload was not decoded."""

    gateway: str
    epoch: str
    sequence: int
    envelope: bytes
    blocks: SampleBlocks | None


@dataclass(frozen=True, slots=True)
class Packing:
    """The bytes of one object. `places` has for each of `batches` the position and the size of its entry."""

    data: bytes
    batches: Sequence[BatchToPack]
    places: Sequence[tuple[int, int]]


def pack(tenant_id: str, packed_at_us: int, batches: Sequence[BatchToPack]) -> Iterator[Packing]:
    """Yield the objects of these batches of one tenant."""
    ordered = sorted(batches, key=lambda one: (one.gateway, one.epoch, one.sequence))
    begin = size_bytes = 0
    for at, one in enumerate(ordered):
        if at > begin and (size_bytes >= ENTRIES_BYTES_MAX or at - begin == ENTRIES_MAX):
            yield _pack(tenant_id, packed_at_us, ordered[begin:at])
            begin, size_bytes = at, 0
        size_bytes += len(one.envelope)
    if begin < len(ordered):
        yield _pack(tenant_id, packed_at_us, ordered[begin:])


def _pack(tenant_id: str, packed_at_us: int, batches: Sequence[BatchToPack]) -> Packing:
    header = encode_header(tenant_id, packed_at_us)
    entries = [encode_entry(one.envelope) for one in batches]
    at = len(header)
    places: list[tuple[int, int]] = []
    runs: list[PackedRun] = []
    for one, entry in zip(batches, entries, strict=True):
        places.append((at, len(entry)))
        last = runs[-1] if runs else None
        lane = (one.gateway, one.epoch, one.sequence)
        if last is not None and lane == (last.gateway, last.epoch, last.sequence + last.batches):
            runs[-1] = replace(last, batches=last.batches + 1, size_bytes=last.size_bytes + len(entry))
        else:
            runs.append(
                PackedRun(
                    gateway=one.gateway,
                    epoch=one.epoch,
                    sequence=one.sequence,
                    batches=1,
                    position=at,
                    size_bytes=len(entry),
                )
            )
        at += len(entry)
    summary = summarise(one.blocks for one in batches)
    return Packing(encode_object(header, entries, runs, summary), batches, places)
