"""Pack the batches of numerics that are due, step by step.

A step takes some batches of the lanes of one tenant that were stored on one day (UTC), so that all runs of an object
expire together. It announces an object, puts it, and in one transaction adds the rows of its runs and deletes those of
the batches. So every batch has a row or a run at each moment, and no run is without its object. What a killed or failed
step leaves is an object without runs, which is removed as unused. The next step begins at the first row
that is left: nothing else has to be remembered.

A batch that could not be unpacked, or whose values are still single rows, stays a row, and so does one whose envelope
cannot be read, for `custody check` to report.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from cloud.clinical.waveforms import (
    RUN_BATCHES_MAX,
    RUN_BYTES_MAX,
    AnnouncedObjects,
    Run,
    RunToPack,
    WaveformIndex,
)
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import Ids
from cloud.foundation.objects import ObjectStore
from cloud.foundation.retention import DAY_US
from cloud.foundation.stopping import pause
from cloud.vehicles.custody import LinkState, Removal
from cloud.vehicles.packing.numerics_objects import NumericsObject, NumericsObjects
from cloud.vehicles.packing.store import DueBatch, DueLane, LanePlace, PackingStore
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import decode_envelope

BATCHES_AT_ONCE = 1_000
"""Batches of one step: seventeen minutes of a vehicle with a batch a second. Their rows are deleted in one transaction,
which occupies SQLite's only writer for about 20 ms, and their object has some 150 kB."""
BYTES_AT_ONCE = 4 << 20
"""Bytes of envelopes of one step, which are in memory four times: as rows, as runs, packed, and read again."""
LANES_AT_ONCE = 50
"""Lanes of one step, each locked until the rows of all are deleted: vehicles that send few values share an object."""
EVERY_S = 600.0
"""Seconds between two walks through all lanes. Batches become due once a day."""
REST_S = 0.05
"""Seconds between two steps, for queued writers."""
OTHER_US = 600_000_000
"""Time for which an announced object keeps other processes from packing: far more than a step takes, and short enough
that the work continues soon after a crash."""

log = structlog.get_logger()


class PackingInterrupted(DomainError, code="packing_interrupted", status=503):
    """The rows of batches changed while these were packed, so they stay rows. The next run tries again."""


@dataclass(frozen=True, slots=True)
class DueRun:
    """Batches of one lane that become a run, with their envelopes."""

    lane: DueLane
    batches: Sequence[DueBatch]
    envelopes: Sequence[bytes]

    @property
    def day(self) -> int:
        return self.batches[0].stored_at_us // DAY_US

    @property
    def to_pack(self) -> RunToPack:
        return RunToPack(
            gateway=self.lane.gateway_id,
            epoch=self.lane.epoch,
            sequence=self.batches[0].sequence,
            envelopes=self.envelopes,
        )

    def row(self, object_id: int, position: int, size_bytes: int) -> Run:
        first, last = self.batches[0], self.batches[-1]
        return Run(
            lane_id=self.lane.lane_id,
            sequence=first.sequence,
            through_sequence=last.sequence,
            object_id=object_id,
            position=position,
            size_bytes=size_bytes,
            previous_hash=first.previous_hash,
            hashes=b"".join([one.hash for one in self.batches]),
            link=first.link,
            organization_id=first.organization_id,
            vehicle_id=first.vehicle_id,
            received_at_us=min(one.received_at_us for one in self.batches),
            stored_at_us=max(one.stored_at_us for one in self.batches),
            created_from_us=min(one.created_at_us for one in self.batches),
            created_until_us=max(one.created_at_us for one in self.batches),
        )


@dataclass(frozen=True, slots=True)
class Collected:
    """The runs of one step. `following` is the place after which the next step continues, and `passed` the last place
    that was looked at."""

    runs: Sequence[DueRun]
    following: LanePlace | None
    passed: LanePlace


