"""Sweeps of observations that applications posted, and of the keys that recognise repeated measurements."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Select, and_, delete, func, select, tuple_

from cloud.clinical.observations import (
    API_LANE_ID,
    held_observations,
    observation_sources,
    observations,
    sequence_at,
    stored_measurements,
    time_of_sequence,
)
from cloud.clinical.waveforms import waveform_runs
from cloud.foundation.db import CHUNK_ROWS, Transaction
from cloud.foundation.retention import DAY_US, Amount, Terms
from cloud.vehicles.custody import batches, removed_ranges

KEY_WALK_EVERY_US = DAY_US
"""Interval between two walks through all content keys, which have no index on their age. A walk through a million keys
takes about half a minute, in chunks."""


class DatedRows:
    """Base of the sweeps of rows that no batch has. Their sequence grows with the time of their arrival."""

    def __init__(self) -> None:
        self._after: dict[int, int] = {}
        self._walked: tuple[Terms, int] | None = None

    async def delete_chunk(self, tx: Transaction, terms: Terms, now_us: int) -> int:
        if self._walked is None or self._walked[0] != terms or now_us - self._walked[1] >= DAY_US:
            self._walked = terms, now_us
            self._after.clear()
        for days in terms.periods():
            rows = (await tx.execute(self._page(days, now_us))).rows
            if rows:
                self._after[days] = rows[-1].sequence
                for tenant_id in sorted({row.tenant_id for row in rows if terms.days_of(row.tenant_id) == days}):
                    expired = [row.sequence for row in rows if row.tenant_id == tenant_id]
                    await self._delete(tx, terms, tenant_id, expired)
                return len(rows)
        return 0

    def _page(self, days: int, now_us: int) -> Select[Any]:
        """Return the statement of the first sequences, with their tenants, that follow the walk and are past a
        period."""
        raise NotImplementedError

    async def _delete(self, tx: Transaction, terms: Terms, tenant_id: str, sequences: Sequence[int]) -> None:
        """Delete the rows of these sequences, except those that a hold keeps."""
        raise NotImplementedError


class PostedRows(DatedRows):
    """The sweep of observations that applications posted."""

    async def oldest_us(self, tx: Transaction, terms: Terms, now_us: int) -> int | None:
        ends_us = []
        for days in terms.periods():
            others = [one for one in (*terms.days, *terms.held_tenants) if terms.days_of(one) != days]
            mine = observation_sources.c.tenant_id.not_in(others)
            if days != terms.default_days:
                mine = observation_sources.c.tenant_id.in_([one for one in terms.days if terms.days_of(one) == days])
            row = (await tx.execute(self._page(days, now_us).where(mine).limit(1))).first()
            if row is not None:
                ends_us.append(time_of_sequence(row.sequence) + days * DAY_US)
        return min(ends_us, default=None)

    async def count_before(self, tx: Transaction, tenant_id: str, before_us: int) -> Amount:
        statement = (
            select(func.count())
            .select_from(observations)
            .join(observation_sources, observation_sources.c.source_id == observations.c.source_id)
            .where(observations.c.lane_id == API_LANE_ID, observations.c.sequence < sequence_at(before_us))
            .where(observation_sources.c.tenant_id == tenant_id)
        )
        return Amount(int((await tx.execute(statement)).scalar()))

    def _page(self, days: int, now_us: int) -> Select[Any]:
        table = observations.c
        return (
            select(observation_sources.c.tenant_id, table.sequence)
            .select_from(observations)
            .join(observation_sources, observation_sources.c.source_id == table.source_id)
            .where(table.lane_id == API_LANE_ID, table.sequence < sequence_at(now_us - days * DAY_US))
            .where(table.sequence > self._after.get(days, -1))
            .order_by(table.sequence)
            .limit(CHUNK_ROWS)
        )

    async def _delete(self, tx: Transaction, terms: Terms, tenant_id: str, sequences: Sequence[int]) -> None:
        held = await held_observations(tx, tenant_id, terms.holds_of(tenant_id))
        deletion = delete(observations).where(
            observations.c.lane_id == API_LANE_ID, observations.c.sequence.in_(sequences)
        )
        await tx.execute(deletion.where(~held.rows()) if held else deletion)


class ContentKeys:
    """The sweep of the keys of measurements from devices' memories. A key has the age of its batch. Keys whose
    batch is neither stored nor recorded as removed are kept."""

    def __init__(self) -> None:
        self._after: tuple[str, bytes] = ("", b"")
        self._began_us: int | None = None
        self._is_walking = False

    async def delete_chunk(self, tx: Transaction, terms: Terms, now_us: int) -> int:
        if not self._is_walking:
            if self._began_us is not None and now_us - self._began_us < KEY_WALK_EVERY_US:
                return 0
            self._after, self._began_us, self._is_walking = ("", b""), now_us, True
        rows = (await tx.execute(self._page())).rows
        self._is_walking = len(rows) == CHUNK_ROWS
        expired = [
            (row.tenant_id, bytes(row.content_key))
            for row in rows
            if row.stored_us is not None
            and (before_us := terms.cutoff_us(row.tenant_id, now_us)) is not None
            and row.stored_us < before_us
        ]
        if rows:
            self._after = rows[-1].tenant_id, bytes(rows[-1].content_key)
        if expired:
            keys = stored_measurements.c
            await tx.execute(delete(stored_measurements).where(tuple_(keys.tenant_id, keys.content_key).in_(expired)))
        return len(rows)

    async def oldest_us(self, tx: Transaction, terms: Terms, now_us: int) -> int | None:
        """Return None: a walk a day finds every expired key, and no index finds the oldest one."""
        return None

    async def count_before(self, tx: Transaction, tenant_id: str, before_us: int) -> Amount:
        aged = _aged_keys().where(stored_measurements.c.tenant_id == tenant_id).subquery()
        statement = select(func.count()).select_from(aged).where(aged.c.stored_us < before_us)
        return Amount(int((await tx.execute(statement)).scalar()))

    def _page(self) -> Select[Any]:
        place = tuple_(stored_measurements.c.tenant_id, stored_measurements.c.content_key)
        return _aged_keys().where(place > self._after).order_by(*place).limit(CHUNK_ROWS)


def _aged_keys() -> Select[Any]:
    """Select the content keys with the time at which the cloud stored their batch."""
    keys, ranges = stored_measurements.c, removed_ranges.c
    stored = and_(batches.c.lane_id == keys.lane_id, batches.c.sequence == keys.sequence)
    removed = (
        select(ranges.stored_us)
        .where(ranges.lane_id == keys.lane_id, ranges.last_sequence >= keys.sequence)
        .where(ranges.first_sequence <= keys.sequence)
        .order_by(ranges.last_sequence)
        .limit(1)
        .scalar_subquery()
    )
    runs = waveform_runs.c
    packed = (
        select(runs.stored_at_us)
        .where(runs.lane_id == keys.lane_id, runs.sequence <= keys.sequence, runs.through_sequence >= keys.sequence)
        .order_by(runs.sequence.desc())
        .limit(1)
        .scalar_subquery()
    )
    stored_us = func.coalesce(batches.c.stored_at_us, packed, removed, type_=BigInteger()).label("stored_us")
    return (
        select(keys.tenant_id, keys.content_key, stored_us).select_from(stored_measurements).outerjoin(batches, stored)
    )
