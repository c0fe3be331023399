"""The rows of deliveries that a worker has leased: claimed, settled or released.

While an attempt runs, `due_at_us` is the end of its lease, so the rows of a killed worker become due then. The fencing
token `lease_token` rises with every claim: a worker whose lease has ended writes nothing to the row. All transactions
lock rows in the order of subscription ids, which prevents deadlocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, bindparam, case, func, literal_column, select, update

from cloud.foundation.db import GivenRows, Prepared, Records, Transaction, given, insert
from cloud.partners.webhooks.delivery import LeasedDelivery
from cloud.partners.webhooks.model import DeliveryStatus
from cloud.partners.webhooks.tables import webhook_attempts, webhook_deliveries

_rows = webhook_deliveries.c
_LEASED = Records(LeasedDelivery, webhook_deliveries)


def _due_webhooks() -> Prepared:
    """Return the query that finds the subscriptions with deliveries that have a due time, and the earliest due time of
    each: at most `most` subscriptions after the id `after`, in the order of their ids. The query steps from one
    subscription to the next through the index, so a long queue costs no more than a short one."""
    due = _rows.due_at_us.is_not(None)
    first = select(func.min(_rows.webhook_id).label("id"), literal_column("1", Integer).label("number"))
    first_after = first.where(due, _rows.webhook_id > bindparam("after")).cte("due_webhooks", recursive=True)
    id, number = first_after.c.id, first_after.c.number
    following = select(func.min(_rows.webhook_id)).where(due, _rows.webhook_id > id).scalar_subquery()
    more = select(following, number + 1).where(id.is_not(None), number < bindparam("most", type_=Integer))
    ids = first_after.union_all(more)
    earliest = select(func.min(_rows.due_at_us)).where(due, _rows.webhook_id == ids.c.id).scalar_subquery()
    tenant = select(_rows.tenant_id).where(due, _rows.webhook_id == ids.c.id).limit(1).scalar_subquery()
    return Prepared(select(ids.c.id, tenant, earliest).where(ids.c.id.is_not(None)).order_by(ids.c.number))


DUE_WEBHOOKS = _due_webhooks()

_claimable = (
    select(_rows.position)
    .where(
        _rows.webhook_id == bindparam("webhook_id"),
        _rows.due_at_us.is_not(None),
        _rows.due_at_us <= bindparam("now"),
    )
    .order_by(_rows.due_at_us)
    # A subquery instead of a parameter: given a number, PostgreSQL estimates few due rows, reads them all and sorts
    # them.
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
    .returning(*_LEASED.columns)
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
_ATTEMPT = ("attempted_at_us", "duration_ms", "response_status", "error_code")
_RESULT = ("status", "due_at_us", "finished_at_us", "attempts", *_ATTEMPT)
# Locks the rows in this order before the UPDATE, which alone would lock them in the order of its plan.
_held = (
    select(_rows.position, *(_settled.c(name).label(f"new_{name}") for name in (*_RESULT, "response_head", "tried")))
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
    .values({name: _held.c[f"new_{name}"] for name in _RESULT})
)
_SETTLE = Prepared(_settle.returning(_rows.position))
_recorded = ("delivery_position", "number", *_ATTEMPT, "response_head")
_attempted = (*(_settled.c(name) for name in _ATTEMPT), _settled.c("response_head"))
_written = GivenRows("written", position=BigInteger())
# Only for deliveries that the previous statement settled: the others may belong to another worker by now.
_RECORD = Prepared(
    insert(webhook_attempts).from_select(
        _recorded,
        select(_settled.c("position"), _settled.c("attempts"), *_attempted).where(
            _settled.c("tried") == 1, _written.among(_settled.c("position"), _written.c("position"))
        ),
    )
)
# PostgreSQL runs both in one statement, since there each statement is a round trip.
_changed = _settle.returning(
    _rows.position, _rows.attempts, *(_rows[name] for name in _ATTEMPT), _held.c.new_response_head, _held.c.new_tried
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


@dataclass(frozen=True, slots=True)
class DueWebhook:
    """A subscription with unfinished deliveries. `due_at_us`: the earliest time at which one of the deliveries is due
    or the lease of one ends."""

    webhook_id: str
    tenant_id: str
    due_at_us: int


class LeaseStore:
    """SQL statements of a worker on the deliveries that it claims."""

    async def claim(
        self, tx: Transaction, counts: Mapping[str, int], *, now_us: int, lease_us: int
    ) -> Sequence[LeasedDelivery]:
        """Lease due deliveries: at most `counts[id]` for each subscription, and at most one for each of the
        subscription's event keys."""
        values = [
            {"webhook_id": webhook_id, "now": now_us, "lease_until": now_us + lease_us, "count": count}
            for webhook_id, count in counts.items()
        ]
        return [_LEASED.read(row) for row in await tx.driver.rows_many(_CLAIM, values)]

    async def release(self, tx: Transaction, deliveries: Sequence[LeasedDelivery], now_us: int) -> None:
        """End the leases of unsent deliveries and make them due now, except those whose lease this worker has lost."""
        untried = given([(delivery.position, delivery.lease_token) for delivery in deliveries])
        await tx.driver.run(_RELEASE, {"untried": untried, "at": now_us})

    async def settle(self, tx: Transaction, deliveries: Sequence[LeasedDelivery], now_us: int) -> None:
        """Write the results and attempts of deliveries. When a delivery is finished, make the next delivery of its lane
        (webhook and event key) due. If this worker has lost the lease of a delivery, the delivery and its lane stay
        unchanged: the lane's oldest unfinished delivery already has a due time."""
        if not deliveries:
            return
        values = {"settled": given([_result_of(delivery, now_us) for delivery in deliveries])}
        if tx.dialect == "postgresql":
            await tx.driver.run(_SETTLE_AND_RECORD, values)
        elif written := await tx.driver.rows(_SETTLE, values):
            await tx.driver.run(_RECORD, values | {"written": given([tuple(row) for row in written])})
        finished = [(one.webhook_id, one.lane) for one in deliveries if one.next_at_us is None]
        if finished:
            # A separate statement: on PostgreSQL it must see deliveries that were queued while the previous one waited
            # for the row.
            await tx.driver.run(_WAKE_NEXT, {"finished": given(finished), "at": now_us})


def _result_of(delivery: LeasedDelivery, now_us: int) -> tuple[Any, ...]:
    """Return the values that settling writes for a delivery, in the order of the columns of `_settled`."""
    attempt, finished_us = delivery.attempt, None if delivery.next_at_us is not None else now_us
    result = (delivery.position, delivery.lease_token, delivery.status.value, delivery.next_at_us, finished_us)
    if attempt is None:
        reason = None if delivery.discard_reason is None else delivery.discard_reason.value
        return (*result, delivery.attempts, delivery.attempted_at_us, None, None, reason, None, 0)
    return (
        *result,
        attempt.number,
        attempt.attempted_at_us,
        attempt.duration_ms,
        attempt.response_status,
        None if attempt.error_code is None else attempt.error_code.value,
        attempt.response_head,
        1,
    )
