"""The columns of subscriptions that delivery reads and writes: the receivers of an event, their addresses and health.
subscription_store.py has the columns for the owner.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Text, bindparam, case, func, or_, select, update

from cloud.access.apps import Governance, apps, effective
from cloud.foundation.db import Database, Prepared, Records, Transaction
from cloud.foundation.viewer import SecrecyLevel
from cloud.partners.webhooks.model import DisabledReason
from cloud.partners.webhooks.schedule import QUIET_US_MAX
from cloud.partners.webhooks.tables import webhook_deliveries, webhook_events, webhook_subscriptions

_subs = webhook_subscriptions.c

# An event without an organisation goes only to subscriptions of the whole tenant; otherwise an organisation's app would
# get an event that it may not read.
_MAY_RECEIVE = (
    _subs.tenant_id == bindparam("tenant_id"),
    _subs.deleted_at_us.is_(None),
    or_(_subs.organization_id.is_(None), _subs.organization_id == bindparam("organization_id")),
    _subs.secrecy_level >= bindparam("secrecy_level"),
    apps.c.client_id == _subs.client_id,
    apps.c.deleted_at_us.is_(None),
    apps.c.secrecy_level >= bindparam("secrecy_level"),
)
# The oldest unfinished delivery of the listener's lane, NULL if there is none: a new one is queued behind it.
_HEAD = (
    select(func.min(webhook_deliveries.c.position))
    .where(
        webhook_deliveries.c.webhook_id == _subs.id,
        webhook_deliveries.c.lane == bindparam("lane"),
        webhook_deliveries.c.finished_at_us.is_(None),
    )
    .scalar_subquery()
)
_LISTENERS = Prepared(
    select(_subs.id, _subs.disabled_at_us, _HEAD, apps.c.approved_scopes, apps.c.governance)
    .where(*_MAY_RECEIVE, webhook_events.c.webhook_id == _subs.id, webhook_events.c.event == bindparam("event"))
    .order_by(_subs.id)
)
_NEIGHBOURS = Prepared(
    select(_subs.id, _subs.disabled_at_us, _HEAD)
    .where(*_MAY_RECEIVE, _subs.disabled_at_us.is_(None), _subs.is_callback == 0, _subs.id != bindparam("id"))
    .order_by(_subs.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of a subscription, its sealed secrets and its health."""

    id: str
    tenant_id: str
    organization_id: str | None
    client_id: str
    url: str = field(repr=False)
    secret_sealed: bytes | None = field(repr=False)
    previous_secret_sealed: bytes | None = field(repr=False)
    previous_secret_expires_at_us: int | None
    disabled_at_us: int | None
    deleted_at_us: int | None
    failing_since_us: int | None
    is_callback: bool
    """True for the receiver of an app's call-backs, which has no secret of its own."""


_RECORDS = Records(Endpoint, webhook_subscriptions, codecs={"is_callback": (int, bool)})
ENDPOINTS_BATCH = 16
"""Endpoints that one query reads."""
_ENDPOINTS = Prepared(
    _RECORDS.select().where(_subs.id.in_([bindparam(f"id_{number}", type_=Text) for number in range(ENDPOINTS_BATCH)]))
)
_RECORD_SUCCESS = Prepared(
    update(webhook_subscriptions)
    .where(_subs.id == bindparam("which"), _subs.failing_since_us.is_not(None))
    .values(failing_since_us=None, failed_at_us=None)
)
_RECORD_FAILURE = Prepared(
    update(webhook_subscriptions)
    .where(_subs.id == bindparam("which"), _subs.disabled_at_us.is_(None), _subs.deleted_at_us.is_(None))
    .values(
        failing_since_us=case(
            (_subs.failing_since_us.is_(None), bindparam("at")),
            (_subs.failed_at_us < bindparam("quiet_since"), bindparam("at")),
            else_=_subs.failing_since_us,
        ),
        failed_at_us=bindparam("at"),
    )
    .returning(_subs.failing_since_us)
)


