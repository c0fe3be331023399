"""SQL statements that find the batches of numerics that are due to be packed, and delete their rows."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ScalarSelect, delete, func, select, tuple_

from cloud.clinical.epcr import erased_encounters
from cloud.clinical.observations import first_day_of_minute_rows, observations
from cloud.foundation.db import Transaction
from cloud.foundation.retention import DAY_US
from cloud.vehicles.custody import Content, batches, lanes
from protocols.uplink.lanes import Lane

_ROWS = batches.c
_IS_UNPACKED = _ROWS.content == Content.ROWS.value


class LanePlace(NamedTuple):
    """The place of a lane in the walk: lanes of one tenant follow each other, so that they share objects."""

    tenant_id: str
    lane_id: int


class DueLane(NamedTuple):
    """A lane of numerics whose first batch with rows is due."""

    tenant_id: str
    lane_id: int
    gateway_id: str
    epoch: str
    stored_at_us: int

    @property
    def place(self) -> LanePlace:
        return LanePlace(self.tenant_id, self.lane_id)


class DueBatch(NamedTuple):
    """A batch that is due, without its envelope. The fields have the order of `_DUE`."""

    sequence: int
    link: str
    hash: bytes
    previous_hash: bytes
    organization_id: str
    vehicle_id: str
    created_at_us: int
    received_at_us: int
    stored_at_us: int
    size_bytes: int


_DUE = (
    *(_ROWS[name] for name in DueBatch._fields if name != "size_bytes"),
    func.length(_ROWS.envelope).label("size_bytes"),
)
_STATE = (_ROWS.sequence, _ROWS.link, _ROWS.hash)


class PackingStore:
    """Statements of the packing of numerics. `after_days` are the whole days after which values move to minute rows:
    batches are due when their values have moved."""

    def __init__(self, after_days: int) -> None:
        self._after_days = after_days

    async def before_us(self, tx: Transaction, now_us: int) -> int | None:
        """Return the time before which the cloud stored the batches that are due. None if nothing is due, since the
        release before may still be needed, which reads neither minute rows nor packed numerics."""
        since, today = await first_day_of_minute_rows(tx), now_us // DAY_US
        if since is None or since > today - self._after_days:
            return None
        return (today - self._after_days) * DAY_US

    async def due_lanes(
        self, tx: Transaction, before_us: int, *, after: LanePlace | None = None, limit: int
    ) -> list[DueLane]:
        """Return the next lanes after a place. Tenants with an erasure at work are left out, since it reads rows."""
        lane, stored = lanes.c, self._first_stored()
        erasing = select(erased_encounters.c.tenant_id).where(erased_encounters.c.phase != "done")
        statement = (
            select(lane.tenant_id, lane.lane_id, lane.gateway_id, lane.epoch, stored.label("stored_at_us"))
            .where(lane.lane == Lane.NUMERIC.value, stored < before_us, lane.tenant_id.not_in(erasing))
            .order_by(lane.tenant_id, lane.lane_id)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(tuple_(lane.tenant_id, lane.lane_id) > tuple(after))
        return [DueLane(*row) for row in await tx.execute(statement)]

    async def due_batches(self, tx: Transaction, lane_id: int, before_us: int, limit: int) -> list[DueBatch]:
        """Return the first batches of a lane whose values have all moved to minute rows, up to the first one that is
        not due."""
        single = select(observations.c.sequence).where(observations.c.lane_id == lane_id)
        first = (await tx.execute(single.order_by(observations.c.sequence).limit(1))).scalar()
        statement = select(*_DUE).where(_ROWS.lane_id == lane_id, _IS_UNPACKED)
        if first is not None:
            statement = statement.where(_ROWS.sequence < first)
        found: list[DueBatch] = []
        for row in await tx.execute(statement.order_by(_ROWS.sequence).limit(limit)):
            one = DueBatch(*row)._replace(hash=bytes(row.hash), previous_hash=bytes(row.previous_hash))
            if one.stored_at_us >= before_us:
                break
            found.append(one)
        return found

    async def envelopes(self, tx: Transaction, lane_id: int, first: int, last: int) -> dict[int, bytes]:
        """Return the envelopes of the batches `first` to `last` that have rows, by sequence number."""
        here = (_ROWS.lane_id == lane_id, _ROWS.sequence.between(first, last), _IS_UNPACKED)
        return {
            row.sequence: bytes(row.envelope) for row in await tx.execute(select(*_STATE, _ROWS.envelope).where(*here))
        }

    async def take(self, tx: Transaction, lane_id: int, packed: Sequence[DueBatch]) -> bool:
        """Delete the rows of packed batches, which follow each other. Return False if they have changed since they were
        read. The caller has locked the lane."""
        here = (_ROWS.lane_id == lane_id, _ROWS.sequence.between(packed[0].sequence, packed[-1].sequence), _IS_UNPACKED)
        found = [(row.sequence, row.link, bytes(row.hash)) for row in await tx.execute(select(*_STATE).where(*here))]
        if sorted(found) != [(one.sequence, one.link, one.hash) for one in packed]:
            return False
        return (await tx.execute(delete(batches).where(*here))).rowcount == len(packed)

    async def oldest_due(self, tx: Transaction, before_us: int) -> tuple[int, int | None]:
        """Return the number of lanes with batches that are due, and when the cloud stored the oldest first one."""
        stored = self._first_stored()
        due = select(stored.label("stored_at_us")).where(lanes.c.lane == Lane.NUMERIC.value).subquery()
        counted = select(func.count(), func.min(due.c.stored_at_us)).where(due.c.stored_at_us < before_us)
        row = (await tx.execute(counted)).first()
        assert row is not None, "an aggregate always gives a row"
        return int(row[0]), None if row[1] is None else int(row[1])

    def _first_stored(self) -> ScalarSelect[int]:
        """Return the subquery of the time at which the cloud stored the first batch of a lane that has rows."""
        first = select(_ROWS.stored_at_us).where(_ROWS.lane_id == lanes.c.lane_id, _IS_UNPACKED)
        return first.order_by(_ROWS.sequence).limit(1).correlate(lanes).scalar_subquery()
