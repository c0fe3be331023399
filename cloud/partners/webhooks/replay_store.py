"""The rows of replays, and the queries that select the deliveries to repeat."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import func, or_, select, update

from cloud.foundation.db import Records, Transaction, insert
from cloud.partners.webhooks.model import DeliveryKind, DeliveryStatus
from cloud.partners.webhooks.tables import webhook_deliveries, webhook_replays

_rows = webhook_deliveries.c
_replays = webhook_replays.c
_GIVEN_UP = (DeliveryStatus.EXHAUSTED.value, DeliveryStatus.DISCARDED.value)
_ORIGINALS = (DeliveryKind.EVENT.value, DeliveryKind.NOTICE.value, DeliveryKind.CALLBACK.value)
_TO_REPEAT = (_rows.position, _rows.event, _rows.event_id, _rows.lane, _rows.body, _rows.traceparent)


class ReplayMode(StrEnum):
    """The choice of deliveries that a replay repeats."""

    ONE = "one"  # one delivery
    FAILED = "failed"  # deliveries that were given up since a time and whose event was not delivered otherwise
    RANGE = "range"  # every event between two times


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A replay and its progress through the delivery log. `from_us`, `to_us`: time range of the deliveries, None for no
    limit. Deliveries up to the log position `after_position` are done, and none after the log position `until_position`
    is repeated."""

    id: str
    webhook_id: str
    tenant_id: str
    asked_by: str
    mode: ReplayMode
    from_us: int | None
    to_us: int | None
    after_position: int
    until_position: int
    queued: int
    created_at_us: int
    done_at_us: int | None


_REPLAYS = Records(Replay, webhook_replays)


class ReplayStore:
    """SQL statements on replays. The caller has checked that the viewer may see the webhook."""

    async def add(self, tx: Transaction, replay: Replay) -> None:
        await tx.execute(insert(webhook_replays).values(_REPLAYS.values(replay)))

    async def find(self, tx: Transaction, webhook_id: str, id: str) -> Replay | None:
        statement = _REPLAYS.select().where(_replays.id == id, _replays.webhook_id == webhook_id)
        return await _REPLAYS.first(tx, statement)

    async def is_under_way(self, tx: Transaction, webhook_id: str) -> bool:
        statement = select(_replays.id).where(_replays.webhook_id == webhook_id, _replays.done_at_us.is_(None))
        return (await tx.execute(statement.limit(1))).first() is not None

    async def unfinished(self, tx: Transaction) -> Replay | None:
        """Return an unfinished replay and lock it until `tx` ends. Return None if no replay is unfinished or other
        workers have locked all of them."""
        statement = _REPLAYS.select().where(_replays.done_at_us.is_(None)).order_by(_replays.after_position)
        return await _REPLAYS.first(tx, statement.limit(1).with_for_update(skip_locked=True))

    async def save(self, tx: Transaction, replay: Replay) -> None:
        await tx.execute(update(webhook_replays).where(_replays.id == replay.id).values(_REPLAYS.values(replay)))

    async def newest_position(self, tx: Transaction, webhook_id: str) -> int:
        statement = select(func.max(_rows.position)).where(_rows.webhook_id == webhook_id)
        return int((await tx.execute(statement)).scalar() or 0)

    async def delivery(self, tx: Transaction, webhook_id: str, id: str) -> Any | None:
        """Return the row of a webhook's delivery with its `kind` and `finished_at_us`, or None."""
        statement = select(*_TO_REPEAT, _rows.kind, _rows.finished_at_us)
        return (await tx.execute(statement.where(_rows.webhook_id == webhook_id, _rows.id == id))).first()

    async def batch(self, tx: Transaction, replay: Replay, count: int) -> Sequence[Any]:
        """Return the next `count` finished deliveries that the replay selects, oldest first."""
        moment = _rows.finished_at_us if replay.mode is ReplayMode.FAILED else _rows.created_at_us
        statement = select(*_TO_REPEAT).where(
            _rows.webhook_id == replay.webhook_id,
            _rows.position > replay.after_position,
            _rows.position <= replay.until_position,
            _rows.kind.in_(_ORIGINALS),
            _rows.finished_at_us.is_not(None),
        )
        if replay.mode is ReplayMode.FAILED:
            statement = statement.where(_rows.status.in_(_GIVEN_UP))
        if replay.from_us is not None:
            statement = statement.where(moment >= replay.from_us)
        if replay.to_us is not None:
            statement = statement.where(moment < replay.to_us)
        return (await tx.execute(statement.order_by(_rows.position).limit(count))).rows

    async def delivered(self, tx: Transaction, webhook_id: str, event_ids: Sequence[str]) -> set[str]:
        """Return those of `event_ids` that need no replay, because a delivery of the event succeeded
        or is unfinished."""
        statement = select(_rows.event_id).where(
            _rows.webhook_id == webhook_id,
            _rows.event_id.in_(event_ids),
            or_(_rows.status == DeliveryStatus.SUCCEEDED.value, _rows.finished_at_us.is_(None)),
        )
        return {row.event_id for row in await tx.execute(statement)}
