"""The phase that takes batches with values of the encounter out of the index of packed waveforms.

A run is divided: its other batches stay where they are in the object, and get runs of their own. Values of others in an
erased batch get rows, since nothing else would have them. The objects themselves are rewritten later (`object_walk`).
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from cloud.clinical.observations import (
    CarriedBatch,
    ErasedValues,
    ObservationColumns,
    ObservationWriter,
    carriers_of_run,
    clocks_of_gateway,
)
from cloud.clinical.waveforms import READERS_US, Run, StoredRun, WaveformIndex, merge_spans
from cloud.foundation.db import Transaction
from cloud.foundation.objects import ObjectDamaged
from cloud.foundation.retention import DAY_US
from cloud.vehicles.custody import ChainRow, Content, LinkState, Removal, lanes
from cloud.vehicles.erasure.batches import ContentOfEncounter
from cloud.vehicles.erasure.model import Amounts, Erasure, Progress
from cloud.vehicles.erasure.place import OBJECT_AGE_US, ErasingPlace, Step
from cloud.vehicles.ingest import spans_of, unpack
from protocols.provenance.hash_chain import HASH_BYTES
from protocols.uplink.envelope import decode_envelope

RUNS_AT_ONCE = 2_000
"""Rows of the index that one step reads in search of runs of the time of the encounter: about 5 ms."""
DECODED_AT_ONCE = 16
"""Runs that one step reads from their objects: at most 16 MB."""
OTHERS_AT_ONCE = 8_192
"""Values of others that one step writes as rows, before the last run of the step: those of one of the largest batches.
They take tenths of a second, and come from runs at the ends of the encounter or of a vehicle with a further device."""
_ENTRY_HEAD_BYTES = 8

Place = tuple[int, int, int]
"""Position of a run in the search: its earliest time, its lane id, and its first sequence number."""
_BEFORE_ALL: Place = (-(1 << 63), 0, 0)


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """A batch of a run. `positions` are those of the encounter's values, and `size_bytes` is the size of its entry."""

    sequence: int
    size_bytes: int
    columns: ObservationColumns
    positions: Set[int]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Runs whose times overlap those of the encounter, each with its place. `following` is where the search continues;
    None: at the end of all ranges."""

    runs: Sequence[tuple[Place, StoredRun]]
    following: list[int] | None


async def erase_waveforms(place: ErasingPlace, erasure: Erasure, position: list[int]) -> Progress:
    """Take the next runs with values of the encounter out of the index. The position is the number of the range, and
    the place of the last run."""
    async with place.database.read() as tx:
        values = await place.values_of(tx, erasure)
        found = await _candidates(tx, erasure, values, position or [0, *_BEFORE_ALL])
    decoded = [(at, run, await _decode(place, values, run)) for at, run in found.runs]
    affected = [(at, run, batches) for at, run, batches in decoded if any(batch.positions for batch in batches)]
    young_us = place.clock.now_us() - OBJECT_AGE_US
    if any(run.run.stored_at_us > young_us for _, run, _ in affected):
        return Progress(position, waits_for="waveforms of the last two hours, which ingest may still index")
    amounts, following = Amounts(), found.following
    async with place.step(erasure) as step:
        for (begin_us, lane_id, sequence), run, batches in affected:
            if amounts.others >= OTHERS_AT_ONCE:
                following = [position[0] if position else 0, begin_us, lane_id, sequence - 1]
                break
            amounts += await _Division(place, step, erasure).divide(run, batches)
        step.progress = Progress(following, amounts)
    return step.progress


async def _candidates(tx: Transaction, erasure: Erasure, values: ErasedValues, position: list[int]) -> Candidates:
    """Return the next candidates. In later rounds, runs that begin more than a day before the range are left out: the
    first round has read all."""
    number, *after = position
    if number >= len(values.ranges):
        return Candidates([], None)
    range_, index = values.ranges[number], WaveformIndex()
    if erasure.finished_at_us is not None and after == list(_BEFORE_ALL):
        after = [max(_BEFORE_ALL[0], range_.from_us - DAY_US), 0, 0]
    page = await index.places(
        tx,
        range_.selection.source_id,
        range_.selection.clock_id,
        range_.selection.apart,
        after=(after[0], after[1], after[2]),
        before_us=range_.until_us,
        limit=RUNS_AT_ONCE,
    )
    overlapping = [at for at, end_us in page if end_us >= range_.from_us]
    due = overlapping[:DECODED_AT_ONCE]
    following = [number + 1, *_BEFORE_ALL]
    if len(due) < len(overlapping):
        following = [number, *due[-1]]
    elif len(page) == RUNS_AT_ONCE:
        following = [number, *page[-1][0]]
    found = [(at, await index.find(tx, at[1], at[2])) for at in due]
    return Candidates([(at, run) for at, run in found if run is not None], following)


async def _decode(place: ErasingPlace, values: ErasedValues, stored: StoredRun) -> list[DecodedBatch]:
    run = stored.run
    envelopes = await place.envelopes.read(stored)
    contents = [unpack(decode_envelope(one).batch) for one in envelopes]
    async with place.database.read() as tx:
        gateway_id = (await tx.execute(select(lanes.c.gateway_id).where(lanes.c.lane_id == run.lane_id))).scalar()
        deciding = ContentOfEncounter(tx, values)
        decoded = []
        for sequence, (envelope, content) in enumerate(zip(envelopes, contents, strict=True), start=run.sequence):
            if not isinstance(content, ObservationColumns):
                raise ObjectDamaged(f"({stored.object_name}: batch {sequence} is indexed and cannot be decoded.)")
            positions = await deciding.positions(gateway_id, (run.organization_id, run.vehicle_id), content)
            decoded.append(DecodedBatch(sequence, _ENTRY_HEAD_BYTES + len(envelope), content, positions))
    return decoded


class _Division:
    """Divides runs within one step."""

    def __init__(self, place: ErasingPlace, step: Step, erasure: Erasure) -> None:
        self._place = place
        self._step = step
        self._erasure = erasure
        self._index = WaveformIndex()
        self._removal = Removal(step.sealer)

    async def divide(self, stored: StoredRun, batches: Sequence[DecodedBatch]) -> Amounts:
        """Take the batches with values of the encounter out of a run, unless it has changed since it was read."""
        tx, run, now_us = self._step.tx, stored.run, self._place.clock.now_us()
        object_id = await self._index.object_named(tx, stored.object_name)
        if object_id is None or await self._index.find(tx, run.lane_id, run.sequence) != stored:
            return Amounts()  # the object was rewritten, or the run expired; a later round finds what is left
        marks = await self._removal.lock(tx, run.lane_id)
        lane = (await tx.execute(select(lanes).where(lanes.c.lane_id == run.lane_id))).first()
        assert lane is not None, "a lane is never deleted"
        self._step.check_gateway(lane.gateway_id)
        sources = await carriers_of_run(tx, run.lane_id, run.sequence)
        clocks = await clocks_of_gateway(tx, self._erasure.tenant_id, lane.gateway_id)
        erased = [one for one in batches if one.positions]
        others = await self._keep_others(tx, run, lane.gateway_id, erased, sources)
        pieces = {
            _piece(run, piece, batches): merge_spans(
                [
                    span.stored(
                        [sources[ref][0] for ref in one.columns.sources],
                        [clocks[clock.boot_id, clock.device_known].clock_id for clock in one.columns.clocks],
                    )
                    for one in piece
                    for span in spans_of(one.columns)
                ]
            )
            for piece in _pieces(batches)
        }
        await self._index.divide(tx, run, pieces, now_us + READERS_US)
        chain = [_chain_row(run, one.sequence) for one in erased]
        await self._removal.leave_ends(tx, run.lane_id, marks, chain)
        await self._removal.remove(tx, run.lane_id, marks, chain, now_us)
        await self._place.store.walk_from(tx, self._erasure.tenant_id, _name_before(stored.object_name))
        return Amounts(observations=sum(len(one.positions) for one in erased), batches=len(erased), others=others)

    async def _keep_others(
        self,
        tx: Transaction,
        run: Run,
        gateway_id: str,
        erased: Iterable[DecodedBatch],
        sources: Mapping[Any, tuple[int, Any]],
    ) -> int:
        """Write rows for the values of others in erased batches; return their number."""
        carried = [
            CarriedBatch(
                gateway_id=gateway_id,
                columns=one.columns,
                lane_id=run.lane_id,
                sequence=one.sequence,
                carriers=[sources[ref][1] for ref in one.columns.sources],
                left_out=one.positions,
            )
            for one in erased
            if len(one.positions) < len(one.columns.numbers)
        ]
        if not carried:
            return 0
        added = await ObservationWriter(tx, self._place.numbers).write(carried)
        return sum(one.new for one in added)


def _pieces(batches: Sequence[DecodedBatch]) -> list[list[DecodedBatch]]:
    """Return the parts of a run between its erased batches."""
    pieces: list[list[DecodedBatch]] = [[]]
    for one in batches:
        if one.positions:
            pieces.append([])
        else:
            pieces[-1].append(one)
    return [piece for piece in pieces if piece]


def _piece(run: Run, piece: Sequence[DecodedBatch], batches: Sequence[DecodedBatch]) -> Run:
    first, last = piece[0].sequence, piece[-1].sequence
    before = sum(one.size_bytes for one in batches if one.sequence < first)
    begin, end = (first - run.sequence) * HASH_BYTES, (last - run.sequence + 1) * HASH_BYTES
    return replace(
        run,
        sequence=first,
        through_sequence=last,
        position=run.position + before,
        size_bytes=sum(one.size_bytes for one in piece),
        previous_hash=_previous(run, first),
        hashes=run.hashes[begin:end],
        link=run.link if first == run.sequence else LinkState.LINKED.value,
    )


def _chain_row(run: Run, sequence: int) -> ChainRow:
    return ChainRow(
        sequence=sequence,
        content=Content.ROWS,
        hash=run.hash_of(sequence),
        previous_hash=_previous(run, sequence),
        created_at_us=run.received_at_us,
        stored_at_us=run.stored_at_us,
        vehicle_id=run.vehicle_id,
    )


def _previous(run: Run, sequence: int) -> bytes:
    return run.previous_hash if sequence == run.sequence else run.hash_of(sequence - 1)


def _name_before(object_name: str) -> str:
    """Return a name that is less than that of an object, and not less than those before it."""
    return object_name[:-1]
