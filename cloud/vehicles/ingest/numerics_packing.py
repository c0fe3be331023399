"""Put the staged numerics of a group into packed objects, and index them, so that their envelopes get no rows.

The batches of a minute are written together, so they can be packed at once, as `cloud.vehicles.packing` packs others
after some days. This needs minute rows: an object is for batches whose values are in them. A batch that turns out to be
a duplicate, or does not follow its predecessor, gets a row, as do the others of its run.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import select

from cloud.clinical.epcr import erased_encounters
from cloud.clinical.observations import ArrivingMinutes, ObservationColumns
from cloud.clinical.waveforms import (
    REPACK_US,
    RUN_BATCHES_MAX,
    RUN_BYTES_MAX,
    AnnouncedObjects,
    Run,
    RunToPack,
    WaveformIndex,
)
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.objects import ObjectStore
from cloud.foundation.retention import DAY_US
from cloud.vehicles.custody import LaneKey, LinkState
from cloud.vehicles.ingest.opening import Opened, PackedPlace
from cloud.vehicles.packing import NumericsObject, NumericsObjects
from protocols.observation import Channel
from protocols.uplink.channels import DeviceRef
from protocols.uplink.lanes import Lane

MINUTE_US = 60_000_000
PUT_S_MAX = 5.0
"""Longest time for which a group waits for its object. Other numerics, and readers, may wait for the group."""
VALUES_LEAST = 4
"""Values of a channel and minute on average, from which on minute rows are written at once. A minute row takes about as
much as one single row and a half with their places in the indexes, and a few bytes for each value."""


class NumericsPacker:
    """Packs the staged numerics of groups into objects of one object store, if their values may be minute rows."""

    def __init__(
        self, database: Database, objects: ObjectStore, clock: Clock, ids: Ids, minutes: ArrivingMinutes
    ) -> None:
        self._database = database
        self._objects = NumericsObjects(database, objects, clock, ids)
        self._clock = clock
        self._minutes = minutes

    async def pack(self, opened: Sequence[Opened]) -> list[Opened]:
        """Return the batches, staged numerics with the place of their run in a durable object. Batches that have a
        place keep it, unless the age of the object comes near that of an orphan. Raises `ObjectStoreUnavailable`."""
        now_us = self._clock.now_us()
        due = [one for one in opened if _may_pack(one, now_us)]
        if not _has_minutes(due):
            return list(opened)
        async with self._database.read() as tx:
            if not await self._minutes.admits(tx, now_us):
                return list(opened)
        of_tenants: defaultdict[str, list[list[Opened]]] = defaultdict(list)
        for run in _runs_of(due):
            of_tenants[run[0].gateway.tenant_id].append(run)
        places: dict[int, PackedPlace] = {}
        put: list[NumericsObject] = []
        try:
            for tenant_id, runs in sorted(of_tenants.items()):
                made = await self._objects.put(tenant_id, [_to_pack(run) for run in runs], put_s=PUT_S_MAX)
                assert made is not None, "other objects do not matter"
                put.append(made)
                for run, (position, size_bytes) in zip(runs, made.places, strict=True):
                    places.update({id(one): PackedPlace(made.object, position, size_bytes, len(run)) for one in run})
        except BaseException:
            for unused in put:  # none of the batches gets a place
                await asyncio.shield(self._objects.abandon(unused))
            raise
        return [one if (place := places.get(id(one))) is None else replace(one, packed=place) for one in opened]


def is_packed_numerics(one: Opened) -> bool:
    """Return whether the batch's envelope is in an object of numerics."""
    return one.packed is not None and one.batch.lane is Lane.NUMERIC


async def index_numerics(
    tx: Transaction, stored: Mapping[int, tuple[int, Opened, LinkState]], *, stored_at_us: int
) -> set[int]:
    """Add the rows of the runs of which all batches are stored in this transaction and follow each other. `stored` has
    for each new batch of packed numerics its number, the lane id and the link. Return the numbers of those that need no
    rows. While an erasure is at work, which reads rows, all do."""
    of_runs: defaultdict[tuple[int, str, int], list[int]] = defaultdict(list)
    for number, (lane_id, one, _) in stored.items():
        assert one.packed is not None, "only batches with a place are given"
        of_runs[lane_id, one.packed.object.stored.name, one.packed.position].append(number)
    tenants = {one.gateway.tenant_id for _, one, _ in stored.values()}
    erasing = await _erasing(tx) if tenants else set()
    whole = {place: run for place, run in of_runs.items() if _is_whole([stored[each] for each in run], erasing)}
    announced = AnnouncedObjects()
    adopted = {name: await announced.adopt(tx, name, stored_at_us) for name in sorted({name for _, name, _ in whole})}
    object_ids = {name: object_id for name, object_id in adopted.items() if object_id is not None}
    runs = [run for (_, name, _), run in whole.items() if name in object_ids]
    await WaveformIndex().append(
        tx, {_row([stored[number] for number in run], object_ids, stored_at_us): () for run in runs}
    )
    return {number for run in runs for number in run}


