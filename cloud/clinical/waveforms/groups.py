"""Pack envelopes of numerics into an object of version 3: each run is a group, which is compressed as a whole.

A run is read by its byte range, as any other. The repeated parts of its envelopes (names, times, the descriptions of
channels) are compressed away; signatures, hashes and values are left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.clinical.waveforms.entries import encode_entry, encode_group
from cloud.clinical.waveforms.packed_object import (
    VERSION_WITH_GROUPS,
    PackedRun,
    decode_object,
    encode_header,
    encode_object,
)
from cloud.clinical.waveforms.summarising import summarise
from cloud.foundation.objects import ObjectDamaged


@dataclass(frozen=True, slots=True, kw_only=True)
class RunToPack:
    """Consecutive batches of one lane: the sequence number of the first, and all envelopes as received."""

    gateway: str
    epoch: str
    sequence: int
    envelopes: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class PackedGroups:
    """The bytes of an object. `places` has for each run the position and the size of its group."""

    data: bytes
    places: Sequence[tuple[int, int]]


def pack_groups(tenant_id: str, packed_at_us: int, runs: Sequence[RunToPack]) -> PackedGroups:
    """Return the object with these runs of one tenant, after it was read again and compared. Raises `ObjectDamaged` if
    it does not hold the same bytes."""
    header = encode_header(tenant_id, packed_at_us, version=VERSION_WITH_GROUPS)
    groups = [encode_group([encode_entry(one) for one in run.envelopes]) for run in runs]
    at = len(header)
    places: list[tuple[int, int]] = []
    for group in groups:
        places.append((at, len(group)))
        at += len(group)
    packed = [
        PackedRun(
            gateway=run.gateway,
            epoch=run.epoch,
            sequence=run.sequence,
            batches=len(run.envelopes),
            position=position,
            size_bytes=size_bytes,
        )
        for run, (position, size_bytes) in zip(runs, places, strict=True)
    ]
    envelopes = [one for run in runs for one in run.envelopes]
    data = encode_object(header, groups, packed, summarise(()), envelopes=len(envelopes))
    if decode_object(data).envelopes != envelopes:
        raise ObjectDamaged("(A packed object does not hold the envelopes of which it was made.)")
    return PackedGroups(data, places)
