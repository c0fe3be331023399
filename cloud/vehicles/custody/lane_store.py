"""The database rows of lanes: the sequence numbers that the cloud holds, and the lock for judging batches.

A lane is one of a gateway's streams of batches (event, epcr, numeric or waveform), numbered from 1. `open_lanes` locks
the rows of all lanes of a group until the transaction ends (PostgreSQL: FOR UPDATE; SQLite has one writer), so a worker
that judges a batch sees every earlier decision about its lane. The number of statements does not depend on the number
of lanes.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Text, bindparam, literal, select, update

from cloud.foundation.db import GivenRows, Prepared, Transaction, given, insert
from cloud.vehicles.custody.marks import LaneMarks
from cloud.vehicles.custody.tables import lanes
from protocols.uplink.lanes import Lane


class LaneKey(NamedTuple):
    """The key of a lane, one stream of a gateway's batches. `epoch` is the id of one store of the gateway: a gateway
    with a new store begins a new epoch. A tuple, since ingest looks up each batch by its lane some twenty times."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """The signature of the batch up to which the cloud holds a lane: Ed25519 over the chain hash of batch `sequence`,
    by the gateway's `public_key`. `created_at_us` is the gateway's wall clock when it made the batch."""

    sequence: int
    signature: bytes
    public_key: bytes
    created_at_us: int


@dataclass(frozen=True, slots=True)
class LaneChange:
    """The changes to a locked lane: the sequence numbers that the cloud now holds, the number of measurements in the
    new batches that an earlier batch had already stored, and the signature at the new end (None: not in this group)."""

    lane_id: int
    marks: LaneMarks
    repeated: int = 0
    head: SignedHead | None = None


_KEY = ("tenant_id", "gateway_id", "epoch", "lane")
_lane_columns = (
    lanes.c.lane_id,
    *(lanes.c[name] for name in _KEY),
    lanes.c.through_sequence,
    lanes.c.ahead,
    lanes.c.contested_us,
)
_wanted = GivenRows("wanted", **dict.fromkeys(_KEY, Text()))
_READ_LANES = Prepared(select(*_lane_columns).where(*(lanes.c[name] == _wanted.c(name) for name in _KEY)))
_empty = LaneMarks()
_ADD_LANES = Prepared(
    insert(lanes)
    .from_select(
        (*_KEY, "through_sequence", "ahead"),
        _wanted.rows(*_KEY)
        .add_columns(literal(_empty.through, BigInteger()), literal(_empty.text(), Text()))
        # SQLite parses `ON` after a SELECT without WHERE as a join.
        .where(_wanted.c("lane").is_not(None)),
    )
    .on_conflict_do_nothing()
)
_opened = GivenRows("opened", lane_id=BigInteger())
_LOCK_LANES = Prepared(
    select(*_lane_columns)
    .where(_opened.among(lanes.c.lane_id, _opened.c("lane_id")))
    .order_by(lanes.c.lane_id)
    .with_for_update()
)
_HEAD = ("signed_sequence", "signature", "signed_by", "signed_created_us")
_changed = GivenRows(
    "changed",
    lane_id=BigInteger(),
    through_sequence=BigInteger(),
    ahead=Text(),
    repeated=BigInteger(),
    signed_sequence=BigInteger(),
    signature=Text(),
    signed_by=Text(),
    signed_created_us=BigInteger(),
)
_SAVE = Prepared(
    update(lanes)
    .where(lanes.c.lane_id == _changed.c("lane_id"))
    .values(
        through_sequence=_changed.c("through_sequence"),
        ahead=_changed.c("ahead"),
        repeated=lanes.c.repeated + _changed.c("repeated"),
        **{name: _changed.c(name) for name in _HEAD},
    )
)
_COUNT_REPEATED = Prepared(
    update(lanes)
    .where(lanes.c.lane_id == bindparam("of_lane_id"))
    .values(repeated=lanes.c.repeated + bindparam("repeated_more", type_=BigInteger))
)
_CONTEST_LANES = Prepared(
    update(lanes)
    .where(lanes.c.lane_id == _opened.c("lane_id"))
    .values(contested_us=bindparam("now_us", type_=BigInteger))
)


class LaneStore:
    """SQL statements on lanes, the numbered streams of a gateway's batches."""

    async def open_lanes(
        self, tx: Transaction, keys: Set[LaneKey], known: Mapping[LaneKey, int]
    ) -> dict[LaneKey, LaneRow]:
        """Return the rows of lanes (numbered streams of batches), locked until the transaction ends. New lanes get a
        row. `known` are the ids of those lanes that the process has cached.

        Every worker adds missing rows before it locks the first one, and locks in the order of the ids, so workers
        that hold batches of the same lanes cannot wait for each other in a circle."""
        ids = dict(known)
        if unknown := keys - ids.keys():
            ids.update(await self._find_or_add(tx, unknown))
        rows = await self._lock(tx, ids)
        if rows.keys() != keys:
            # A copy of the database was restored beneath the running process, so the cached ids are of other lanes.
            rows = await self._lock(tx, await self._find_or_add(tx, keys))
        return rows

    async def _lock(self, tx: Transaction, ids: Mapping[LaneKey, int]) -> dict[LaneKey, LaneRow]:
        rows = await tx.driver.rows(_LOCK_LANES, {"opened": given([(lane_id,) for lane_id in ids.values()])})
        return _by_key(rows)

    async def _find_or_add(self, tx: Transaction, keys: Set[LaneKey]) -> dict[LaneKey, int]:
        found = await self.read_lanes(tx, keys)
        missing = sorted(keys - found.keys())
        if missing:
            await tx.driver.run(_ADD_LANES, {"wanted": given([_names(key) for key in missing])})
            found.update(await self.read_lanes(tx, missing))
        return {key: row.lane_id for key, row in found.items()}

    async def read_lanes(self, tx: Transaction, keys: Collection[LaneKey]) -> dict[LaneKey, LaneRow]:
        """Return the rows of lanes (numbered streams of batches) without a lock. Lanes without a row are left out."""
        rows = await tx.driver.rows(_READ_LANES, {"wanted": given([_names(key) for key in keys])}) if keys else ()
        return _by_key(rows)

    async def save(self, tx: Transaction, changes: Sequence[LaneChange]) -> None:
        """Store the changes to lanes (numbered streams of batches) that the caller has locked."""
        rows = [
            (one.lane_id, one.marks.through, one.marks.text(), one.repeated, *_head_columns(one.head))
            for one in changes
        ]
        if rows:
            await tx.driver.run(_SAVE, {"changed": given(rows)})

    async def count_repeated(self, tx: Transaction, lane_id: int, measurements: int) -> None:
        """Add `measurements` to the lane's count of repeated measurements, which an earlier batch had
        already stored."""
        await tx.driver.run(_COUNT_REPEATED, {"of_lane_id": lane_id, "repeated_more": measurements})

    async def contest_lanes(self, tx: Transaction, lane_ids: Collection[int], now_us: int) -> None:
        """Record that two different batches of a lane (numbered stream of batches) have the same sequence number. The
        caller has locked the lanes, and this was not recorded before."""
        if lane_ids:
            opened = given([(lane_id,) for lane_id in sorted(lane_ids)])
            await tx.driver.run(_CONTEST_LANES, {"opened": opened, "now_us": now_us})


def _head_columns(head: SignedHead | None) -> tuple[int | str | None, ...]:
    """Return the values of the columns `_HEAD`."""
    if head is None:
        return (None,) * len(_HEAD)
    return head.sequence, head.signature.hex(), head.public_key.hex(), head.created_at_us


def _names(key: LaneKey) -> tuple[str, str, str, str]:
    return key.tenant_id, key.gateway_id, key.epoch, key.lane.value


def _by_key(rows: Sequence[Sequence[Any]]) -> dict[LaneKey, LaneRow]:
    return {
        LaneKey(tenant_id, gateway_id, epoch, Lane(lane)): LaneRow(
            lane_id, LaneMarks.of(through, ahead), contested_us is not None
        )
        for lane_id, tenant_id, gateway_id, epoch, lane, through, ahead, contested_us in rows
    }