class BatchPacker:
    """Packs the numerics of one database. Of several processes one works at a time."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        clock: Clock,
        ids: Ids,
        after_days: int,
        *,
        rest_s: float = REST_S,
    ) -> None:
        self._database = database
        self._objects = NumericsObjects(database, objects, clock, ids)
        self._clock = clock
        self._rest_s = rest_s
        self._store = PackingStore(after_days)
        self._index = WaveformIndex()
        self._announced = AnnouncedObjects()
        self._removal = Removal()
        self._after: LanePlace | None = None
        """The place after which the walk continues. None: at its beginning."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Walk through all lanes every `EVERY_S` seconds until a stop is requested."""
        while not stopping.is_set():
            try:
                await self.walk(stopping)
            except DomainError as error:
                log.warning("numerics.packing_interrupted", code=error.code)
            await pause(stopping, EVERY_S)

    async def walk(self, stopping: asyncio.Event | None = None) -> int:
        """Do all steps that can be done now; return the number of packed batches."""
        stopping = stopping or asyncio.Event()
        packed, self._after = 0, None
        while not stopping.is_set() and (found := await self._collect()) is not None:
            if found.runs:
                if not await self._pack(found.runs):
                    break
                packed += sum(len(run.batches) for run in found.runs)
                await pause(stopping, self._rest_s)
            self._after = found.following if found.runs else found.passed
        if packed:
            log.info("numerics.batches_packed", batches=packed)
        return packed

    async def _collect(self) -> Collected | None:
        """Read the next batches that are due; None at the end of the walk."""
        runs: list[DueRun] = []
        count, size_bytes = BATCHES_AT_ONCE, BYTES_AT_ONCE
        following, has_more = self._after, False
        async with self._database.read() as tx:
            before_us = await self._store.before_us(tx, self._clock.now_us())
            if before_us is None:
                return None
            due = await self._store.due_lanes(tx, before_us, after=self._after, limit=LANES_AT_ONCE)
            due = [lane for lane in due if lane.tenant_id == due[0].tenant_id]
            for lane in due:
                page = await self._store.due_batches(tx, lane.lane_id, before_us, count)
                some = _within(page, size_bytes)
                mine = await self._runs(tx, lane, some)
                same_day = [run for run in mine if run.day == (runs or mine)[0].day]
                runs += same_day
                has_more |= len(page) == count or len(some) < len(page) or len(same_day) < len(mine)
                if len(page) == count or len(some) < len(page):
                    break
                count -= len(some)
                size_bytes -= sum(one.size_bytes for one in some)
                if not has_more:  # otherwise the next step looks at the lane again
                    following = lane.place
        return Collected(runs, following, lane.place) if due else None

    async def _runs(self, tx: Transaction, lane: DueLane, some: Sequence[DueBatch]) -> list[DueRun]:
        if not some:
            return []
        envelopes = await self._store.envelopes(tx, lane.lane_id, some[0].sequence, some[-1].sequence)
        readable = [one for one in some if _is_readable(envelopes.get(one.sequence))]
        return [DueRun(lane, run, [envelopes[one.sequence] for one in run]) for run in _divide(readable)]

    async def _pack(self, runs: Sequence[DueRun]) -> bool:
        """Put an object with these runs in the place of their rows. Return False if another process packs."""
        to_pack = [run.to_pack for run in runs]
        made = await self._objects.put(runs[0].lane.tenant_id, to_pack, alone_for_us=OTHER_US)
        if made is None:
            return False
        try:
            async with self._database.transaction() as tx:
                await self._exchange(tx, made, runs)
        except BaseException:
            await asyncio.shield(self._objects.abandon(made))
            raise
        return True

    async def _exchange(self, tx: Transaction, made: NumericsObject, runs: Sequence[DueRun]) -> None:
        """Add the rows of the runs, and delete those of their batches. Raises `PackingInterrupted`."""
        object_id = await self._announced.adopt(tx, made.name, self._clock.now_us())
        if object_id is None:
            raise PackingInterrupted
        for lane_id in sorted({run.lane.lane_id for run in runs}):
            await self._removal.lock(tx, lane_id)
        for run in runs:
            if not await self._store.take(tx, run.lane.lane_id, run.batches):
                raise PackingInterrupted
        rows = [run.row(object_id, *place) for run, place in zip(runs, made.places, strict=True)]
        await self._index.append(tx, dict.fromkeys(rows, ()))


def _within(page: Sequence[DueBatch], size_bytes: int) -> Sequence[DueBatch]:
    """Return the first batches whose envelopes have at most this many bytes, and at least one."""
    taken = 0
    for number, one in enumerate(page):
        taken += one.size_bytes
        if number and taken > size_bytes:
            return page[:number]
    return page


def _is_readable(envelope: bytes | None) -> bool:
    try:
        return envelope is not None and bool(decode_envelope(envelope).batch.sequence)
    except RemoteProtocolError:
        return False


def _divide(some: Sequence[DueBatch]) -> Iterator[Sequence[DueBatch]]:
    """Divide batches of one lane into runs: consecutive, linked, of one owner and one day of storing."""
    begin = size_bytes = 0
    for at, one in enumerate(some):
        if at > begin and (
            not _follows(some[at - 1], one) or at - begin == RUN_BATCHES_MAX or size_bytes >= RUN_BYTES_MAX
        ):
            yield some[begin:at]
            begin, size_bytes = at, 0
        size_bytes += one.size_bytes
    if begin < len(some):
        yield some[begin:]


def _follows(last: DueBatch, one: DueBatch) -> bool:
    return (
        one.sequence == last.sequence + 1
        and one.link == LinkState.LINKED.value
        and one.previous_hash == last.hash
        and (one.organization_id, one.vehicle_id) == (last.organization_id, last.vehicle_id)
        and one.stored_at_us // DAY_US == last.stored_at_us // DAY_US
    )
