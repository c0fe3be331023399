"""The database rows of lanes: the sequence numbers that the cloud holds, and the lock for judging a lane's batches.

A lane is one of a gateway's streams of batches (event, epcr, numeric or waveform), numbered from 1. `open_lane` locks
the lane's row until the transaction ends (PostgreSQL: FOR UPDATE; SQLite has one writer), so a worker that judges a
batch sees every earlier decision about its lane.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, select, update

from cloud.foundation.db import Prepared, Transaction, insert
from cloud.vehicles.custody.marks import LaneMarks
from cloud.vehicles.custody.tables import lanes
from protocols.uplink.lanes import Lane


@dataclass(frozen=True, slots=True, order=True)
class LaneKey:
    """The key of a lane, one stream of a gateway's batches. `epoch` is the id of one store of the gateway: a gateway
    with a new store begins a new epoch. Every worker locks lanes in the order of their keys."""

    tenant_id: str
    gateway_id: str
    epoch: str
    lane: Lane


@dataclass(frozen=True, slots=True)
class LaneRow:
    """The database row of a lane, one stream of a gateway's batches. `contested`: two different batches of the lane had
    the same sequence number."""

    lane_id: int
    marks: LaneMarks
    contested: bool


_lane_columns = (
    lanes.c.lane_id,
    lanes.c.through_sequence,
    lanes.c.ahead,
    lanes.c.contested_us,
)
_this_lane = (
    lanes.c.tenant_id == bindparam("tenant"),
    lanes.c.gateway_id == bindparam("gateway"),
    lanes.c.epoch == bindparam("of_epoch"),
    lanes.c.lane == bindparam("of_lane"),
)
_READ_LANE = Prepared(select(*_lane_columns).where(*_this_lane))
_LOCK_LANE = Prepared(select(*_lane_columns).where(*_this_lane).with_for_update())
_ADD_LANE = Prepared(
    insert(lanes)
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
    update(lanes)
    .where(lanes.c.lane_id == bindparam("of_lane_id"))
    .values(through_sequence=bindparam("through"), ahead=bindparam("ahead_text")),
    order=("of_lane_id", "through", "ahead_text"),
)
_COUNT_REPEATED = Prepared(
    update(lanes)
    .where(lanes.c.lane_id == bindparam("of_lane_id"))
    .values(repeated=lanes.c.repeated + bindparam("repeated_more", type_=BigInteger))
)
_CONTEST_LANE = Prepared(
    update(lanes)
    .where(lanes.c.lane_id == bindparam("of_lane_id"), lanes.c.contested_us.is_(None))
    .values(contested_us=bindparam("now_us"))
)


class LaneStore:
    """SQL statements on lanes, the numbered streams of a gateway's batches."""

    async def open_lane(self, tx: Transaction, key: LaneKey) -> LaneRow:
        """Return the row of a lane (numbered stream of batches), locked until the transaction ends; create the row of a
        new lane."""
        rows = await tx.driver.rows(_LOCK_LANE, _names(key))
        if not rows:
            empty = LaneMarks()
            await tx.driver.run(_ADD_LANE, {**_names(key), "through": empty.through, "ahead_text": empty.text()})
            rows = await tx.driver.rows(_LOCK_LANE, _names(key))
        return _lane_row(rows[0])

    async def read_lane(self, tx: Transaction, key: LaneKey) -> LaneRow | None:
        """Return the row of a lane (numbered stream of batches) without a lock; None if the lane has no row."""
        rows = await tx.driver.rows(_READ_LANE, _names(key))
        return _lane_row(rows[0]) if rows else None

    async def save_marks(self, tx: Transaction, marks: Sequence[tuple[int, LaneMarks]]) -> None:
        """Store which sequence numbers the cloud holds in each lane (numbered stream of batches). `marks` has pairs of
        a lane id and the held numbers; the caller must have locked the lanes."""
        await tx.driver.run_many(_SAVE_MARKS, [(lane_id, new.through, new.text()) for lane_id, new in marks])

    async def count_repeated(self, tx: Transaction, lane_id: int, measurements: int) -> None:
        """Add `measurements` to the lane's count of repeated measurements, which an earlier batch had
        already stored."""
        await tx.driver.run(_COUNT_REPEATED, {"of_lane_id": lane_id, "repeated_more": measurements})

    async def contest_lane(self, tx: Transaction, lane_id: int, now_us: int) -> bool:
        """Record that two different batches of a lane (numbered stream of batches) have the same sequence number.
        Return False if that was already recorded."""
        return await tx.driver.run(_CONTEST_LANE, {"of_lane_id": lane_id, "now_us": now_us}) == 1


def _names(key: LaneKey) -> dict[str, str]:
    return {"tenant": key.tenant_id, "gateway": key.gateway_id, "of_epoch": key.epoch, "of_lane": key.lane.value}


def _lane_row(row: Sequence[object]) -> LaneRow:
    lane_id, through, ahead, contested_us = row
    assert isinstance(lane_id, int)
    assert isinstance(through, int)
    return LaneRow(lane_id, LaneMarks.of(through, str(ahead)), contested_us is not None)
