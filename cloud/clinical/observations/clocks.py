"""The monotonic clocks of gateways, one for each boot, and the anchors that correct the times of observations.

While a gateway does not know the time, its observations have a time on the monotonic clock of the gateway's boot. When
the gateway learns the time, it reports an anchor: the offset from this clock to the wall clock
(`protocols.uplink.clock_events`). From then on, readers correct these observations by the anchor, including those that
arrive later. The stored observations do not change: an anchor is one added row for each boot.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    literal_column,
    select,
    tuple_,
    union,
)

from cloud.clinical.observations.tables import (
    SYNCHRONISED_CLOCK_ID,
    clock_anchors,
    lane_days,
    observation_clocks,
    observations,
)
from cloud.clinical.waveforms import waveform_sources
from cloud.foundation.db import GivenRows, Prepared, Query, Transaction, given, insert
from protocols.clock_anchor import ClockAnchor
from protocols.uplink.clock_events import CLOCK_ESTIMATED, anchor_of
from protocols.uplink.events import GatewayEvent

BootKey = tuple[str, str, str]
"""Tenant, gateway and boot."""
_BOOTS_AT_ONCE = 1_000
"""Boots in one query. SQLite allows 32 766 parameters, and a boot has three."""


@dataclass(frozen=True, slots=True)
class KnownClock:
    """The monotonic clock of a gateway's boot. `anchor` is None while the time is not known. `estimated`: the gateway
    reported that its wall clock was certainly wrong, so the times that it recorded were estimates. `device_known`: the
    gateway knew how the device's clock relates to the monotonic clock."""

    clock_id: int
    boot_id: str
    device_known: bool
    anchor: ClockAnchor | None
    estimated: bool


@dataclass(frozen=True, slots=True)
class _Boot:
    anchor: ClockAnchor | None = None
    estimated: bool = False


async def learn_clocks(tx: Transaction, events: Iterable[tuple[str, str, GatewayEvent]]) -> None:
    """Store for each boot what these events (tenant id, gateway id, event) report: an anchor (offset of the boot's
    monotonic clock to wall time), or that the gateway's wall clock was wrong."""
    reported: dict[BootKey, _Boot] = {}
    for tenant_id, gateway_id, event in events:
        anchor, estimated = anchor_of(event), event.name == CLOCK_ESTIMATED
        if anchor is not None or estimated:
            key = tenant_id, gateway_id, event.boot_id
            reported[key] = _merged(reported.get(key, _Boot()), _Boot(anchor, estimated))
    if not reported:
        return
    known = await _boots(tx, sorted(reported))
    changed: list[tuple[BootKey, _Boot]] = []
    for key in sorted(reported):
        before = known.get(key)
        boot = reported[key] if before is None else _merged(before, reported[key])
        if boot != before:
            changed.append((key, boot))
    if changed:
        await tx.driver.run(_WRITE, {"learned": given([_row(key, boot) for key, boot in changed])})


async def clocks_of(tx: Transaction, source_id: int) -> Sequence[KnownClock]:
    """Return the clocks to which the observations of one source (a device as carried by one vehicle) refer.
    Synchronised wall clocks are not included."""
    return (await clocks_of_sources(tx.driver.rows, [source_id]))[source_id]


async def clocks_of_sources(query: Query, source_ids: Iterable[int]) -> Mapping[int, Sequence[KnownClock]]:
    """Return the clocks of each of these sources."""
    found: dict[int, list[KnownClock]] = {source_id: [] for source_id in source_ids}
    for source_id, clocks in found.items():
        for clock_id, boot_id, device_known, *anchor, estimated in await query(_KNOWN, {"of_source": source_id}):
            clocks.append(KnownClock(clock_id, boot_id, bool(device_known), _anchor_of(*anchor), bool(estimated)))
    return found


async def clocks_of_gateway(tx: Transaction, tenant_id: str, gateway_id: str) -> Mapping[tuple[str, bool], KnownClock]:
    """Return the clocks of a gateway's boots, by boot and by whether the device's clock was known."""
    clocks, anchors = observation_clocks.c, clock_anchors.c
    statement = (
        select(clocks.clock_id, clocks.boot_id, clocks.device_known, *_ANCHOR, anchors.estimated)
        .select_from(observation_clocks)
        .outerjoin(clock_anchors, OF_CLOCK)
        .where(clocks.tenant_id == tenant_id, clocks.gateway_id == gateway_id)
    )
    return {
        (row.boot_id, bool(row.device_known)): KnownClock(
            row.clock_id, row.boot_id, bool(row.device_known), _anchor(row), bool(row.estimated)
        )
        for row in await tx.execute(statement)
    }


