"""The rows of deliveries: queued with the event, claimed under a lease, settled under a fence, removed when old.

A lane is one subscription and key. Its oldest unfinished delivery alone has a `due_at_us`; queueing behind it locks the
newest unfinished row, and settling wakes the next one after its own row is written, so on PostgreSQL either sees what
the other did and none is forgotten. Rows are locked in the order of subscriptions, everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, select, update

from cloud.db import Prepared, Transaction, insert
from cloud.webhooks.model import Attempt, DeliveryKind, DeliveryStatus, ErrorCode
from cloud.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_replays

DAY_US = 86_400_000_000
RETENTION_US = 30 * DAY_US
"""How long a finished delivery can be looked at and repeated (A-060)."""
SWEPT_MAX = 1_000

_rows = webhook_deliveries.c
_UNFINISHED = _rows.finished_at_us.is_(None)

_NEW = (
    "id",
    "webhook_id",
    "tenant_id",
    "kind",
    "event",
    "event_id",
    "lane",
    "body",
    "traceparent",
    "replay_id",
    "status",
    "created_at_us",
    "due_at_us",
    "finished_at_us",
    "error_code",
)
_QUEUE = Prepared(
    insert(webhook_deliveries).values(**{name: bindparam(name) for name in _NEW}, lease_token=0, attempts=0).inline()
)
_LAST_OF_LANE = Prepared(
    select(_rows.position)
    .where(_rows.webhook_id == bindparam("webhook_id"), _rows.lane == bindparam("lane"), _UNFINISHED)
    .order_by(_rows.position.desc())
    .limit(1)
    .with_for_update()
)


def _waiting() -> Prepared:
    """Each subscription that has something due or under way, with the earliest moment: from one to the next through
    the index, so that a long queue costs no more than a short one."""
    due = _rows.due_at_us.is_not(None)
    first = select(func.min(_rows.webhook_id).label("id")).where(due).cte("waiting", recursive=True)
    after = select(func.min(_rows.webhook_id)).where(due, _rows.webhook_id > first.c.id).scalar_subquery()
    ids = first.union_all(select(after).where(first.c.id.is_not(None)))
    earliest = select(func.min(_rows.due_at_us)).where(due, _rows.webhook_id == ids.c.id).scalar_subquery()
    whose = select(_rows.tenant_id).where(due, _rows.webhook_id == ids.c.id).limit(1).scalar_subquery()
    return Prepared(select(ids.c.id, whose, earliest).where(ids.c.id.is_not(None)).limit(bindparam("most")))


WAITING = _waiting()

_claimable = (
    select(_rows.position)
    .where(
        _rows.webhook_id == bindparam("webhook_id"),
        _rows.due_at_us.is_not(None),
        _rows.due_at_us <= bindparam("now"),
    )
    .order_by(_rows.due_at_us)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("claimable")
)
_CLAIM = Prepared(
    update(webhook_deliveries)
    .where(_rows.position.in_(select(_claimable.c.position)))
    .values(
        status=DeliveryStatus.DELIVERING.value, due_at_us=bindparam("lease_until"), lease_token=_rows.lease_token + 1
    )
    .returning(
        _rows.position,
        _rows.id,
        _rows.webhook_id,
        _rows.tenant_id,
        _rows.kind,
        _rows.event,
        _rows.event_id,
        _rows.lane,
        _rows.body,
        _rows.traceparent,
        _rows.lease_token,
        _rows.attempts,
    )
)
_HELD = and_(
    _rows.position == bindparam("which"),
    _rows.lease_token == bindparam("token"),
    _rows.status == DeliveryStatus.DELIVERING.value,
)
_SETTLED = (
    "status",
    "due_at_us",
    "finished_at_us",
    "attempts",
    "attempted_at_us",
    "duration_ms",
    "response_status",
    "error_code",
)
_SETTLE = Prepared(
    update(webhook_deliveries).where(_HELD).values({name: bindparam(f"new_{name}") for name in _SETTLED})
)
_END = Prepared(
    update(webhook_deliveries)
    .where(_HELD)
    .values(
        status=DeliveryStatus.DISCARDED.value,
        due_at_us=None,
        finished_at_us=bindparam("at"),
        error_code=bindparam("why"),
    )
)
_same_lane = webhook_deliveries.alias("same_lane")
_WAKE_NEXT = Prepared(
    update(webhook_deliveries)
    .where(
        _rows.position
        == select(func.min(_same_lane.c.position))
        .where(
            _same_lane.c.webhook_id == bindparam("in_webhook"),
            _same_lane.c.lane == bindparam("in_lane"),
            _same_lane.c.finished_at_us.is_(None),
        )
        .scalar_subquery(),
        _rows.due_at_us.is_(None),
    )
    .values(due_at_us=bindparam("at"))
)
_ATTEMPTED = (
    "delivery_position",
    "number",
    "attempted_at_us",
    "duration_ms",
    "response_status",
    "error_code",
    "response_head",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """What is to be sent. `event_id` becomes the `webhook-id`, `body` is sent to the octet."""

    id: str
    webhook_id: str
    tenant_id: str
    kind: DeliveryKind
    event: str
    event_id: str
    lane: str
    body: str = field(repr=False)
    traceparent: str
    replay_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that this worker alone may attempt until its lease ends."""

    position: int
    id: str
    webhook_id: str
    tenant_id: str
    kind: DeliveryKind
    event: str
    event_id: str
    lane: str
    body: str = field(repr=False)
    traceparent: str | None
    lease_token: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A subscription with deliveries that are due, under way or planned."""

    webhook_id: str
    tenant_id: str
    due_at_us: int


class DeliveryStore:
    """Every statement of the way of a delivery."""

    async def queue(self, tx: Transaction, new: NewDelivery, now_us: int) -> None:
        """Send this when its turn comes. For one (webhook, lane) one transaction at a time, in the wanted order."""
        behind = await tx.driver.rows(_LAST_OF_LANE, {"webhook_id": new.webhook_id, "lane": new.lane})
        await tx.driver.run_later(
            _QUEUE,
            {
                **_row_of(new),
                "status": DeliveryStatus.QUEUED.value,
                "created_at_us": now_us,
                "due_at_us": None if behind else now_us,
                "finished_at_us": None,
                "error_code": None,
            },
        )

    async def note(self, tx: Transaction, new: NewDelivery, now_us: int) -> None:
        """What a disabled endpoint missed: not sent, but there to be repeated once it works again."""
        await tx.driver.run_later(
            _QUEUE,
            {
                **_row_of(new),
                "status": DeliveryStatus.DISCARDED.value,
                "created_at_us": now_us,
                "due_at_us": None,
                "finished_at_us": now_us,
                "error_code": ErrorCode.ENDPOINT_DISABLED.value,
            },
        )

    async def claim(
        self, tx: Transaction, webhook_id: str, *, now_us: int, lease_us: int, count: int
    ) -> Sequence[Claimed]:
        """Take up to `count` due deliveries of one subscription, at most one of each lane."""
        values = {"webhook_id": webhook_id, "now": now_us, "lease_until": now_us + lease_us, "count": count}
        return [_claimed(row) for row in await tx.driver.rows(_CLAIM, values)]

    async def settle(
        self,
        tx: Transaction,
        claimed: Claimed,
        attempt: Attempt,
        status: DeliveryStatus,
        *,
        next_at_us: int | None,
        now_us: int,
    ) -> bool:
        """Write what an attempt came to; False when the lease was lost, and then nothing is written.

        `next_at_us` None: it is finished, and the next of its lane is due. The attempts themselves are added with
        `record`.
        """
        row = (
            status.value,
            next_at_us,
            None if next_at_us is not None else now_us,
            attempt.number,
            attempt.attempted_at_us,
            attempt.duration_ms,
            attempt.response_status,
            None if attempt.error_code is None else attempt.error_code.value,
        )
        values = {f"new_{name}": value for name, value in zip(_SETTLED, row, strict=True)}
        held = await tx.driver.run(_SETTLE, {**values, "which": claimed.position, "token": claimed.lease_token})
        if held != 1:
            return False
        if next_at_us is None:
            await self._wake_next(tx, claimed, now_us)
        return True

    async def discard(self, tx: Transaction, claimed: Claimed, why: ErrorCode, now_us: int) -> bool:
        """End a claimed delivery unsent; False when the lease was lost."""
        values = {"which": claimed.position, "token": claimed.lease_token, "at": now_us, "why": why.value}
        if await tx.driver.run(_END, values) != 1:
            return False
        await self._wake_next(tx, claimed, now_us)
        return True

    async def record(self, tx: Transaction, attempts: Sequence[tuple[Claimed, Attempt]]) -> None:
        """Add the attempts of settled deliveries."""
        if attempts:
            rows = [
                (
                    claimed.position,
                    attempt.number,
                    attempt.attempted_at_us,
                    attempt.duration_ms,
                    attempt.response_status,
                    None if attempt.error_code is None else attempt.error_code.value,
                    attempt.response_head,
                )
                for claimed, attempt in attempts
            ]
            await tx.driver.append(webhook_attempts, _ATTEMPTED, rows)

    async def discard_waiting(
        self, tx: Transaction, webhook_id: str, why: ErrorCode, now_us: int, *, tests: bool
    ) -> int:
        """End everything of a subscription that is not under way; how many. `tests`: its tests too.

        What is under way is settled by its worker, which finds the subscription as it is by then.
        """
        conditions = [
            _rows.webhook_id == webhook_id,
            _UNFINISHED,
            _rows.status != DeliveryStatus.DELIVERING.value,
        ]
        if not tests:
            conditions.append(_rows.kind != DeliveryKind.TEST.value)
        statement = (
            update(webhook_deliveries)
            .where(*conditions)
            .values(status=DeliveryStatus.DISCARDED.value, due_at_us=None, finished_at_us=now_us, error_code=why.value)
        )
        return (await tx.execute(statement)).rowcount

    async def sweep(self, tx: Transaction, now_us: int) -> int:
        """Remove a portion of what finished longer ago than the retention, with its attempts; how many deliveries."""
        before_us = now_us - RETENTION_US
        oldest = select(_rows.position).where(_rows.finished_at_us < before_us).order_by(_rows.finished_at_us)
        found = [row[0] for row in await tx.execute(oldest.limit(SWEPT_MAX))]
        if not found:
            return 0
        await tx.execute(delete(webhook_attempts).where(webhook_attempts.c.delivery_position.in_(found)))
        removed = (await tx.execute(delete(webhook_deliveries).where(_rows.position.in_(found)))).rowcount
        used = select(_rows.replay_id).where(_rows.replay_id.is_not(None))
        await tx.execute(
            delete(webhook_replays).where(webhook_replays.c.done_at_us < before_us, webhook_replays.c.id.not_in(used))
        )
        return removed

    async def _wake_next(self, tx: Transaction, claimed: Claimed, now_us: int) -> None:
        # A statement of its own: on PostgreSQL it must see what was queued while ours waited for the row.
        await tx.driver.run_later(_WAKE_NEXT, {"in_webhook": claimed.webhook_id, "in_lane": claimed.lane, "at": now_us})


def _row_of(new: NewDelivery) -> dict[str, Any]:
    return {
        "id": new.id,
        "webhook_id": new.webhook_id,
        "tenant_id": new.tenant_id,
        "kind": new.kind.value,
        "event": new.event,
        "event_id": new.event_id,
        "lane": new.lane,
        "body": new.body,
        "traceparent": new.traceparent,
        "replay_id": new.replay_id,
    }


def _claimed(row: Sequence[Any]) -> Claimed:
    position, id, webhook_id, tenant_id, kind, event, event_id, lane, body, traceparent, lease_token, attempts = row
    return Claimed(
        position=position,
        id=id,
        webhook_id=webhook_id,
        tenant_id=tenant_id,
        kind=DeliveryKind(kind),
        event=event,
        event_id=event_id,
        lane=lane,
        body=body,
        traceparent=traceparent,
        lease_token=lease_token,
        attempts=attempts,
    )
