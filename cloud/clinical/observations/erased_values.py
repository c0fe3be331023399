"""Find and delete the observations of an encounter that is erased.

Its observations are found as readers find them: by the intervals in which devices were assigned to it, by the sources
of these devices and of those merged with them, and by the time that a gateway's clock anchor corrects. An observation
that an application posted for another encounter belongs to that one.

Each deletion handles a limited number of rows in the caller's transaction, and returns the batches that they arrived
in, whose envelopes the caller removes in the same transaction (slice `erasure`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, tuple_

from cloud.clinical.devices import devices
from cloud.clinical.observations.clocks import KnownClock, clocks_of
from cloud.clinical.observations.minutes.reading import MinuteSelection
from cloud.clinical.observations.rows import ObservationColumns
from cloud.clinical.observations.store import Carrier
from cloud.clinical.observations.tables import (
    API_LANE_ID,
    lane_days,
    observation_sources,
    observations,
    stored_measurements,
)
from cloud.clinical.waveforms import waveform_sources
from cloud.foundation.db import Transaction
from protocols.uplink.channels import DeviceRef

ROWS_AT_ONCE = 500
"""Single rows of one step. The envelopes of up to as many batches are decoded and removed with them; live batches have
about twenty values, so usually there are 25."""
_ROWS = observations.c
_PLACE = (_ROWS.lane_id, _ROWS.sequence, _ROWS.position)
_OWNED = ("organization_id", "vehicle_id", "system_id", "model", "unverified_link")

SourceOfBatch = tuple[str, str | None, str, str, bool]
"""The fields of a source that a batch states: organisation, vehicle, system id, model, and unverified link."""
Batches = Mapping[int, Set[int]]
"""Sequence numbers of batches by lane id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInterval:
    """The observations of a device from `from_us` until before `until_us`."""

    device_id: str
    from_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The values of `selection` from `from_us` until before `until_us`, in its order of time."""

    selection: MinuteSelection
    from_us: int
    until_us: int

    def rows(self) -> ColumnElement[bool]:
        """Return the condition on `observations` that a single row is in the range."""
        clock_id, apart = self.selection.clock_id, self.selection.apart
        time = _ROWS.observed_at_us if clock_id is None else _ROWS.monotonic_us
        own = _ROWS.clock_id == clock_id
        if clock_id is None:
            own = or_(_ROWS.clock_id.is_(None), _ROWS.clock_id.not_in(apart))
        within = and_(time >= self.from_us, time < self.until_us)
        return and_(_ROWS.source_id == self.selection.source_id, own, within, _ROWS.encounter_id.is_(None))


@dataclass(slots=True)
class ErasedRows:
    """The result of one deletion: the number of deleted values, those of them that were posted, and the batches in
    which the others arrived."""

    values: int = 0
    posted: int = 0
    batches: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedValues:
    """The observations of an erased encounter. `ranges` are those of single rows and minute rows. `devices` are the
    times of each device, of those merged with it too, and `intervals` those of each source by the fields that a batch
    states."""

    tenant_id: str
    encounter_id: str
    ranges: Sequence[ValueRange]
    devices: Mapping[str, Sequence[tuple[int, int]]]
    intervals: Mapping[SourceOfBatch, Sequence[tuple[int, int]]]

    @classmethod
    async def find(
        cls, tx: Transaction, tenant_id: str, encounter_id: str, intervals: Sequence[DeviceInterval]
    ) -> Self:
        ranges: list[ValueRange] = []
        by_device: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        by_source: defaultdict[SourceOfBatch, list[tuple[int, int]]] = defaultdict(list)
        sources = await _sources(tx, tenant_id, {one.device_id for one in intervals})
        for one in intervals:
            for row in sources.get(one.device_id, ()):
                by_source[_source_of(row)].append((one.from_us, one.until_us))
                by_device[row.device_id].append((one.from_us, one.until_us))
                ranges += _ranges(row.source_id, one, await clocks_of(tx, row.source_id))
        return cls(
            tenant_id=tenant_id, encounter_id=encounter_id, ranges=ranges, devices=by_device, intervals=by_source
        )

    def has(self, device_id: str, at_us: int) -> bool:
        """Return whether an observation of a device at this time is one of the encounter."""
        return any(begin <= at_us < end for begin, end in self.devices.get(device_id, ()))

    @property
    def vehicle_ids(self) -> frozenset[str]:
        return frozenset(vehicle_id for _, vehicle_id, *_ in self.intervals if vehicle_id is not None)

    @property
    def from_us(self) -> int | None:
        """Return the time of the earliest possible observation; None if no device was assigned."""
        return min((begin for each in self.intervals.values() for begin, _ in each), default=None)

    def positions(
        self,
        columns: ObservationColumns,
        owner: tuple[str, str],
        clocks: Mapping[tuple[str, bool], KnownClock],
    ) -> set[int]:
        """Return the positions of the encounter's observations in a batch. `owner` are organisation and vehicle of the
        gateway at the arrival, and `clocks` the clocks of the gateway."""
        wanted = [
            self.intervals.get((*owner, one.system_id, one.model, one.unverified_link), ()) for one in columns.sources
        ]
        if not any(wanted):
            return set()
        known = [None, *(clocks.get((one.boot_id, one.device_known)) for one in columns.clocks)]
        found: set[int] = set()
        for position, (source, clock, observed_us, monotonic_us) in enumerate(
            zip(
                columns.source_numbers,
                columns.clock_numbers,
                columns.observed_at_us,
                columns.monotonic_us,
                strict=True,
            )
        ):
            at_us = _time_us(observed_us, monotonic_us, known[clock])
            if at_us is not None and any(begin <= at_us < end for begin, end in wanted[source]):
                found.add(position)
        return found

    async def delete_rows(self, tx: Transaction) -> ErasedRows:
        """Delete some of the single rows; `values` is 0 when none is left."""
        erased = ErasedRows()
        mine = select(observation_sources.c.source_id).where(observation_sources.c.tenant_id == self.tenant_id)
        posted_for = and_(_ROWS.encounter_id == self.encounter_id, _ROWS.source_id.in_(mine))
        for condition in (posted_for, *(one.rows() for one in self.ranges)):
            found = (await tx.execute(select(*_PLACE, _ROWS.stored).where(condition).limit(ROWS_AT_ONCE))).rows
            if found:
                await self._delete(tx, found, erased)
                return erased
        return erased

    async def _delete(self, tx: Transaction, found: Sequence[Any], erased: ErasedRows) -> None:
        for row in found:
            erased.posted += row.lane_id == API_LANE_ID
            if row.lane_id != API_LANE_ID:
                erased.batches[row.lane_id].add(row.sequence)
        places = [(row.lane_id, row.sequence, row.position) for row in found]
        erased.values = (await tx.execute(delete(observations).where(tuple_(*_PLACE).in_(places)))).rowcount
        await forget_measurements(tx, self.tenant_id, [(*row[:3],) for row in found if row.stored])

    async def are_in_lanes(self, tx: Transaction, lane_ids: Collection[int]) -> bool:
        """Return whether values of the encounter may have arrived in one of these lanes: of minute rows and packed runs
        only the times are compared."""
        for one in self.ranges:
            source_id, clock_id, apart = one.selection.source_id, one.selection.clock_id, one.selection.apart
            days, spans = lane_days.c, waveform_sources.c
            begin, end, of_clock = spans.monotonic_from_us, spans.monotonic_until_us, spans.clock_id == clock_id
            of_day = [days.clock_id == clock_id]
            if clock_id is None:
                begin, end, of_clock = spans.from_us, spans.until_us, spans.clock_id.not_in(apart)
                of_day = [days.clock_id.not_in(apart), days.observed_to_us >= one.from_us]
                of_day.append(days.observed_from_us < one.until_us)
            for found in (
                select(_ROWS.lane_id).where(_ROWS.lane_id.in_(lane_ids), one.rows()),
                select(days.lane_id).where(days.lane_id.in_(lane_ids), days.source_id == source_id, *of_day),
                select(spans.lane_id)
                .where(spans.lane_id.in_(lane_ids), spans.source_id == source_id, of_clock)
                .where(begin < one.until_us, end >= one.from_us),
            ):
                if (await tx.execute(found.limit(1))).first() is not None:
                    return True
        return False

    async def count(self, tx: Transaction) -> int:
        """Count the observations that are in single rows and minute rows."""
        counted = 0
        mine = select(observation_sources.c.source_id).where(observation_sources.c.tenant_id == self.tenant_id)
        posted_for = and_(_ROWS.encounter_id == self.encounter_id, _ROWS.source_id.in_(mine))
        for condition in (posted_for, *(one.rows() for one in self.ranges)):
            counted += int((await tx.execute(select(func.count()).select_from(observations).where(condition))).scalar())
        for one in self.ranges:
            counted += await one.selection.count(tx, one.from_us, one.until_us, _ALL)
        return counted


_ALL = 1 << 62


async def forget_measurements(tx: Transaction, tenant_id: str, places: Sequence[tuple[Any, ...]]) -> None:
    """Delete the content keys of measurements (lane id, sequence, position), which are digests of their values. If a
    device sends one again, it gets a row, by which it is found. All keys of the tenant are read: no index has the
    places."""
    if places:
        keys = stored_measurements.c
        of_places = tuple_(keys.lane_id, keys.sequence, keys.position).in_(places)
        await tx.execute(delete(stored_measurements).where(keys.tenant_id == tenant_id, of_places))


async def carriers_of_run(tx: Transaction, lane_id: int, sequence: int) -> Mapping[DeviceRef, tuple[int, Carrier]]:
    """Return the sources of a run of packed waveforms, each with its carrier, by device."""
    spans, source = waveform_sources.c, observation_sources.c
    statement = (
        select(observation_sources)
        .join(waveform_sources, spans.source_id == source.source_id)
        .where(spans.lane_id == lane_id, spans.sequence == sequence)
    )
    return {
        DeviceRef(row.system_id, row.model, unverified_link=bool(row.unverified_link)): (
            row.source_id,
            Carrier(
                tenant_id=row.tenant_id,
                organization_id=row.organization_id,
                vehicle_id=row.vehicle_id,
                device_id=row.device_id,
                system_id=row.system_id,
                model=row.model,
                origin=row.origin,
                unverified_link=bool(row.unverified_link),
            ),
        )
        for row in await tx.execute(statement)
    }


async def _sources(tx: Transaction, tenant_id: str, device_ids: Collection[str]) -> Mapping[str, Sequence[Any]]:
    """Return the sources of devices and of the devices merged with them, by device id."""
    named, measuring = devices.alias("named"), devices.alias("measuring")
    owner = func.coalesce(named.c.merged_into, named.c.id)
    source = observation_sources.c
    statement = (
        select(named.c.id, source.source_id, source.device_id, *(source[name] for name in _OWNED))
        .select_from(named)
        .join(
            measuring,
            and_(
                measuring.c.tenant_id == named.c.tenant_id,
                or_(measuring.c.id == owner, measuring.c.merged_into == owner),
            ),
        )
        .join(
            observation_sources,
            and_(source.tenant_id == measuring.c.tenant_id, source.device_id == measuring.c.id),
        )
        .where(named.c.tenant_id == tenant_id, named.c.id.in_(sorted(device_ids)))
        .order_by(source.source_id)
    )
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in await tx.execute(statement):
        found[row.id].append(row)
    return found


def _source_of(row: Any) -> SourceOfBatch:
    return row.organization_id, row.vehicle_id, row.system_id, row.model, bool(row.unverified_link)


def _ranges(source_id: int, interval: DeviceInterval, clocks: Iterable[KnownClock]) -> list[ValueRange]:
    """Return the ranges of a source: one by its own times, and one for each clock with an anchor. Times that are
    certainly wrong belong to no encounter."""
    known = list(clocks)
    apart = [one.clock_id for one in known if one.anchor is not None or one.estimated]
    own = MinuteSelection(source_id, None, apart)
    ranges = [ValueRange(own, interval.from_us, interval.until_us)]
    for one in known:
        if one.anchor is not None:
            offset_us = one.anchor.offset_us
            of_clock = MinuteSelection(source_id, one.clock_id)
            ranges.append(ValueRange(of_clock, interval.from_us - offset_us, interval.until_us - offset_us))
    return ranges


def _time_us(observed_us: int, monotonic_us: int | None, clock: KnownClock | None) -> int | None:
    """Return the time of an observation as readers see it; None if it is certainly wrong."""
    if clock is None or monotonic_us is None:
        return observed_us
    if clock.anchor is not None:
        return monotonic_us + clock.anchor.offset_us
    return None if clock.estimated else observed_us