OF_CLOCK = and_(
    clock_anchors.c.tenant_id == observation_clocks.c.tenant_id,
    clock_anchors.c.gateway_id == observation_clocks.c.gateway_id,
    clock_anchors.c.boot_id == observation_clocks.c.boot_id,
)
"""Condition that joins a clock to the known facts of its boot."""

_ANCHOR = (
    clock_anchors.c.offset_us,
    clock_anchors.c.uncertainty_us,
    clock_anchors.c.first_us,
    clock_anchors.c.last_us,
)

_source = bindparam("of_source", type_=BigInteger())
_SYNCHRONISED: ColumnElement[int] = literal_column(str(SYNCHRONISED_CLOCK_ID))
"""A literal instead of a parameter, since a partial index serves only a condition that the planner can read."""
_named = union(
    *(
        select(table.c.clock_id).where(table.c.source_id == _source, table.c.clock_id > _SYNCHRONISED)
        for table in (observations, lane_days, waveform_sources)
    )
).subquery()
_KNOWN = Prepared(
    select(
        observation_clocks.c.clock_id,
        observation_clocks.c.boot_id,
        observation_clocks.c.device_known,
        *_ANCHOR,
        clock_anchors.c.estimated,
    )
    .join(_named, _named.c.clock_id == observation_clocks.c.clock_id)
    .outerjoin(clock_anchors, OF_CLOCK)
)

_FACTS = (*(column.name for column in _ANCHOR), "estimated")
_BOOT = ("tenant_id", "gateway_id", "boot_id")
_learned = GivenRows(
    "learned", **dict.fromkeys(_BOOT, Text()), **{column.name: BigInteger() for column in _ANCHOR}, estimated=Boolean()
)
_add = insert(clock_anchors).from_select(
    (*_BOOT, *_FACTS),
    # SQLite parses `ON` after a SELECT without WHERE as a join.
    _learned.rows(*_BOOT, *_FACTS).where(_learned.c("tenant_id").is_not(None)),
)
_WRITE = Prepared(_add.on_conflict_do_update(index_elements=_BOOT, set_={name: _add.excluded[name] for name in _FACTS}))


async def _boots(tx: Transaction, keys: Sequence[BootKey]) -> Mapping[BootKey, _Boot]:
    table = clock_anchors.c
    found: dict[BootKey, _Boot] = {}
    for begin in range(0, len(keys), _BOOTS_AT_ONCE):
        some = keys[begin : begin + _BOOTS_AT_ONCE]
        statement: Select[tuple[object, ...]] = select(clock_anchors).where(
            tuple_(table.tenant_id, table.gateway_id, table.boot_id).in_(some)
        )
        for row in await tx.execute(statement):
            found[row.tenant_id, row.gateway_id, row.boot_id] = _Boot(_anchor(row), bool(row.estimated))
    return found


def _row(key: BootKey, boot: _Boot) -> tuple[str | int | bool | None, ...]:
    anchor = boot.anchor
    facts = (None,) * len(_ANCHOR) if anchor is None else tuple(getattr(anchor, column.name) for column in _ANCHOR)
    return *key, *facts, boot.estimated


def _merged(one: _Boot, other: _Boot) -> _Boot:
    anchors = [anchor for anchor in (one.anchor, other.anchor) if anchor is not None]
    anchor = anchors[0].merged(anchors[-1]) if anchors else None
    return _Boot(anchor, one.estimated or other.estimated)


def _anchor(row: object) -> ClockAnchor | None:
    return _anchor_of(*(getattr(row, column.name) for column in _ANCHOR))


def _anchor_of(
    offset_us: int | None, uncertainty_us: int | None, first_us: int | None, last_us: int | None
) -> ClockAnchor | None:
    if offset_us is None:
        return None
    assert uncertainty_us is not None, "the four are NULL together"
    assert first_us is not None
    assert last_us is not None
    return ClockAnchor(offset_us=offset_us, uncertainty_us=uncertainty_us, first_us=first_us, last_us=last_us)
