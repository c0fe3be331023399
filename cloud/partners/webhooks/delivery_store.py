"""The rows of deliveries: queued with the event, discarded with their webhook, removed when old. In between a worker
has them (lease_store.py).

A lane is one subscription and key. Its oldest unfinished delivery, the head, alone has a `due_at_us`. Who queues behind
it locks the head, and who settles the head wakes the next one by a statement of its own afterwards, so on PostgreSQL
either sees what the other did and none is forgotten. Heads are locked in the order of subscriptions, everywhere, and
what stands behind a head only under its lock: so a batch of many subscriptions is settled in one go, and nobody waits
in a circle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from cloud.foundation.db import CHUNK_ROWS, Prepared, Transaction, delete_chunk, insert
from cloud.partners.webhooks.model import DeliveryKind, DeliveryStatus, ErrorCode
from cloud.partners.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_replays

DAY_US = 86_400_000_000
RETENTION_US = 30 * DAY_US
"""How long a finished delivery can be looked at and repeated (A-060)."""

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
    insert(webhook_deliveries).values(**{name: bindparam(name) for name in _NEW}, lease_token=0, attempts=0).inline(),
    order=_NEW,
)
# PostgreSQL passes over one that was finished while we waited for it, to the one that became the head.
_HEAD_OF_LANE = Prepared(
    select(_rows.position)
    .where(_rows.webhook_id == bindparam("webhook_id"), _rows.lane == bindparam("lane"), _UNFINISHED)
    .order_by(_rows.position)
    .limit(1)
    .with_for_update()
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


class DeliveryStore:
    """Every statement of a delivery that no worker holds."""

    async def queue(self, tx: Transaction, new: NewDelivery, now_us: int) -> None:
        """Send this when its turn comes. For one (webhook, lane) one transaction at a time, in the wanted order."""
        behind = await self._is_behind(tx, new)
        await tx.driver.run_many(_QUEUE, [_queued(new, now_us, behind=behind)])

    async def queue_all(
        self, tx: Transaction, new: Sequence[tuple[NewDelivery, bool]], noted: Sequence[NewDelivery], now_us: int
    ) -> None:
        """As `queue` for several, each of another subscription, in the order of those: with whether anything of its
        lane was unfinished a moment ago. And `noted`: what disabled endpoints miss, not sent but there to be repeated
        once they work again.
        """
        rows = []
        for one, occupied in new:
            rows.append(_queued(one, now_us, behind=occupied and await self._is_behind(tx, one)))
        await tx.driver.run_many(_QUEUE, rows + [_noted(one, now_us) for one in noted])

    async def _is_behind(self, tx: Transaction, new: NewDelivery) -> bool:
        """Whether its lane has a head; whoever finishes that one waits for us and then finds ours."""
        return bool(await tx.driver.rows(_HEAD_OF_LANE, {"webhook_id": new.webhook_id, "lane": new.lane}))

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
        # In the order in which settling takes the rows of one webhook.
        waiting = select(_rows.position).where(*conditions).order_by(_rows.position).with_for_update()
        statement = (
            update(webhook_deliveries)
            .where(_rows.position.in_(waiting))
            .values(status=DeliveryStatus.DISCARDED.value, due_at_us=None, finished_at_us=now_us, error_code=why.value)
        )
        discarded = 0
        # Until there are none: while we waited for a head, somebody may have queued behind it.
        while found := (await tx.execute(statement)).rowcount:
            discarded += found
        return discarded

    async def sweep(self, tx: Transaction, now_us: int) -> int:
        """Delete a chunk of the deliveries that ended before the retention, with their attempts; the number of them."""
        before_us = now_us - RETENTION_US
        oldest = select(_rows.position).where(_rows.finished_at_us < before_us).order_by(_rows.finished_at_us)
        found = [row[0] for row in await tx.execute(oldest.limit(CHUNK_ROWS))]
        if not found:
            return 0
        await tx.execute(delete(webhook_attempts).where(webhook_attempts.c.delivery_position.in_(found)))
        return (await tx.execute(delete(webhook_deliveries).where(_rows.position.in_(found)))).rowcount

    async def sweep_replays(self, tx: Transaction, now_us: int) -> int:
        """Delete a chunk of the replays that ended longer ago than the retention and have no delivery left."""
        done_us = webhook_replays.c.done_at_us
        unused = ~select(_rows.position).where(_rows.replay_id == webhook_replays.c.id).exists()
        return await delete_chunk(tx, webhook_replays, done_us < now_us - RETENTION_US, unused, oldest=done_us)


def _queued(new: NewDelivery, now_us: int, *, behind: bool) -> tuple[Any, ...]:
    """In the order of `_NEW`."""
    return (*_told(new), DeliveryStatus.QUEUED.value, now_us, None if behind else now_us, None, None)


def _noted(new: NewDelivery, now_us: int) -> tuple[Any, ...]:
    return (*_told(new), DeliveryStatus.DISCARDED.value, now_us, None, now_us, ErrorCode.ENDPOINT_DISABLED.value)


def _told(new: NewDelivery) -> tuple[Any, ...]:
    return (
        new.id,
        new.webhook_id,
        new.tenant_id,
        new.kind.value,
        new.event,
        new.event_id,
        new.lane,
        new.body,
        new.traceparent,
        new.replay_id,
    )
