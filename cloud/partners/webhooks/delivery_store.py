"""The rows of deliveries that no worker has leased: queued and discarded with their webhook.

A lane is one subscription and one event key (an incident, a device); its deliveries are sent in order. Only the head of
a lane, its oldest unfinished delivery, has a `due_at_us`.

A transaction that queues a delivery behind a head locks the head. A transaction that settles a head needs the same
lock: it writes the head's result, and then makes the next delivery due by a second statement. So on PostgreSQL each of
the two transactions sees the other's changes, and no delivery stays without a due time. Every transaction locks heads
in the order of subscription ids, and changes the deliveries behind a head only under the head's lock, so there are no
deadlocks. Leased rows are in lease_store.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select, update

from cloud.foundation.db import Prepared, Records, Transaction, insert
from cloud.partners.webhooks.model import DeliveryKind, DeliveryStatus, ErrorCode
from cloud.partners.webhooks.tables import webhook_deliveries

_rows = webhook_deliveries.c
_UNFINISHED = _rows.finished_at_us.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A delivery to queue. `event_id` becomes the `webhook-id` header; `body` is sent byte for byte."""

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


_RECORDS = Records(NewDelivery, webhook_deliveries)
_NEW = (*_RECORDS.names, "status", "created_at_us", "due_at_us", "finished_at_us", "error_code")
_QUEUE = Prepared(
    insert(webhook_deliveries).values(**{name: bindparam(name) for name in _NEW}, lease_token=0, attempts=0).inline(),
    order=_NEW,
)
# If the head is finished while PostgreSQL waits for its lock, the statement continues with the delivery that became the
# head.
_HEAD_OF_LANE = Prepared(
    select(_rows.position)
    .where(_rows.webhook_id == bindparam("webhook_id"), _rows.lane == bindparam("lane"), _UNFINISHED)
    .order_by(_rows.position)
    .limit(1)
    .with_for_update()
)


class DeliveryStore:
    """SQL statements on deliveries that no worker has leased."""

    async def queue(self, tx: Transaction, new: NewDelivery, now_us: int) -> None:
        """Queue a delivery at the end of its lane (webhook and event key). Two transactions must not queue for one lane
        at the same time, and the caller must queue in the order of sending."""
        behind = await self._is_behind(tx, new)
        await tx.driver.run_many(_QUEUE, [_queued_row(new, now_us, behind=behind)])

    async def queue_all(
        self, tx: Transaction, new: Sequence[tuple[NewDelivery, bool]], missed: Sequence[NewDelivery], now_us: int
    ) -> None:
        """Queue deliveries of different subscriptions, given in the order of subscription ids. The flag beside each
        delivery is True if its lane (webhook and event key) had an unfinished delivery when the caller read the lane.
        `missed`: deliveries of disabled endpoints, stored as discarded so that they can be replayed later."""
        rows = []
        for one, occupied in new:
            rows.append(_queued_row(one, now_us, behind=occupied and await self._is_behind(tx, one)))
        await tx.driver.run_many(_QUEUE, rows + [_missed_row(one, now_us) for one in missed])

    async def _is_behind(self, tx: Transaction, new: NewDelivery) -> bool:
        """Lock the oldest unfinished delivery in the lane (webhook and event key) of `new`; return False if the lane
        has none. The transaction that settles the locked delivery must wait for the lock, and so finds the new
        delivery."""
        return bool(await tx.driver.rows(_HEAD_OF_LANE, {"webhook_id": new.webhook_id, "lane": new.lane}))

    async def discard_pending(
        self, tx: Transaction, webhook_id: str, reason: ErrorCode, now_us: int, *, tests: bool
    ) -> int:
        """Discard the deliveries of a subscription that no worker has leased; return their number. `tests`: also
        discard test deliveries. A leased delivery is left to its worker, which reads the subscription again."""
        conditions = [
            _rows.webhook_id == webhook_id,
            _UNFINISHED,
            _rows.status != DeliveryStatus.DELIVERING.value,
        ]
        if not tests:
            conditions.append(_rows.kind != DeliveryKind.TEST.value)
        # Locks in the order of positions, as settling does.
        pending = select(_rows.position).where(*conditions).order_by(_rows.position).with_for_update()
        statement = (
            update(webhook_deliveries)
            .where(_rows.position.in_(pending))
            .values(
                status=DeliveryStatus.DISCARDED.value, due_at_us=None, finished_at_us=now_us, error_code=reason.value
            )
        )
        discarded = 0
        # Repeated until none is left: while it waits for the lock of a head, another transaction may queue behind it.
        while found := (await tx.execute(statement)).rowcount:
            discarded += found
        return discarded


def _queued_row(new: NewDelivery, now_us: int, *, behind: bool) -> tuple[Any, ...]:
    """Return the values of a queued delivery in the order of the columns `_NEW`. `behind`: an earlier delivery must be
    sent first, so the queued delivery has no due time yet."""
    due_at_us = None if behind else now_us
    return (*_RECORDS.row(new), DeliveryStatus.QUEUED.value, now_us, due_at_us, None, None)


def _missed_row(new: NewDelivery, now_us: int) -> tuple[Any, ...]:
    result = (DeliveryStatus.DISCARDED.value, now_us, None, now_us, ErrorCode.ENDPOINT_DISABLED.value)
    return (*_RECORDS.row(new), *result)
