"""Write observations: number their sources and channels, skip measurements that a device's memory repeats, append rows.

This runs in the transaction that also stores the batch (slice `custody`), so a batch is stored completely or not at
all, and a batch that is sent again has no effect. The number of statements depends neither on the number of batches nor
on the number of their devices and channels.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import ARRAY, LargeBinary, Text, bindparam, func, select, true, tuple_

from cloud.clinical.observations.arrival_days import DAY_US, OBSERVATION_DAYS
from cloud.clinical.observations.minutes.arriving import ArrivingMinutes
from cloud.clinical.observations.minutes.body import MinuteValue
from cloud.clinical.observations.numbering import CHANNELS, CLOCKS, SOURCES, Key, NumberedTable, Numbering, Numbers
from cloud.clinical.observations.rows import ObservationColumns, filled_columns
from cloud.clinical.observations.tables import UNDATED, observations, stored_measurements
from cloud.foundation.db import Prepared, Transaction
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel

_KEYS_AT_ONCE = 8_192  # content keys in one query: those of the largest block; SQLite allows 32 766 parameters

ContentKey = tuple[str, bytes]
"""Tenant, and the key of a measurement (`protocols.observation_record`)."""

_stored = stored_measurements.c
_WANTED = (
    func.unnest(bindparam("tenants", type_=ARRAY(Text)), bindparam("keys", type_=ARRAY(LargeBinary)))
    .table_valued("tenant", "key")
    .render_derived(name="wanted")
)
_SAME_KEY = (
    select(_stored.tenant_id, _stored.content_key)
    .where(_stored.tenant_id == _WANTED.c.tenant, _stored.content_key == _WANTED.c.key)
    .limit(1)
    .lateral("held")
)
# One look-up in the primary key for each key, whatever the statistics are. For `IN (…)` PostgreSQL searches by the
# tenant alone, with the keys as a filter, until it knows how many rows a tenant has: a new installation read its whole
# table for each batch.
_HELD = Prepared(select(_SAME_KEY.c.tenant_id, _SAME_KEY.c.content_key).select_from(_WANTED.join(_SAME_KEY, true())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One device as carried by one vehicle of one organisation. Each observation refers to a carrier as its source."""

    tenant_id: str
    organization_id: str
    vehicle_id: str | None
    device_id: str
    system_id: str
    model: str
    origin: str = "vehicle"
    unverified_link: bool = False


