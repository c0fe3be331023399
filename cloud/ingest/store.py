"""The rows of lanes, epochs and gateway events.

`open_lane` is where workers meet: it locks the lane's row until the transaction ends (PostgreSQL: FOR UPDATE; SQLite
has one writer), so whoever judges a batch sees everything that was decided about its lane before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import bindparam, select, update

from cloud.db import Prepared, Transaction, insert
from cloud.ingest.marks import LaneMarks
from cloud.ingest.tables import gateway_epochs, gateway_events, ingest_lanes
from protocols.uplink.events import GatewayEvent
from protocols.uplink.lanes import Lane


@dataclass(frozen=True, slots=True, order=True)
class LaneKey:
    """One lane of one epoch of one gateway. The order is that in which locks are taken: the same in every worker."""

    tenant_id: str
    gateway_id: str
    epoch: str
    lane: Lane


@dataclass(frozen=True, slots=True)
class LaneRow:
    """What the database holds of a lane. `contested`: two batches have claimed one sequence of it."""

    lane_id: int
    marks: LaneMarks
    contested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEpoch:
    """An epoch that was proved by a signed batch. `began_us` and `contested_us` are by the cloud's clock."""

    epoch: str
    began_us: int
    contested_us: int | None


_lane_columns = (
    ingest_lanes.c.lane_id,
    ingest_lanes.c.through_sequence,
    ingest_lanes.c.ahead,
    ingest_lanes.c.contested_us,
)
_this_lane = (
    ingest_lanes.c.tenant_id == bindparam("tenant"),
    ingest_lanes.c.gateway_id == bindparam("gateway"),
    ingest_lanes.c.epoch == bindparam("of_epoch"),
    ingest_lanes.c.lane == bindparam("of_lane"),
)
_READ_LANE = Prepared(select(*_lane_columns).where(*_this_lane))
_LOCK_LANE = Prepared(select(*_lane_columns).where(*_this_lane).with_for_update())
_ADD_LANE = Prepared(
    insert(ingest_lanes)
    .values(
        tenant_id=bindparam("tenant"),
        gateway_id=bindparam("gateway"),
        epoch=bindparam("of_epoch"),
        lane=bindparam("of_lane"),
        through_sequence=bindparam("through"),
        ahead=bindparam("ahead_text"),
    )
    .on_conflict_do_nothing()
)
_SAVE_MARKS = Prepared(
    update(ingest_lanes)
    .where(ingest_lanes.c.lane_id == bindparam("of_lane_id"))
    .values(through_sequence=bindparam("through"), ahead=bindparam("ahead_text")),
    order=("of_lane_id", "through", "ahead_text"),
)
_CONTEST_LANE = Prepared(
    update(ingest_lanes)
    .where(ingest_lanes.c.lane_id == bindparam("of_lane_id"), ingest_lanes.c.contested_us.is_(None))
    .values(contested_us=bindparam("now_us"))
)
_EPOCHS = Prepared(
    select(gateway_epochs.c.epoch, gateway_epochs.c.began_us, gateway_epochs.c.contested_us)
    .where(gateway_epochs.c.tenant_id == bindparam("tenant"), gateway_epochs.c.gateway_id == bindparam("gateway"))
    .order_by(gateway_epochs.c.began_us, gateway_epochs.c.epoch)
)
_ADD_EPOCH = Prepared(
    insert(gateway_epochs)
    .values(
        tenant_id=bindparam("tenant"),
        gateway_id=bindparam("gateway"),
        epoch=bindparam("of_epoch"),
        began_us=bindparam("now_us"),
        replaces=bindparam("before"),
    )
    .on_conflict_do_nothing()
)
_CONTEST_EPOCH = Prepared(
    update(gateway_epochs)
    .where(
        gateway_epochs.c.tenant_id == bindparam("tenant"),
        gateway_epochs.c.gateway_id == bindparam("gateway"),
        gateway_epochs.c.epoch == bindparam("of_epoch"),
        gateway_epochs.c.contested_us.is_(None),
    )
    .values(contested_us=bindparam("now_us"))
)


