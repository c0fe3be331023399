"""Index the new waveform batches of one transaction: the rows of their objects, runs and sources."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloud.clinical.waveforms import (
    RUN_BATCHES_MAX,
    RUN_BYTES_MAX,
    RUN_OBSERVATIONS_MAX,
    Run,
    SourceSpan,
    WaveformIndex,
    WaveformObject,
    merge_spans,
)
from cloud.foundation.db import Transaction
from cloud.vehicles.custody import LinkState
from cloud.vehicles.ingest.opening import Opened, PackedPlace


@dataclass(frozen=True, slots=True)
class IndexedBatch:
    """A new batch of a waveform lane, with the place of its envelope and what it has of each source."""

    lane_id: int
    one: Opened
    link: LinkState
    spans: Sequence[SourceSpan]

    @property
    def packed(self) -> PackedPlace:
        assert self.one.packed is not None, "only a batch whose envelope is in an object is indexed"
        return self.one.packed


async def index_waveforms(tx: Transaction, indexed: Sequence[IndexedBatch], *, stored_at_us: int) -> None:
    """Add the rows of these batches: one row for each run, whatever the number of its batches."""
    if not indexed:
        return
    index = WaveformIndex()
    objects = {new.packed.object.stored.name: new.packed.object for new in indexed}
    object_ids = await index.add_objects(tx, list(objects.values()))
    await index.append(
        tx,
        {
            _run(run, object_ids[_object(run).stored.name], stored_at_us): merge_spans(
                [span for new in run for span in new.spans]
            )
            for run in runs_of(indexed)
        },
    )


def runs_of(indexed: Sequence[IndexedBatch]) -> Iterator[list[IndexedBatch]]:
    """Yield the runs: batches of one lane that follow each other in number, in the chain and in their object, within
    the limits of a run."""
    run: list[IndexedBatch] = []
    observations = 0
    for new in sorted(indexed, key=lambda each: (each.lane_id, each.one.batch.sequence)):
        observations += new.one.batch.count
        if run and not (_follows(run[-1], new) and _fits(run, observations)):
            yield run
            run, observations = [], new.one.batch.count
        run.append(new)
    if run:
        yield run


def _follows(last: IndexedBatch, new: IndexedBatch) -> bool:
    return (
        last.lane_id == new.lane_id
        and last.one.batch.sequence + 1 == new.one.batch.sequence
        and new.link is LinkState.LINKED
        and last.packed.object is new.packed.object
        and last.packed.position + last.packed.size_bytes == new.packed.position
    )


def _fits(run: Sequence[IndexedBatch], observations: int) -> bool:
    last = run[-1].packed
    return (
        len(run) < RUN_BATCHES_MAX
        and last.position + last.size_bytes - run[0].packed.position < RUN_BYTES_MAX
        and observations <= RUN_OBSERVATIONS_MAX
    )


def _object(run: Sequence[IndexedBatch]) -> WaveformObject:
    return run[0].packed.object


def _run(run: Sequence[IndexedBatch], object_id: int, stored_at_us: int) -> Run:
    first, last = run[0], run[-1]
    return Run(
        lane_id=first.lane_id,
        sequence=first.one.batch.sequence,
        through_sequence=last.one.batch.sequence,
        object_id=object_id,
        position=first.packed.position,
        size_bytes=last.packed.position + last.packed.size_bytes - first.packed.position,
        previous_hash=first.one.batch.previous_hash,
        hashes=b"".join([new.one.hash for new in run]),
        link=first.link.value,
        organization_id=first.one.gateway.organization_id,
        vehicle_id=first.one.gateway.vehicle_id,
        received_at_us=min(new.one.delivery.received_at_us for new in run),
        stored_at_us=stored_at_us if last.one.staged_at_us is None else last.one.staged_at_us,
    )
