"""Read deliveries and attempts for the owner of a webhook; delivery_store.py and lease_store.py write the rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select

from cloud.foundation.db import Records, Transaction
from cloud.partners.webhooks.model import Attempt, Delivery, DeliveryKind, DeliveryStatus
from cloud.partners.webhooks.tables import webhook_attempts, webhook_deliveries

_rows = webhook_deliveries.c
_DELIVERIES = Records(Delivery, webhook_deliveries)
_ATTEMPTS = Records(Attempt, webhook_attempts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The conditions of a query of the delivery log. A condition of None accepts any value."""

    status: DeliveryStatus | None = None
    kind: DeliveryKind | None = None
    event: str | None = None
    event_id: str | None = None

    def document(self) -> dict[str, str | None]:
        """Return the conditions as JSON. A page cursor is valid only for the same conditions."""
        return {
            "status": None if self.status is None else self.status.value,
            "kind": None if self.kind is None else self.kind.value,
            "event": self.event,
            "event_id": self.event_id,
        }


@dataclass(frozen=True, slots=True)
class Logged:
    """A delivery with its attempts, oldest first. `position` is its place in the log, for paging."""

    position: int
    delivery: Delivery
    attempts: Sequence[Attempt]


class LogStore:
    """SQL statements on the delivery log. The caller has checked that the viewer may see the webhook."""

    async def page(
        self, tx: Transaction, webhook_id: str, wanted: Filter, *, before: int | None, count: int
    ) -> Sequence[Logged]:
        """Return at most `count` deliveries that match `wanted`, newest first. `before`: only deliveries before this
        position in the log; None: begin with the newest."""
        statement = select(_rows.position, _rows.due_at_us, *_DELIVERIES.columns).where(_rows.webhook_id == webhook_id)
        for name, value in wanted.document().items():
            if value is not None:
                statement = statement.where(_rows[name] == value)
        if before is not None:
            statement = statement.where(_rows.position < before)
        rows = (await tx.execute(statement.order_by(_rows.position.desc()).limit(count))).rows
        attempts = await self._attempts(tx, [row.position for row in rows])
        return [
            Logged(position, _delivery(shown, due_at_us), attempts.get(position, []))
            for position, due_at_us, *shown in rows
        ]

    async def pending_tests(self, tx: Transaction, webhook_id: str) -> int:
        statement = select(func.count()).where(
            _rows.webhook_id == webhook_id,
            _rows.kind == DeliveryKind.TEST.value,
            _rows.finished_at_us.is_(None),
        )
        return int((await tx.execute(statement)).scalar())

    async def _attempts(self, tx: Transaction, positions: Sequence[int]) -> dict[int, list[Attempt]]:
        found: dict[int, list[Attempt]] = {}
        if positions:
            columns = webhook_attempts.c
            statement = select(columns.delivery_position, *_ATTEMPTS.columns).where(
                columns.delivery_position.in_(positions)
            )
            for position, *row in await tx.execute(statement.order_by(columns.delivery_position, columns.number)):
                found.setdefault(position, []).append(_ATTEMPTS.read(row))
        return found


def _delivery(row: Sequence[Any], due_at_us: int | None) -> Delivery:
    # While an attempt runs, `due_at_us` is the end of the worker's lease, which is not public.
    delivery = _DELIVERIES.read(row, next_attempt_at_us=None)
    planned = delivery.status in (DeliveryStatus.QUEUED, DeliveryStatus.FAILED)
    return replace(delivery, next_attempt_at_us=due_at_us) if planned else delivery
