"""Read stored observations: one device after the other, in the order of time, a page at a time.

Waveforms lie in packed objects (`packed_walk`), and those from before these objects in rows as other observations do.

Access is decided by the sources of observations. A source is a device as carried by one vehicle. A device has only a
few sources, and their observations are merged by time. Each page is a read transaction that continues where the last
one ended, so a year of a device needs no more memory than a minute. This is safe, since values never change; an
observation with an earlier time that arrives meanwhile is found by the next reading. Values of the last days are single
rows, and older ones are in minute rows (`minutes.reading`).

The encounter of an observation follows from the current assignments (DESIGN D16), unless an application named the
encounter when it posted the observation.
"""

import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter, itemgetter
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, and_, func, or_, select, true, tuple_

from cloud.clinical.assignments import Assignments, Timeline
from cloud.clinical.devices import SHOWN, Devices, devices
from cloud.clinical.observations.clocks import KnownClock, clocks_of
from cloud.clinical.observations.encounter_channels import ChannelRow, channel_of
from cloud.clinical.observations.minutes.reading import TIME_MAX_US, TIME_MIN_US, MinuteSelection
from cloud.clinical.observations.packed_walk import PackedWalk, Place
from cloud.clinical.observations.posted import public_id
from cloud.clinical.observations.received_batches import ReceivedBatches
from cloud.clinical.observations.rows import time_of
from cloud.clinical.observations.tables import (
    API_LANE_ID,
    SYNCHRONISED_CLOCK_ID,
    observation_channels,
    observation_sources,
    observations,
)
from cloud.clinical.observations.values import value_of
from cloud.clinical.waveforms import WaveformEnvelopes
from cloud.foundation.db import Database, Transaction
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import Viewer, visible
from protocols.observation import Channel
from protocols.observation_record import ObservationRecord, anchored
from protocols.uplink.channels import DeviceRef
from protocols.uplink.lanes import Lane

PAGE_ROWS = 2_000
"""Rows of a page: some hundred kilobytes, and large enough that the cost of each read does not matter."""

_OF_APPLICATIONS = SimpleNamespace(gateway_id="", epoch="", lane=Lane.NUMERIC)
"""The lane of posted observations, in which no gateway took part."""

_of_channel = attrgetter(*ChannelRow._fields)
_BEFORE_ALL: Place = (TIME_MIN_US, 0, -1, 0)
_LAST_IN_TIME = (TIME_MAX_US, (1 << 31) - 1, TIME_MAX_US)
"""The end of a `Place` behind all rows of its time."""


@dataclass(frozen=True, slots=True)
class ReadObservation:
    """An observation, the id of its device as partners see it, and the time (µs since 1970) when the cloud stored it.
    `posted` None: a gateway sent the observation."""

    record: ObservationRecord
    device_id: str
    stored_at_us: int
    posted: "Posting | None" = None


@dataclass(frozen=True, slots=True)
class Posting:
    """The fields that only an observation posted by an application has. The id is as partners see it, the code and unit
    as the application wrote them."""

    id: str
    mdc_code: str
    unit_code: str


@dataclass(frozen=True, slots=True)
class Source:
    """One device as carried by one vehicle. `owner_id` is the id that partners see: for a merged device, the id of the
    device that it was merged into."""

    source_id: int
    owner_id: str
    device: DeviceRef