_carrier_row = attrgetter(*SOURCES.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedBatch:
    """A batch of a gateway. `carriers` has one entry for each of the batch's devices (the device and the vehicle that
    carries it), in the order of `columns.sources`. `day` is the day of the partition that gets the observations.
    `left_out` are the positions of observations that get no row. `stored_at_us` is when a staged batch was durable: its
    values may become minute rows; None: they become single rows."""

    gateway_id: str
    columns: ObservationColumns
    lane_id: int
    sequence: int
    carriers: Sequence[Carrier]
    day: int = UNDATED
    left_out: Collection[int] = ()
    stored_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """The counts of a batch's observations: `new` ones, and `repeated` ones that an earlier batch has stored.
    `in_minutes`: its values are in minute rows."""

    new: int
    repeated: int
    in_minutes: bool = False


class ObservationWriter:
    """Writes observations in one transaction. After the commit the caller must add the row numbers in `learned` to the
    cache `numbers`."""

    def __init__(self, tx: Transaction, numbers: Numbers, minutes: ArrivingMinutes | None = None) -> None:
        """`minutes` writes the minute rows of staged batches; None: their values become single rows."""
        self._tx = tx
        self._minutes = minutes
        self._numbers = numbers
        self._numbering = Numbering(tx, numbers)
        self.learned = self._numbering.learned

    async def write(self, batches: Sequence[CarriedBatch]) -> list[Added]:
        """Write these batches; return the counts of each batch, in the order of the batches."""
        numbers = await self._number(batches)
        in_minutes = await self._write_minutes(batches, numbers)
        repeats = await self._repeats(batches)
        filled = filled_columns([batch.columns for batch in batches])
        if any(batch.day != UNDATED for batch in batches):
            filled = (*filled, "day")
        rows: list[tuple[Any, ...]] = []
        added: list[Added] = []
        for place, (batch, own_numbers, repeated) in enumerate(zip(batches, numbers, repeats, strict=True)):
            if place in in_minutes:
                added.append(Added(len(batch.columns.numbers), 0, in_minutes=True))
                continue
            own = batch.columns.placed(batch.lane_id, batch.sequence, *own_numbers, day=batch.day, columns=filled)
            if repeated or batch.left_out:
                absent = repeated.union(batch.left_out)
                own = [row for position, row in enumerate(own) if position not in absent]
            rows.extend(own)
            added.append(Added(len(own), len(repeated)))
        if rows:
            await self._tx.driver.append(observations, filled, rows)
        return added

    async def _write_minutes(
        self, batches: Sequence[CarriedBatch], numbers: Sequence[tuple[list[int], list[int], list[int]]]
    ) -> Collection[int]:
        """Write the values of staged batches to minute rows, if they may be; return the places of these batches."""
        staged = [
            place
            for place, batch in enumerate(batches)
            if batch.stored_at_us is not None and not batch.left_out and not batch.columns.content_keys
        ]
        values = [
            MinuteValue._make((*row, batches[place].stored_at_us))
            for place in staged
            for row in batches[place].columns.placed(batches[place].lane_id, batches[place].sequence, *numbers[place])
        ]
        if not values or self._minutes is None or not await self._minutes.write(self._tx, values):
            return ()
        return frozenset(staged)

    async def number(self, batches: Sequence[CarriedBatch]) -> list[tuple[list[int], list[int]]]:
        """Return, for each batch, the row numbers of its sources (device and vehicle) and clocks, for observations that
        get no rows. Missing rows of sources and clocks are added."""
        sources = await self._numbers_of(SOURCES, [batch.carriers for batch in batches], _carrier_row)
        clocks = await self._numbers_of(CLOCKS, [_clock_keys(batch) for batch in batches], _clock_row)
        return list(zip(sources, clocks, strict=True))

    async def arrival_day(self, stored_at_us: int) -> int:
        """Return the day of the partition for observations that the cloud stores at this time; UNDATED if the table
        has no such partition."""
        if self._tx.dialect != "postgresql":
            return UNDATED
        day = stored_at_us // DAY_US
        key = ("arrival day", day)
        if self._numbers.get(key) is None:
            if not await OBSERVATION_DAYS.has(self._tx, day):
                return UNDATED
            self.learned[key] = day
        return day

    async def _number(self, batches: Sequence[CarriedBatch]) -> list[tuple[list[int], list[int], list[int]]]:
        """Return, for each batch, the row numbers of its sources (device and vehicle), channels (what is measured) and
        clocks."""
        sources = await self._numbers_of(SOURCES, [batch.carriers for batch in batches], _carrier_row)
        channels = await self._numbers_of(
            CHANNELS,
            _channel_keys(batches, sources),
            _channel_row,
        )
        clocks = await self._numbers_of(CLOCKS, [_clock_keys(batch) for batch in batches], _clock_row)
        return list(zip(sources, channels, clocks, strict=True))

    async def _numbers_of(
        self, where: NumberedTable, keys: Sequence[Sequence[Key]], row_of: Callable[[Key], Sequence[Any]]
    ) -> list[list[int]]:
        """Return, for each batch, the row numbers of its keys in the table `where`. Look up all batches at once, and
        keys that many batches share only once: to hash a channel takes longer than all else here."""
        distinct = {id(key): key for own in keys for key in own}
        found = await self._numbering.numbers_of(where, list(distinct.values()), row_of)
        numbers = dict(zip(distinct, found, strict=True))
        return [[numbers[id(key)] for key in own] for own in keys]

    async def _repeats(self, batches: Sequence[CarriedBatch]) -> list[set[int]]:
        """Return for each batch the positions of measurements that are stored already or come earlier in this
        transaction. If another worker stores the same measurements at the same time, the append fails and the
        transaction is retried."""
        keys = [(batch.carriers[0].tenant_id, key) for batch in batches for key in batch.columns.content_keys.values()]
        held = await keys_held(self._tx, keys)
        rows: list[tuple[Any, ...]] = []
        repeats: list[set[int]] = []
        for batch in batches:
            repeated: set[int] = set()
            for position, key in batch.columns.content_keys.items():
                own = batch.carriers[0].tenant_id, key
                if own in held:
                    repeated.add(position)
                else:
                    held.add(own)
                    rows.append((*own, batch.lane_id, batch.sequence, position))
            repeats.append(repeated)
        if rows:
            names = ("tenant_id", "content_key", "lane_id", "sequence", "position")
            # All workers append in one order, so that two with the same memory wait for each other without a deadlock.
            await self._tx.driver.append(stored_measurements, names, sorted(rows))
        return repeats


def _channel_keys(batches: Sequence[CarriedBatch], sources: Sequence[Sequence[int]]) -> list[list[tuple[int, Channel]]]:
    """Return for each batch the source number and the channel of each of its channels. Batches of a device share the
    objects of its channels, and so the keys."""
    keys: dict[tuple[int, int], tuple[int, Channel]] = {}
    return [
        [
            keys.setdefault((own[one.source_number], id(one.channel)), (own[one.source_number], one.channel))
            for one in batch.columns.channels
        ]
        for batch, own in zip(batches, sources, strict=True)
    ]


def _channel_row(key: tuple[int, Channel]) -> tuple[Any, ...]:
    source_id, channel = key
    return source_id, *channel_columns(channel).values()


def _clock_row(key: tuple[str, str, str, str, bool]) -> tuple[Any, ...]:
    return key[1:]


def _clock_keys(batch: CarriedBatch) -> list[tuple[str, str, str, str, bool]]:
    return [
        ("clock", batch.carriers[0].tenant_id, batch.gateway_id, clock.boot_id, clock.device_known)
        for clock in batch.columns.clocks
    ]


async def keys_held(tx: Transaction, keys: Iterable[ContentKey]) -> set[ContentKey]:
    """Return those of `keys` for which the tenant has a stored measurement."""
    wanted = sorted(set(keys))
    held: set[ContentKey] = set()
    for begin in range(0, len(wanted), _KEYS_AT_ONCE):
        some = wanted[begin : begin + _KEYS_AT_ONCE]
        found: Iterable[Sequence[Any]]
        if tx.dialect == "postgresql":
            tenants, content_keys = zip(*some, strict=True)
            found = await tx.driver.rows(_HELD, {"tenants": tenants, "keys": content_keys})
        else:
            place = _stored.tenant_id, _stored.content_key
            found = await tx.execute(select(*place).where(tuple_(*place).in_(some)))
        held.update((tenant_id, bytes(key)) for tenant_id, key in found)
    return held


def channel_columns(channel: Channel) -> dict[str, Any]:
    """Return what a channel measures, as a mapping from column names of `observation_channels` to values."""
    scale = channel.array
    return {
        "handle": channel.handle,
        "person": channel.person,
        "type_partition": channel.type.partition,
        "type_code": channel.type.code,
        "unit_partition": None if channel.unit is None else channel.unit.partition,
        "unit_code": None if channel.unit is None else channel.unit.code,
        "components": codes_text(channel.components),
        "supplemental_types": codes_text(channel.supplemental_types),
        "sample_format": None if scale is None else scale.format.value,
        "sample_period_s": None if scale is None else scale.period_s,
        "slope": None if scale is None else scale.slope,
        "array_offset": None if scale is None else scale.offset,
    }


def codes_text(codes: Sequence[Code]) -> str:
    """Return codes as the JSON text that a row has: [[partition, code], …]."""
    return orjson.dumps([[code.partition, code.code] for code in codes]).decode()
