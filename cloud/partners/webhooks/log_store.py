"""Deliveries and their attempts as their owner reads them; `delivery_store.py` and `lease_store.py` write the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from cloud.foundation.db import Transaction
from cloud.partners.webhooks.model import Attempt, Delivery, DeliveryKind, DeliveryStatus, ErrorCode
from cloud.partners.webhooks.tables import webhook_attempts, webhook_deliveries

_rows = webhook_deliveries.c
_SHOWN = (
    _rows.position,
    _rows.id,
    _rows.webhook_id,
    _rows.kind,
    _rows.event,
    _rows.event_id,
    _rows.replay_id,
    _rows.status,
    _rows.created_at_us,
    _rows.attempts,
    _rows.due_at_us,
    _rows.attempted_at_us,
    _rows.duration_ms,
    _rows.response_status,
    _rows.error_code,
    _rows.traceparent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The conditions of a log query; None matches any delivery."""

    status: DeliveryStatus | None = None
    kind: DeliveryKind | None = None
    event: str | None = None
    event_id: str | None = None

    def document(self) -> dict[str, str | None]:
        """Return the conditions in the form that a cursor is bound to."""
        return {
            "status": None if self.status is None else self.status.value,
            "kind": None if self.kind is None else self.kind.value,
            "event": self.event,
            "event_id": self.event_id,
        }


@dataclass(frozen=True, slots=True)
class Logged:
    """A delivery with its attempts, the oldest first. `position` orders the log."""

    position: int
    delivery: Delivery
    attempts: Sequence[Attempt]


class LogStore:
    """The statements about the log. The caller has checked that the viewer may see the webhook."""

    async def page(
        self, tx: Transaction, webhook_id: str, wanted: Filter, *, before: int | None, count: int
    ) -> Sequence[Logged]:
        """Return deliveries before a position, newest first."""
        statement = select(*_SHOWN).where(_rows.webhook_id == webhook_id)
        for name, value in wanted.document().items():
            if value is not None:
                statement = statement.where(_rows[name] == value)
        if before is not None:
            statement = statement.where(_rows.position < before)
        rows = (await tx.execute(statement.order_by(_rows.position.desc()).limit(count))).rows
        attempts = await self._attempts(tx, [row.position for row in rows])
        return [Logged(row.position, _delivery(row), attempts.get(row.position, [])) for row in rows]

    async def pending_tests(self, tx: Transaction, webhook_id: str) -> int:
        """Return the number of unfinished tests."""
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
            statement = select(webhook_attempts).where(columns.delivery_position.in_(positions))
            for row in await tx.execute(statement.order_by(columns.delivery_position, columns.number)):
                found.setdefault(row.delivery_position, []).append(_attempt(row))
        return found


def _delivery(row: Any) -> Delivery:
    status = DeliveryStatus(row.status)
    # While it is delivered, the time is the end of the worker's lease, which is not public.
    planned = status in (DeliveryStatus.QUEUED, DeliveryStatus.FAILED)
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        kind=DeliveryKind(row.kind),
        event=row.event,
        event_id=row.event_id,
        replay_id=row.replay_id,
        status=status,
        created_at_us=row.created_at_us,
        attempts=row.attempts,
        next_attempt_at_us=row.due_at_us if planned else None,
        attempted_at_us=row.attempted_at_us,
        duration_ms=row.duration_ms,
        response_status=row.response_status,
        error_code=_error_code(row.error_code),
        traceparent=row.traceparent,
    )


def _attempt(row: Any) -> Attempt:
    return Attempt(
        number=row.number,
        attempted_at_us=row.attempted_at_us,
        duration_ms=row.duration_ms,
        response_status=row.response_status,
        error_code=_error_code(row.error_code),
        response_head=row.response_head,
    )


def _error_code(text: str | None) -> ErrorCode | None:
    return None if text is None else ErrorCode(text)