class ObservationReader:
    """Reads observations for one viewer. `objects` is the object store of the settings, from which waveforms are read.
    `hidden` includes devices that partners do not see."""

    def __init__(
        self,
        database: Database,
        viewer: Viewer,
        devices: Devices,
        received: ReceivedBatches,
        *,
        objects: ObjectStore | None = None,
        hidden: bool = False,
    ) -> None:
        self._database = database
        self._envelopes = WaveformEnvelopes(objects)
        self._received = received
        self._viewer = viewer
        self._assignments = Assignments(devices)
        self._hidden = hidden
        self._channels: dict[int, Channel] = {}
        self._words: dict[int, tuple[str, str]] = {}
        self._lanes: dict[int, Any] = {API_LANE_ID: _OF_APPLICATIONS}

    async def read(
        self, *, device: str | None = None, since_us: int | None = None, packed: bool | None = None
    ) -> AsyncGenerator[ReadObservation, None]:
        """Yield observations by device, observed time, sequence and index. `device` (None: all) is the cloud's id or
        the device's own system id. `since_us`: only those observed at this time or later. `packed`: only those in
        packed objects, or only those in rows; None: both."""
        async with self._database.read() as tx:
            sources = await self._sources(tx, device)
        for owner_id in sorted({source.owner_id for source in sources}):
            mine = [source for source in sources if source.owner_id == owner_id]
            async with self._database.read() as tx:
                timeline = await self._assignments.timeline(tx, self._viewer, owner_id)
            async for found in self._merged(mine, timeline, since_us, packed):
                yield found

    async def _sources(self, tx: Transaction, device: str | None) -> list[Source]:
        owner = devices.alias("owner")
        owner_id = func.coalesce(devices.c.merged_into, devices.c.id)
        statement = (
            select(observation_sources, owner_id.label("owner_id"))
            .join(
                devices,
                and_(
                    devices.c.tenant_id == observation_sources.c.tenant_id,
                    devices.c.id == observation_sources.c.device_id,
                ),
            )
            .join(owner, and_(owner.c.tenant_id == devices.c.tenant_id, owner.c.id == owner_id))
            .where(*visible(observation_sources, self._viewer))
            .where(owner.c.secrecy_level <= int(self._viewer.clearance))
        )
        if not self._hidden:
            statement = statement.where(owner.c.status.in_([status.value for status in SHOWN]))
        if device is not None:
            named = (owner_id, devices.c.id, observation_sources.c.system_id)
            statement = statement.where(or_(*(name == device for name in named)))
        rows = await tx.execute(statement)
        return [Source(row.source_id, row.owner_id, _device_ref(row)) for row in rows]

    async def _merged(
        self, sources: Sequence[Source], timeline: Timeline, since_us: int | None, packed: bool | None
    ) -> AsyncIterator[ReadObservation]:
        walks = [walk for source in sources for walk in await self._walks(source, timeline, since_us, packed)]
        heads: list[tuple[Place, int, ReadObservation]] = []
        for number, walk in enumerate(walks):
            await _push_next(heads, number, walk)
        last: Place | None = None
        while heads:
            place, number, found = heapq.heappop(heads)
            if place != last:
                yield found
            # A batch whose acknowledgement was lost when an operator went back to the release before may be in rows and
            # in an object: that release does not see the objects.
            last = place
            await _push_next(heads, number, walks[number])

    async def _walks(
        self, source: Source, timeline: Timeline, since_us: int | None, packed: bool | None
    ) -> list[AsyncIterator[tuple[Place, ReadObservation]]]:
        """Return iterators over all observations of a source (a device as carried by one vehicle). For each clock with
        an anchor (known offset to wall time) there is one iterator. One more iterator yields all other observations, in
        the order of their own times."""
        async with self._database.read() as tx:
            clocks = {clock.clock_id: clock for clock in await clocks_of(tx, source.source_id)}
        anchored = [clock for clock in clocks.values() if clock.anchor is not None]
        others = _Walk(source, timeline, since_us, clocks, None, self._received.batches)
        in_rows = [self._walk(others), *(self._walk(replace(others, clock=each)) for each in anchored)]
        in_objects = [self._packed(source, timeline, since_us, each) for each in (None, *clocks.values())]
        return [*([] if packed is True else in_rows), *([] if packed is False else in_objects)]

    async def _packed(
        self, source: Source, timeline: Timeline, since_us: int | None, clock: KnownClock | None
    ) -> AsyncIterator[tuple[Place, ReadObservation]]:
        walk = PackedWalk(source_id=source.source_id, device=source.device, clock=clock, since_us=since_us)
        async for place, record, stored_at_us in walk.read(self._database, self._envelopes):
            yield place, ReadObservation(_assigned(record, timeline, clock), source.owner_id, stored_at_us)

    async def _walk(self, walk: "_Walk") -> AsyncIterator[tuple[Place, ReadObservation]]:
        after: Place | None = walk.begin
        while after is not None:
            async with self._database.read() as tx:
                rows, after = await walk.page(tx, after)
                await self._learn(tx, walk.source, rows)
            for row in rows:
                record = walk.dated(self._record(row, walk), row)
                found = ReadObservation(record, walk.source.owner_id, row.stored_at_us, self._posting(row))
                yield (record.observed_at_us, *walk.place(row)[1:]), found

    async def _learn(self, tx: Transaction, source: Source, page: Sequence[Any]) -> None:
        """Load the channels (what is measured) and lanes (numbered sequences of batches) of the rows of this page into
        the cache, if they are missing."""
        if any(row.channel_id not in self._channels for row in page):
            of_source = select(observation_channels).where(observation_channels.c.source_id == source.source_id)
            found = await tx.execute(of_source)
            self._channels.update({row.channel_id: channel_of(ChannelRow(*_of_channel(row))) for row in found})
            self._words.update({row.channel_id: (row.mdc_code, row.unit_ucum) for row in found if row.mdc_code})
        unknown = {row.lane_id for row in page} - self._lanes.keys()
        if unknown:
            lanes = self._received.lanes
            named = select(lanes).where(lanes.c.lane_id.in_(sorted(unknown)))
            self._lanes.update({row.lane_id: row for row in await tx.execute(named)})

    def _posting(self, row: Any) -> Posting | None:
        if row.lane_id != API_LANE_ID:
            return None
        mdc_code, unit_code = self._words[row.channel_id]
        return Posting(public_id(row.sequence), mdc_code, unit_code)

    def _record(self, row: Any, walk: "_Walk") -> ObservationRecord:
        channel, lane = self._channels[row.channel_id], self._lanes[row.lane_id]
        device_time = time_of(row.device_time)
        encounter_id = row.encounter_id
        if encounter_id is None and not row.clock_id:
            # Of a synchronised clock, so its time is final. A record is not replaced, which costs as much as making it.
            encounter_id = walk.timeline.encounter_at(row.observed_at_us)
        return ObservationRecord(
            gateway=lane.gateway_id,
            epoch=lane.epoch,
            lane=Lane(lane.lane),
            sequence=row.sequence,
            index=row.position,
            device=walk.source.device,
            handle=channel.handle,
            person=channel.person,
            type=channel.type,
            value=value_of(row.number, row.value),
            unit=channel.unit,
            samples=None if row.samples is None else bytes(row.samples),
            array=channel.array,
            components=channel.components,
            supplemental_types=channel.supplemental_types,
            status=row.status,
            device_time=device_time,
            device_local_us=None if device_time is None else device_time.local_us(),
            observed_at_us=row.observed_at_us,
            uncertainty_us=row.uncertainty_us,
            received_at_us=row.received_at_us,
            stored=bool(row.stored),
            wall_synchronised=None if row.clock_id is None else row.clock_id == SYNCHRONISED_CLOCK_ID,
            encounter_id=encounter_id,
        )


