"""A run: consecutive batches of one lane in one object, and what it has of each device."""

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.provenance.hash_chain import HASH_BYTES

RUN_BATCHES_MAX = 256
"""Batches of one run: 8 KiB of hashes in its row."""
RUN_BYTES_MAX = 1 << 20
"""Bytes of a run after which the next batch begins another. A reader holds a few runs in memory, and this is a minute
of a vehicle with two monitors."""
RUN_OBSERVATIONS_MAX = 16_384
"""Observations of one run, which a reader decodes at once: those of two of the largest batches."""
RUN_SPAN_US = 3_600_000_000
"""Time between the first and the last observation of one device in a batch that is indexed; a batch with a longer span
(a device's clock jumped) has rows instead. A reader that begins at a moment so looks at the runs of the hour before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpan:
    """The observations that a run has of one source by one clock: their number and their earliest and latest time. The
    monotonic times are None with a synchronised wall clock (`clock_id` 0)."""

    source_id: int
    clock_id: int
    observations: int
    from_us: int
    until_us: int
    monotonic_from_us: int | None
    monotonic_until_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of batches as its row has it. `hashes` are the chain hashes of the batches, joined. `created_from_us` and
    `created_until_us` are when the gateway made the first and the last of them, by its own clock; None for waveforms,
    whose times are in the index of their sources."""

    lane_id: int
    sequence: int
    through_sequence: int
    object_id: int
    position: int
    size_bytes: int
    previous_hash: bytes
    hashes: bytes
    link: str
    organization_id: str
    vehicle_id: str
    received_at_us: int
    stored_at_us: int
    created_from_us: int | None = None
    created_until_us: int | None = None

    def hash_of(self, sequence: int) -> bytes:
        """Return the chain hash of one of its batches."""
        at = (sequence - self.sequence) * HASH_BYTES
        return self.hashes[at : at + HASH_BYTES]


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run with the name of its object."""

    run: Run
    object_name: str


def merge_spans(spans: Sequence[SourceSpan]) -> list[SourceSpan]:
    """Return one span for each source and clock."""
    merged: dict[tuple[int, int], SourceSpan] = {}
    for one in spans:
        key = one.source_id, one.clock_id
        known = merged.get(key)
        merged[key] = one if known is None else _joined(known, one)
    return list(merged.values())


def _joined(one: SourceSpan, other: SourceSpan) -> SourceSpan:
    monotonic = [
        at_us
        for at_us in (
            one.monotonic_from_us,
            one.monotonic_until_us,
            other.monotonic_from_us,
            other.monotonic_until_us,
        )
        if at_us is not None
    ]
    return SourceSpan(
        source_id=one.source_id,
        clock_id=one.clock_id,
        observations=one.observations + other.observations,
        from_us=min(one.from_us, other.from_us),
        until_us=max(one.until_us, other.until_us),
        monotonic_from_us=min(monotonic, default=None),
        monotonic_until_us=max(monotonic, default=None),
    )
