"""The statements of the outbox: store an event with the change that it reports, claim the event, mark it as delivered.

A claim takes only the oldest pending event of each tenant and key, so events of one key are delivered in order, and
none overtakes an event that fails. Concurrent workers get different events (`SKIP LOCKED`; SQLite has one writer).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, update

from cloud.foundation.db import Prepared, Records, Transaction, insert
from cloud.foundation.events.errors import LeaseLost
from cloud.foundation.events.model import ClaimedEvent, DomainEvent, DomainSearch, NewEvent, Owner
from cloud.foundation.events.tables import outbox_events
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import Viewer, visible

# An event contains identifiers; a larger body contains data that belongs elsewhere.
PAYLOAD_OCTETS_MAX = 65536

_events = outbox_events.c
_earlier = outbox_events.alias("earlier")


def _pending(table: Any = outbox_events) -> ColumnElement[bool]:
    return and_(table.c.done_at_us.is_(None), table.c.parked_at_us.is_(None))


_EMITTED = ("id", "type", "tenant_id", "organization_id", "key", "payload", "traceparent", "at_us")
_EMIT = Prepared(
    insert(outbox_events)
    .values({name: bindparam(name) for name in _EMITTED})
    .values(available_at_us=bindparam("at_us"), lease_token=0, attempts=0)
    .inline()
)

_DUE = and_(
    _pending(),
    _events.available_at_us <= bindparam("now"),
    or_(_events.lease_until_us.is_(None), _events.lease_until_us <= bindparam("now")),
    # Compares with a value, because PostgreSQL turns NOT EXISTS into a join. If its statistics are of a quiet time and
    # it expects one pending event, the join reads all pending events for each pending event.
    _events.position
    == select(func.min(_earlier.c.position))
    .where(_earlier.c.tenant_id == _events.tenant_id, _earlier.c.key == _events.key, _pending(_earlier))
    .scalar_subquery(),
)
_CLAIMABLE = Prepared(
    select(_events.position)
    .where(_DUE)
    .order_by(_events.available_at_us, _events.position)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True, of=outbox_events)
)
_ANY_DUE = Prepared(select(_events.position).where(_DUE).limit(1))
_EVENTS = Records(
    DomainEvent, outbox_events, codecs={"payload": (lambda payload: orjson.dumps(payload).decode(), orjson.loads)}
)
_TAKE = Prepared(
    update(outbox_events)
    .where(_events.position == bindparam("which"))
    .values(lease_until_us=bindparam("lease_until"), lease_token=_events.lease_token + 1, attempts=_events.attempts + 1)
    .returning(*_EVENTS.columns, _events.lease_token, _events.attempts)
)
_DONE = Prepared(
    update(outbox_events)
    .where(_events.position == bindparam("which"), _events.lease_token == bindparam("token"), _pending())
    .values(done_at_us=bindparam("now"), lease_until_us=None)
)


class Outbox:
    """SQL statements on the outbox, the table of domain events that workers deliver."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    async def emit(
        self,
        tx: Transaction,
        event_type: str,
        owner: Owner,
        *,
        key: str,
        payload: Mapping[str, Any],
        at_us: int,
        traceparent: str | None = None,
    ) -> str:
        """Store an event of `owner` in the transaction of the change that it reports; return the event's id."""
        id = self._ids.new("evt")
        row = _row(id, NewEvent(event_type, owner, key, payload, at_us, traceparent))
        await tx.driver.run(_EMIT, dict(zip(_EMITTED, row, strict=True)))
        return id

    async def emit_all(self, tx: Transaction, events: Sequence[NewEvent]) -> Sequence[str]:
        """Store events as `emit` does, in this order, by the end of the transaction and with one statement however many
        they are. Return their ids."""
        ids = [self._ids.new("evt") for _ in events]
        if events:
            rows = [(*_row(id, one), one.at_us, 0, 0) for id, one in zip(ids, events, strict=True)]
            await tx.driver.append_later(outbox_events, (*_EMITTED, "available_at_us", "lease_token", "attempts"), rows)
        return ids

    async def any_due(self, tx: Transaction, *, now_us: int) -> bool:
        """Return whether an event is due for delivery and can be claimed. The query is cheap enough to poll, in a read
        transaction."""
        return bool(await tx.driver.rows(_ANY_DUE, {"now": now_us}))

    async def claim(self, tx: Transaction, *, now_us: int, lease_us: int, count: int) -> Sequence[ClaimedEvent]:
        """Claim up to `count` due events for `lease_us`: at most one event of each tenant and key, oldest first."""
        found = await tx.driver.rows(_CLAIMABLE, {"now": now_us, "count": count})
        lease_until_us = now_us + lease_us
        values = [{"which": position, "lease_until": lease_until_us} for (position,) in found]
        return [_claimed(row) for row in await tx.driver.rows_many(_TAKE, values)]

    async def done(self, tx: Transaction, claimed: ClaimedEvent, *, now_us: int) -> None:
        """Mark the event as delivered. Raises `LeaseLost` if another worker has claimed the event; the caller must then
        roll back."""
        values = {"which": claimed.event.position, "token": claimed.lease_token, "now": now_us}
        if await tx.driver.run(_DONE, values) != 1:
            raise LeaseLost

    async def retry(self, tx: Transaction, claimed: ClaimedEvent, *, at_us: int) -> None:
        """Release a claimed event whose delivery failed, for a new attempt at `at_us`. Raises `LeaseLost`."""
        await self._settle(tx, claimed, {"available_at_us": at_us, "lease_until_us": None})

    async def park(self, tx: Transaction, claimed: ClaimedEvent, *, now_us: int) -> None:
        """Stop retrying a claimed event, so that later events of its key are delivered. Raises `LeaseLost`."""
        await self._settle(tx, claimed, {"parked_at_us": now_us, "lease_until_us": None})

    async def _settle(self, tx: Transaction, claimed: ClaimedEvent, values: Mapping[str, Any]) -> None:
        statement = (
            update(outbox_events)
            .where(_events.position == claimed.event.position, _events.lease_token == claimed.lease_token, _pending())
            .values(**values)
        )
        if (await tx.execute(statement)).rowcount != 1:
            raise LeaseLost

    async def list(self, tx: Transaction, viewer: Viewer, wanted: DomainSearch) -> Sequence[DomainEvent]:
        """Return the newest of the wanted events that the viewer may read, sorted from oldest to newest."""
        newest = _EVENTS.select().where(*visible(outbox_events, viewer))
        if wanted.keys:
            newest = newest.where(_events.key.in_(wanted.keys))
        if wanted.types:
            newest = newest.where(or_(*(_is_of_type(name) for name in wanted.types)))
        if wanted.since_us is not None:
            newest = newest.where(_events.at_us >= wanted.since_us)
        if wanted.until_us is not None:
            newest = newest.where(_events.at_us < wanted.until_us)
        return (await _EVENTS.all(tx, newest.order_by(_events.position.desc()).limit(wanted.limit)))[::-1]

    async def backlog(self, tx: Transaction) -> tuple[int, int]:
        """Return the number of pending events and the number of parked events."""
        # Two counts instead of one with two filters, which would read every delivered event of a month.
        pending = select(func.count()).select_from(outbox_events).where(_pending())
        parked = select(func.count()).select_from(outbox_events).where(_events.parked_at_us.is_not(None))
        row = (await tx.execute(select(pending.scalar_subquery(), parked.scalar_subquery()))).first()
        assert row is not None
        return int(row[0]), int(row[1])


def _is_of_type(name: str) -> ColumnElement[bool]:
    return or_(_events.type == name, _events.type.startswith(f"{name}.", autoescape=True))


def _row(id: str, event: NewEvent) -> tuple[Any, ...]:
    """Return the values of `_EMITTED` of an event."""
    body = orjson.dumps(event.payload)
    assert len(body) <= PAYLOAD_OCTETS_MAX, "an event names things, it does not carry them"
    owner = event.owner
    return (
        id,
        event.event_type,
        owner.tenant_id,
        owner.organization_id,
        event.key,
        body.decode(),
        event.traceparent,
        event.at_us,
    )


def _claimed(row: Sequence[Any]) -> ClaimedEvent:
    *columns, token, attempts = row
    return ClaimedEvent(_EVENTS.read(columns), token, attempts)