@dataclass(frozen=True, slots=True)
class _Walk:
    """The observations of one source that the anchor (offset to wall time) of `clock` corrects, in the order of that
    clock. With `clock` None, the observations that no anchor corrects, in the order of their own times. `clocks` are
    all known clocks of the source by id."""

    source: Source
    timeline: Timeline
    since_us: int | None
    clocks: Mapping[int, KnownClock]
    clock: KnownClock | None
    batches: Table

    @property
    def begin(self) -> Place:
        if self.since_us is None:
            return _BEFORE_ALL
        anchor = None if self.clock is None else self.clock.anchor
        return (self.since_us - (0 if anchor is None else anchor.offset_us), 0, -1, 0)

    def place(self, row: Any) -> Place:
        at_us = row.observed_at_us if self.clock is None else row.monotonic_us
        return (at_us, row.sequence, row.position, row.lane_id)

    async def page(self, tx: Transaction, after: Place) -> tuple[list[Any], Place | None]:
        """Return the next rows after the place `after`, in order, and the place after which the next page begins (None:
        this is the last page). Single rows and minute rows of the same transaction are merged, so that a value which
        moves from one to the other is read once."""
        single = (await tx.execute(self._single_rows(after))).rows
        minutes = await self._minutes.page(tx, after[0])
        ends = [] if len(single) < PAGE_ROWS else [self.place(single[-1])]
        if minutes.complete_to_us is not None:
            ends.append((minutes.complete_to_us, *_LAST_IN_TIME))
        end = min(ends, default=None)
        if not minutes.values:
            return [row for row in single if end is None or self.place(row) <= end], end
        placed = [(self.place(row), row) for row in (*single, *minutes.values)]
        placed.sort(key=itemgetter(0))
        return [row for place, row in placed if place > after and (end is None or place <= end)], end

    @property
    def _minutes(self) -> MinuteSelection:
        if self.clock is not None:
            return MinuteSelection(self.source.source_id, self.clock.clock_id)
        return MinuteSelection(self.source.source_id, None, self._dated)

    @property
    def _dated(self) -> list[int]:
        return [clock.clock_id for clock in self.clocks.values() if clock.anchor is not None]

    def _single_rows(self, after: Place) -> Select[Any]:
        columns = observations.c
        if self.clock is not None:
            return self._page(columns.monotonic_us, after, columns.clock_id == self.clock.clock_id)
        dated = self._dated
        others = or_(columns.clock_id.is_(None), columns.clock_id.not_in(dated)) if dated else true()
        return self._page(columns.observed_at_us, after, others)

    def _page(self, time: Column[int], after: Place, *conditions: ColumnElement[bool]) -> Select[Any]:
        columns, batches = observations.c, self.batches
        place = (time, columns.sequence, columns.position, columns.lane_id)
        return (
            select(observations, func.coalesce(batches.c.stored_at_us, columns.received_at_us).label("stored_at_us"))
            .outerjoin(batches, and_(batches.c.lane_id == columns.lane_id, batches.c.sequence == columns.sequence))
            .where(columns.source_id == self.source.source_id, *conditions, tuple_(*place) > after)
            .order_by(*place)
            .limit(PAGE_ROWS)
        )

    def dated(self, record: ObservationRecord, row: Any) -> ObservationRecord:
        """Return the record with its encounter and, if its clock has an anchor, with the corrected time."""
        clock = self.clock or self.clocks.get(row.clock_id)
        if record.wall_synchronised is False:
            known, anchor = clock is not None and clock.device_known, None if clock is None else clock.anchor
            record = anchored(record, row.monotonic_us, anchor, placed=known)
        return _assigned(record, self.timeline, clock)


def _assigned(record: ObservationRecord, timeline: Timeline, clock: KnownClock | None) -> ObservationRecord:
    """Return the record with the encounter of its time. A record whose time is certainly wrong gets none: the
    assignment at that time would be a guess."""
    if record.encounter_id is not None or (clock is not None and clock.estimated and clock.anchor is None):
        return record
    encounter_id = timeline.encounter_at(record.observed_at_us)
    return record if encounter_id is None else replace(record, encounter_id=encounter_id)


async def _push_next(
    heads: list[tuple[Place, int, ReadObservation]], number: int, walk: AsyncIterator[tuple[Place, ReadObservation]]
) -> None:
    """Push the next observation of the iterator `walk`, if any, to the heap `heads`; `number` decides between equal
    positions."""
    async for place, found in walk:
        heapq.heappush(heads, (place, number, found))
        return


def _device_ref(row: Any) -> DeviceRef:
    return DeviceRef(row.system_id, row.model, unverified_link=bool(row.unverified_link))
