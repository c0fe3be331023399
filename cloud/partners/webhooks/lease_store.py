"""The rows that a worker holds: claimed under a lease, settled under a fence, or let go again.

The lease is `due_at_us`: while an attempt runs it is the end of it, so whatever a killed worker held is due then. The
fence is `lease_token`, which rises with every claim: who lost a row writes nothing to it. Heads of lanes are locked in
the order of subscriptions, as everywhere (delivery_store.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, bindparam, case, func, select, update

from cloud.foundation.db import GivenRows, Prepared, Transaction, given, insert
from cloud.partners.webhooks.model import Attempt, DeliveryKind, DeliveryStatus, ErrorCode
from cloud.partners.webhooks.tables import webhook_attempts, webhook_deliveries

_rows = webhook_deliveries.c


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
    # Asked for, not given: of a number PostgreSQL, which takes those that are due for few, looks at all and sorts them.
    .limit(select(bindparam("count", type_=Integer)).scalar_subquery())
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
        _rows.attempted_at_us,
    )
)
_settled = GivenRows(
    "settled",
    position=BigInteger(),
    lease_token=BigInteger(),
    status=Text(),
    due_at_us=BigInteger(),
    finished_at_us=BigInteger(),
    attempts=Integer(),
    attempted_at_us=BigInteger(),
    duration_ms=Integer(),
    response_status=Integer(),
    error_code=Text(),
    response_head=Text(),
    tried=Integer(),
)
_ours = (_rows.position == _settled.c("position"), _rows.lease_token == _settled.c("lease_token"))
_COURSE = ("attempted_at_us", "duration_ms", "response_status", "error_code")
_NEWS = ("status", "due_at_us", "finished_at_us", "attempts", *_COURSE)
# Locked in this order first: an UPDATE alone takes its rows in whatever order its plan has.
_held = (
    select(_rows.position, *(_settled.c(name).label(f"new_{name}") for name in (*_NEWS, "response_head", "tried")))
    .where(
        _settled.among(_rows.position, _settled.c("position")),
        *_ours,
        _rows.status == DeliveryStatus.DELIVERING.value,
    )
    .order_by(_rows.webhook_id, _rows.position)
    .with_for_update(of=webhook_deliveries)
    .cte("held")
)
_settle = (
    update(webhook_deliveries)
    .where(_rows.position == _held.c.position)
    .values({name: _held.c[f"new_{name}"] for name in _NEWS})
)
_SETTLE = Prepared(_settle.returning(_rows.position))
_recorded = ("delivery_position", "number", *_COURSE, "response_head")
_attempted = (*(_settled.c(name) for name in _COURSE), _settled.c("response_head"))
_written = GivenRows("written", position=BigInteger())
# Of those that were settled just before, and of no others: they may be somebody else's by now.
_RECORD = Prepared(
    insert(webhook_attempts).from_select(
        _recorded,
        select(_settled.c("position"), _settled.c("attempts"), *_attempted).where(
            _settled.c("tried") == 1, _written.among(_settled.c("position"), _written.c("position"))
        ),
    )
)
# The same in one way, for PostgreSQL, which can, and to which it is a way.
_changed = _settle.returning(
    _rows.position, _rows.attempts, *(_rows[name] for name in _COURSE), _held.c.new_response_head, _held.c.new_tried
).cte("changed")
_SETTLE_AND_RECORD = Prepared(
    insert(webhook_attempts).from_select(
        _recorded, select(*_changed.c[: len(_recorded)]).where(_changed.c.new_tried == 1)
    )
)
_untried = GivenRows("untried", position=BigInteger(), lease_token=BigInteger())
_still_ours = (
    select(_rows.position)
    .where(
        _untried.among(_rows.position, _untried.c("position")),
        _rows.position == _untried.c("position"),
        _rows.lease_token == _untried.c("lease_token"),
        _rows.status == DeliveryStatus.DELIVERING.value,
    )
    .order_by(_rows.webhook_id, _rows.position)
    .with_for_update(of=webhook_deliveries)
    .cte("still_ours")
)
_RELEASE = Prepared(
    update(webhook_deliveries)
    .where(_rows.position.in_(select(_still_ours.c.position)))
    .values(
        status=case((_rows.attempts == 0, DeliveryStatus.QUEUED.value), else_=DeliveryStatus.FAILED.value),
        due_at_us=bindparam("at"),
    )
)
_finished = GivenRows("finished", webhook_id=Text(), lane=Text())
_same_lane = webhook_deliveries.alias("same_lane")
_heads = (
    select(func.min(_same_lane.c.position))
    .where(
        _same_lane.c.webhook_id == _finished.c("webhook_id"),
        _same_lane.c.lane == _finished.c("lane"),
        _same_lane.c.finished_at_us.is_(None),
    )
    .correlate(_finished.source)
    .scalar_subquery()
)
_WAKE_NEXT = Prepared(
    update(webhook_deliveries)
    .where(_finished.among(_rows.position, _heads), _rows.due_at_us.is_(None))
    .values(due_at_us=bindparam("at"))
)


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
    attempted_at_us: int | None
    """When the last recorded attempt was."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of a delivery. `next_at_us` None: it is finished. No attempt: it was discarded unsent, and why."""

    claimed: Claimed
    status: DeliveryStatus
    next_at_us: int | None = None
    attempt: Attempt | None = None
    discarded: ErrorCode | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A subscription with deliveries that are due, under way or planned."""

    webhook_id: str
    tenant_id: str
    due_at_us: int


class LeaseStore:
    """Every statement of a worker about its deliveries."""

    async def claim(
        self, tx: Transaction, counts: Mapping[str, int], *, now_us: int, lease_us: int
    ) -> Sequence[Claimed]:
        """Take due deliveries, of each subscription up to its count and at most one of each lane."""
        values = [
            {"webhook_id": webhook_id, "now": now_us, "lease_until": now_us + lease_us, "count": count}
            for webhook_id, count in counts.items()
        ]
        return [_claimed(row) for row in await tx.driver.rows_many(_CLAIM, values)]

    async def release(self, tx: Transaction, claims: Sequence[Claimed], now_us: int) -> None:
        """Of these, what is still this worker's is due again, as if it had not been claimed."""
        untried = given([(claimed.position, claimed.lease_token) for claimed in claims])
        await tx.driver.run(_RELEASE, {"untried": untried, "at": now_us})

    async def settle(self, tx: Transaction, settled: Sequence[Settled], now_us: int) -> None:
        """Write what becomes of deliveries and add their attempts; what is finished wakes the next of its lane.

        A delivery whose lease was lost stays as it is, and so does its lane, whose head has a time to be due at.
        """
        if not settled:
            return
        values = {"settled": given([_settled_row(one, now_us) for one in settled])}
        if tx.dialect == "postgresql":
            await tx.driver.run(_SETTLE_AND_RECORD, values)
        elif written := await tx.driver.rows(_SETTLE, values):
            await tx.driver.run(_RECORD, values | {"written": given([tuple(row) for row in written])})
        finished = [(one.claimed.webhook_id, one.claimed.lane) for one in settled if one.next_at_us is None]
        if finished:
            # A statement of its own: on PostgreSQL it must see what was queued while ours waited for the row.
            await tx.driver.run(_WAKE_NEXT, {"finished": given(finished), "at": now_us})


def _claimed(row: Sequence[Any]) -> Claimed:
    position, id, webhook_id, tenant_id, kind, event, event_id, lane, body, traceparent, *rest = row
    lease_token, attempts, attempted_at_us = rest
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
        attempted_at_us=attempted_at_us,
    )


def _settled_row(settled: Settled, now_us: int) -> tuple[Any, ...]:
    """In the order of the given columns."""
    claimed, attempt = settled.claimed, settled.attempt
    finished_us = None if settled.next_at_us is not None else now_us
    news = (claimed.position, claimed.lease_token, settled.status.value, settled.next_at_us, finished_us)
    if attempt is None:
        why = None if settled.discarded is None else settled.discarded.value
        return (*news, claimed.attempts, claimed.attempted_at_us, None, None, why, None, 0)
    return (
        *news,
        attempt.number,
        attempt.attempted_at_us,
        attempt.duration_ms,
        attempt.response_status,
        None if attempt.error_code is None else attempt.error_code.value,
        attempt.response_head,
        1,
    )