@dataclass(frozen=True, slots=True)
class Listener:
    """A subscription that receives an event. If the subscription is disabled, the delivery is stored as discarded.
    `occupied`: when the listeners were read, an unfinished delivery was in the event's lane (webhook and event key)."""

    id: str
    disabled: bool
    occupied: bool


class EndpointStore:
    """SQL statements on the endpoints of subscriptions."""

    async def listeners(
        self,
        tx: Transaction,
        event: str,
        *,
        lane: str,
        tenant: str,
        organization: str | None,
        secrecy: SecrecyLevel,
        scope: str | None = None,
    ) -> Sequence[Listener]:
        """Return the subscriptions that may receive this event, in the order of their ids. `scope`: only subscriptions
        whose app may use this scope now, so that an app that loses the scope receives nothing more."""
        values = {
            "event": event,
            "lane": lane,
            "tenant_id": tenant,
            "organization_id": organization,
            "secrecy_level": int(secrecy),
        }
        return [
            _listener(row)
            for *row, approved, governance in await tx.driver.rows(_LISTENERS, values)
            if scope is None or scope in _usable(approved, governance)
        ]

    async def neighbours(
        self, tx: Transaction, id: str, *, lane: str, tenant: str, organization: str | None
    ) -> Sequence[Listener]:
        """Return the tenant's other enabled subscriptions, to notify them that the subscription `id` was disabled."""
        values = {"id": id, "lane": lane, "tenant_id": tenant, "organization_id": organization, "secrecy_level": 0}
        return [_listener(row) for row in await tx.driver.rows(_NEIGHBOURS, values)]

    async def endpoints(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Endpoint]:
        return {row[0]: _RECORDS.read(row) for some in _batches(ids) for row in await tx.driver.rows(_ENDPOINTS, some)}

    async def endpoints_now(self, database: Database, ids: Sequence[str]) -> dict[str, Endpoint]:
        """Return a dict that maps each of these subscription ids to its endpoint, read outside of a transaction."""
        return {row[0]: _RECORDS.read(row) for some in _batches(ids) for row in await database.peek(_ENDPOINTS, some)}

    async def record_success(self, tx: Transaction, id: str) -> None:
        """Clear the failures recorded for an endpoint, since a delivery succeeded."""
        await tx.driver.run_later(_RECORD_SUCCESS, {"which": id})

    async def record_failure(self, tx: Transaction, id: str, at_us: int) -> int | None:
        """Record a failed delivery to an endpoint. Return the time since which every delivery to the endpoint has
        failed, or None if the endpoint is already disabled or deleted."""
        rows = await tx.driver.rows(_RECORD_FAILURE, {"which": id, "at": at_us, "quiet_since": at_us - QUIET_US_MAX})
        return int(rows[0][0]) if rows else None

    async def disable(self, tx: Transaction, id: str, reason: DisabledReason, at_us: int) -> bool:
        """Disable an endpoint. Return False if the endpoint was already disabled or deleted."""
        statement = (
            update(webhook_subscriptions)
            .where(_subs.id == id, _subs.disabled_at_us.is_(None), _subs.deleted_at_us.is_(None))
            .values(disabled_at_us=at_us, disabled_reason=reason.value)
        )
        return (await tx.execute(statement)).rowcount == 1


@lru_cache(maxsize=1024)
def _usable(approved: str, governance: str) -> frozenset[str]:
    """Return the scopes that an app may use. The result is cached, because every event needs it and
    there are few apps."""
    allowed = Governance.of(orjson.loads(governance)).allowed_scopes
    return effective(name for name in approved.split() if allowed is None or name in allowed)


def _batches(ids: Sequence[str]) -> Iterator[dict[str, str]]:
    for begin in range(0, len(ids), ENDPOINTS_BATCH):
        some = [*ids[begin : begin + ENDPOINTS_BATCH]]
        some += [""] * (ENDPOINTS_BATCH - len(some))
        yield {f"id_{number}": id for number, id in enumerate(some)}


def _listener(row: Sequence[Any]) -> Listener:
    id, disabled_at_us, head = row
    return Listener(id, disabled_at_us is not None, head is not None)
