"""Walk through the lanes (numbered streams of batches) and delete what is past its period, oldest first.

A lane is deleted from its beginning, up to the first batch that is not past its period. The age of a batch is the time
at which the cloud stored it, by the cloud's own clock: the clock of a vehicle may be wrong. So a batch that arrived
late is kept longer, and so are the batches behind it. A day of storing (UTC) is deleted as a whole, when its last batch
is past the period: otherwise every lane would have a few batches to delete at all times.

One step handles one lane, so a step is short and each lane is locked only for that time. The lanes of a page are looked
up by one statement.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import ScalarSelect, Select, func, select

from cloud.clinical.observations import HeldObservations, held_observations
from cloud.clinical.waveforms import waveform_runs
from cloud.foundation.db import Transaction
from cloud.foundation.retention import DAY_US, Amount, HoldScope, Terms
from cloud.vehicles.custody import batches, lanes, removed_ranges
from protocols.uplink.lanes import Lane

LANES_AT_ONCE = 500
"""Lanes that one statement looks up, with three searches of an index each: about 5 ms."""
LAG_EVERY_US = 300_000_000
"""Interval between two measurements of the lag. Each looks at every lane: tenths of a second for 1 000 vehicles."""


@dataclass(frozen=True, slots=True)
class OldestInLane:
    """A lane, with the sequence number of the batch of its oldest data, and the time at which the cloud stored this
    batch. `stored_us` is None for a lane without data."""

    lane_id: int
    tenant_id: str
    gateway_id: str
    sequence: int
    stored_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The step of a sweep in one lane: delete what the cloud stored before `before_us`, from the sequence number
    `sequence` on, except what is held."""

    lane_id: int
    sequence: int
    before_us: int
    now_us: int
    held: HeldObservations


class LaneData(Protocol):
    """The data of one kind in lanes."""

    def oldest_sequence(self) -> ScalarSelect[int]:
        """Return the subquery that finds, for a row of `lanes`, the lowest sequence number that has data."""
        ...

    async def delete_step(self, tx: Transaction, step: Step) -> int | None:
        """Delete some of the data; return the sequence number from which the next step continues, None when nothing
        more has expired."""
        ...

    async def count(self, tx: Transaction, tenant_id: str, names: Collection[str], before_us: int) -> Amount:
        """Return how much data of the tenant the cloud stored before `before_us`, in the lanes with these names."""
        ...


class LaneSweep:
    """The sweep of one kind of data in the lanes with the given names."""

    def __init__(self, data: LaneData, *names: Lane) -> None:
        self._data = data
        self._names = [name.value for name in names]
        self._after_lane = 0
        self._due: deque[OldestInLane] = deque()
        self._lag: tuple[int, int | None] | None = None

    async def delete_chunk(self, tx: Transaction, terms: Terms, now_us: int) -> int:
        while self._due or await self._look_up(tx, terms, now_us):
            oldest = self._due.popleft()
            days = terms.days_of(oldest.tenant_id)
            if days is None or _is_gateway_held(oldest, terms):
                continue  # the terms have changed since the lane was found
            step = Step(
                lane_id=oldest.lane_id,
                sequence=oldest.sequence,
                before_us=(now_us // DAY_US - days) * DAY_US,
                now_us=now_us,
                held=await held_observations(tx, oldest.tenant_id, terms.holds_of(oldest.tenant_id)),
            )
            following = await self._data.delete_step(tx, step)
            if following is not None:
                self._due.appendleft(replace(oldest, sequence=following))
            return 1
        return 0

    async def oldest_us(self, tx: Transaction, terms: Terms, now_us: int) -> int | None:
        if self._lag is None or now_us - self._lag[0] >= LAG_EVERY_US:
            ends_us = []
            page, after = await self._page(tx, 0), 0
            while page:
                after = page[-1].lane_id
                ends_us += [end_us for one in page if (end_us := _end_us(one, terms)) is not None and end_us <= now_us]
                page = await self._page(tx, after)
            self._lag = now_us, min(ends_us, default=None)
        return self._lag[1]

    async def count_before(self, tx: Transaction, tenant_id: str, before_us: int) -> Amount:
        return await self._data.count(tx, tenant_id, self._names, before_us)

    async def _look_up(self, tx: Transaction, terms: Terms, now_us: int) -> bool:
        """Fill the queue of lanes that have expired data; return False at the end of the walk through all lanes."""
        while page := await self._page(tx, self._after_lane):
            self._after_lane = page[-1].lane_id
            self._due.extend(one for one in page if (end_us := _end_us(one, terms)) is not None and end_us <= now_us)
            if self._due:
                return True
        self._after_lane = 0
        return False

    async def _page(self, tx: Transaction, after_lane: int) -> list[OldestInLane]:
        return [OldestInLane(*row) for row in await tx.execute(self._oldest(after_lane))]

    def _oldest(self, after_lane: int) -> Select[Any]:
        """Select the oldest data of the next lanes, with the time at which the cloud stored their batch."""
        first = (
            select(
                lanes.c.lane_id, lanes.c.tenant_id, lanes.c.gateway_id, self._data.oldest_sequence().label("sequence")
            )
            .where(lanes.c.lane_id > after_lane, lanes.c.lane.in_(self._names))
            .order_by(lanes.c.lane_id)
            .limit(LANES_AT_ONCE)
            .subquery("oldest")
        )
        stored = (
            select(batches.c.stored_at_us)
            .where(batches.c.lane_id == first.c.lane_id, batches.c.sequence == first.c.sequence)
            .scalar_subquery()
        )
        ranges = removed_ranges.c
        removed = (
            select(ranges.stored_us)
            .where(ranges.lane_id == first.c.lane_id, ranges.last_sequence >= first.c.sequence)
            .order_by(ranges.last_sequence)
            .limit(1)
            .scalar_subquery()
        )
        packed = (
            select(waveform_runs.c.stored_at_us)
            .where(waveform_runs.c.lane_id == first.c.lane_id, waveform_runs.c.sequence == first.c.sequence)
            .scalar_subquery()
        )
        return select(first, func.coalesce(packed, stored, removed).label("stored_us")).order_by(first.c.lane_id)


def _end_us(oldest: OldestInLane, terms: Terms) -> int | None:
    """Return when the period of a lane's oldest data ends: at the end of a day (UTC). None if they are kept without
    end, or if the lane has none."""
    days = terms.days_of(oldest.tenant_id)
    if oldest.stored_us is None or days is None or _is_gateway_held(oldest, terms):
        return None
    return (oldest.stored_us // DAY_US + days + 1) * DAY_US


def _is_gateway_held(oldest: OldestInLane, terms: Terms) -> bool:
    held = ((one.scope, one.object_id) for one in terms.holds_of(oldest.tenant_id))
    return (HoldScope.GATEWAY, oldest.gateway_id) in held