class LaneStore:
    """Every statement about lanes and epochs."""

    async def open_lane(self, tx: Transaction, key: LaneKey) -> LaneRow:
        """The lane's row, made when there is none, locked until the transaction ends."""
        rows = await tx.driver.rows(_LOCK_LANE, _names(key))
        if not rows:
            empty = LaneMarks()
            await tx.driver.run(_ADD_LANE, {**_names(key), "through": empty.through, "ahead_text": empty.text()})
            rows = await tx.driver.rows(_LOCK_LANE, _names(key))
        return _lane_row(rows[0])

    async def read_lane(self, tx: Transaction, key: LaneKey) -> LaneRow | None:
        """The lane's row as it stands, None when nothing of it ever arrived."""
        rows = await tx.driver.rows(_READ_LANE, _names(key))
        return _lane_row(rows[0]) if rows else None

    async def save_marks(self, tx: Transaction, marks: Sequence[tuple[int, LaneMarks]]) -> None:
        """The new marks of opened lanes, by lane id."""
        await tx.driver.run_many(_SAVE_MARKS, [(lane_id, new.through, new.text()) for lane_id, new in marks])

    async def contest_lane(self, tx: Transaction, lane_id: int, now_us: int) -> bool:
        """Note that two batches claim one sequence; True when this is news."""
        return await tx.driver.run(_CONTEST_LANE, {"of_lane_id": lane_id, "now_us": now_us}) == 1

    async def epochs(self, tx: Transaction, tenant_id: str, gateway_id: str) -> Sequence[KnownEpoch]:
        """The gateway's epochs in the order in which they began."""
        rows = await tx.driver.rows(_EPOCHS, {"tenant": tenant_id, "gateway": gateway_id})
        return [KnownEpoch(epoch=epoch, began_us=began, contested_us=contested) for epoch, began, contested in rows]

    async def begin_epoch(self, tx: Transaction, key: LaneKey, *, replaces: str | None, now_us: int) -> bool:
        """True when this transaction is the one that begins it."""
        values = {"tenant": key.tenant_id, "gateway": key.gateway_id, "of_epoch": key.epoch}
        return await tx.driver.run(_ADD_EPOCH, {**values, "now_us": now_us, "before": replaces}) == 1

    async def contest_epoch(self, tx: Transaction, key: LaneKey, now_us: int) -> bool:
        """Note that an epoch goes on beside its successor; True when this is news."""
        values = {"tenant": key.tenant_id, "gateway": key.gateway_id, "of_epoch": key.epoch}
        return await tx.driver.run(_CONTEST_EPOCH, {**values, "now_us": now_us}) == 1


EVENT_COLUMNS = (
    "lane_id",
    "sequence",
    "tenant_id",
    "organization_id",
    "vehicle_id",
    "gateway_id",
    "name",
    "at_us",
    "boot_id",
    "device",
    "fields",
)


def event_row(
    event: GatewayEvent, *, lane_id: int, sequence: int, key: LaneKey, organization_id: str, vehicle_id: str
) -> tuple[object, ...]:
    """A row of `gateway_events` in the order of `EVENT_COLUMNS`."""
    told = (event.name, event.at_us, event.boot_id, event.device, orjson.dumps(dict(event.fields)).decode())
    return (lane_id, sequence, key.tenant_id, organization_id, vehicle_id, key.gateway_id, *told)


async def append_events(tx: Transaction, rows: Sequence[tuple[object, ...]]) -> None:
    """What gateways told, each in a batch of its own."""
    if rows:
        await tx.driver.append(gateway_events, EVENT_COLUMNS, rows)


def _names(key: LaneKey) -> dict[str, str]:
    return {"tenant": key.tenant_id, "gateway": key.gateway_id, "of_epoch": key.epoch, "of_lane": key.lane.value}


def _lane_row(row: Sequence[object]) -> LaneRow:
    lane_id, through, ahead, contested_us = row
    assert isinstance(lane_id, int)
    assert isinstance(through, int)
    return LaneRow(lane_id, LaneMarks.of(through, str(ahead)), contested_us is not None)