async def abandon_unused(tx: Transaction, opened: Sequence[Opened], now_us: int) -> None:
    """Let the objects of these batches be removed soon that no run of theirs needs: for instance since the batches had
    been written before. Called at the end of the transaction that writes the batches."""
    names = {one.packed.object.stored.name for one in opened if one.packed is not None and is_packed_numerics(one)}
    if names:
        await AnnouncedObjects().abandon(tx, names, now_us)


async def _erasing(tx: Transaction) -> set[str]:
    statement = select(erased_encounters.c.tenant_id).where(erased_encounters.c.phase != "done").distinct()
    return {row.tenant_id for row in await tx.execute(statement)}


def _is_whole(run: Sequence[tuple[int, Opened, LinkState]], erasing: set[str]) -> bool:
    _, first, _ = run[0]
    assert first.packed is not None, "only batches with a place are given"
    return (
        len(run) == first.packed.batches
        and all(link is LinkState.LINKED for _, _, link in run[1:])
        and first.gateway.tenant_id not in erasing
    )


def _row(run: Sequence[tuple[int, Opened, LinkState]], object_ids: Mapping[str, int], stored_at_us: int) -> Run:
    lane_id, first, link = run[0]
    last = run[-1][1]
    place = first.packed
    assert place is not None, "only batches with a place are given"
    created = [one.batch.created_at_us for _, one, _ in run]
    return Run(
        lane_id=lane_id,
        sequence=first.batch.sequence,
        through_sequence=last.batch.sequence,
        object_id=object_ids[place.object.stored.name],
        position=place.position,
        size_bytes=place.size_bytes,
        previous_hash=first.batch.previous_hash,
        hashes=b"".join([one.hash for _, one, _ in run]),
        link=link.value,
        organization_id=first.gateway.organization_id,
        vehicle_id=first.gateway.vehicle_id,
        received_at_us=min(one.delivery.received_at_us for _, one, _ in run),
        stored_at_us=stored_at_us if last.staged_at_us is None else last.staged_at_us,
        created_from_us=min(created),
        created_until_us=max(created),
    )


def _may_pack(one: Opened, now_us: int) -> bool:
    return (
        one.batch.lane is Lane.NUMERIC
        and one.staged_at_us is not None
        # All batches of an object were stored on one day.
        and one.staged_at_us // DAY_US == now_us // DAY_US
        and isinstance(one.content, ObservationColumns)
        and (one.packed is None or one.packed.object.stored_at_us + REPACK_US <= now_us)
    )


def _has_minutes(due: Sequence[Opened]) -> bool:
    """Return whether minute rows of these batches would have `VALUES_LEAST` values on average."""
    numbers = _ChannelNumbers()
    rows: defaultdict[LaneKey, set[tuple[int, int]]] = defaultdict(set)
    values = 0
    for one in due:
        columns = one.content
        assert isinstance(columns, ObservationColumns), "only observations are packed"
        values += len(columns.observed_at_us)
        of_batch = numbers.of_batch(columns)
        rows[one.lane_key].update(
            [
                (of_batch[number], at_us // MINUTE_US)
                for number, at_us in zip(columns.channel_numbers, columns.observed_at_us, strict=True)
            ]
        )
    return values > 0 and values >= VALUES_LEAST * sum(map(len, rows.values()))


class _ChannelNumbers:
    """A number for each device and channel. Batches mostly share the objects of a channel, which are found by their
    identities. Hashing a channel takes several times as long, so only one that has a new object is compared by value:
    a decoder makes new objects when it has more channels than it keeps."""

    def __init__(self) -> None:
        self._by_identity: dict[tuple[int, int], int] = {}
        self._by_value: dict[tuple[DeviceRef, Channel], int] = {}

    def of_batch(self, columns: ObservationColumns) -> list[int]:
        """Return the numbers of the channels of a batch, in their order. The batches must stay in memory."""
        return [self._number(columns.sources[of.source_number], of.channel) for of in columns.channels]

    def _number(self, device: DeviceRef, channel: Channel) -> int:
        identities = id(device), id(channel)
        number = self._by_identity.get(identities)
        if number is None:
            number = self._by_value.setdefault((device, channel), len(self._by_value))
            self._by_identity[identities] = number
        return number


def _runs_of(due: Sequence[Opened]) -> Iterator[list[Opened]]:
    """Yield the runs: batches of one lane and one owner that follow each other."""
    run: list[Opened] = []
    size_bytes = 0
    for one in sorted(due, key=lambda each: (each.lane_key, each.batch.sequence)):
        if run and (not _follows(run[-1], one) or len(run) == RUN_BATCHES_MAX or size_bytes >= RUN_BYTES_MAX):
            yield run
            run, size_bytes = [], 0
        run.append(one)
        size_bytes += len(one.delivery.octets)
    if run:
        yield run


def _follows(last: Opened, one: Opened) -> bool:
    return (
        last.lane_key == one.lane_key
        and last.batch.sequence + 1 == one.batch.sequence
        and last.hash == one.batch.previous_hash
        and (last.gateway.organization_id, last.gateway.vehicle_id)
        == (one.gateway.organization_id, one.gateway.vehicle_id)
    )


def _to_pack(run: Sequence[Opened]) -> RunToPack:
    first = run[0].batch
    return RunToPack(
        gateway=first.gateway,
        epoch=first.epoch,
        sequence=first.sequence,
        envelopes=[one.delivery.octets for one in run],
    )
