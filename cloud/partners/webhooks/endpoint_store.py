"""What the sending of deliveries reads and writes of subscriptions: who hears of an event, where it goes, how it fares.

Subscriptions as their owners see them are another store's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Text, bindparam, case, func, or_, select, update

from cloud.access.apps import Governance, apps, effective
from cloud.foundation.db import Database, Prepared, Transaction
from cloud.foundation.viewer import SecrecyLevel
from cloud.partners.webhooks.model import DisabledReason
from cloud.partners.webhooks.schedule import QUIET_US_MAX
from cloud.partners.webhooks.tables import webhook_deliveries, webhook_events, webhook_subscriptions

_subs = webhook_subscriptions.c

# Of an event without an organisation only those hear who hear of the whole tenant, or an organisation's app would learn
# what it may not read.
_MAY_HEAR = (
    _subs.tenant_id == bindparam("tenant_id"),
    _subs.deleted_at_us.is_(None),
    or_(_subs.organization_id.is_(None), _subs.organization_id == bindparam("organization_id")),
    _subs.secrecy_level >= bindparam("secrecy_level"),
    apps.c.client_id == _subs.client_id,
    apps.c.deleted_at_us.is_(None),
    apps.c.secrecy_level >= bindparam("secrecy_level"),
)
# Whether each listener's lane has an unfinished delivery: what is queued now stands behind it.
_OCCUPIED = (
    select(func.min(webhook_deliveries.c.position))
    .where(
        webhook_deliveries.c.webhook_id == _subs.id,
        webhook_deliveries.c.lane == bindparam("lane"),
        webhook_deliveries.c.finished_at_us.is_(None),
    )
    .scalar_subquery()
)
_LISTENERS = Prepared(
    select(_subs.id, _subs.disabled_at_us, _OCCUPIED, apps.c.approved_scopes, apps.c.governance)
    .where(*_MAY_HEAR, webhook_events.c.webhook_id == _subs.id, webhook_events.c.event == bindparam("event"))
    .order_by(_subs.id)
)
_NEIGHBOURS = Prepared(
    select(_subs.id, _subs.disabled_at_us, _OCCUPIED)
    .where(*_MAY_HEAR, _subs.disabled_at_us.is_(None), _subs.id != bindparam("id"))
    .order_by(_subs.id)
)
TOGETHER = 16
"""Endpoints that one look brings."""
_ENDPOINTS = Prepared(
    select(
        _subs.id,
        _subs.tenant_id,
        _subs.organization_id,
        _subs.url,
        _subs.secret_sealed,
        _subs.previous_secret_sealed,
        _subs.previous_secret_expires_at_us,
        _subs.disabled_at_us,
        _subs.deleted_at_us,
        _subs.failing_since_us,
    ).where(_subs.id.in_([bindparam(f"id_{number}", type_=Text) for number in range(TOGETHER)]))
)
_SUCCEEDED = Prepared(
    update(webhook_subscriptions)
    .where(_subs.id == bindparam("which"), _subs.failing_since_us.is_not(None))
    .values(failing_since_us=None, failed_at_us=None)
)
_FAILED = Prepared(
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
    """A subscription that hears of an event; one that is disabled has it noted only.

    `occupied`: an unfinished delivery was in the event's lane a moment ago.
    """

    id: str
    disabled: bool
    occupied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a subscription's deliveries go, and what signs them."""

    id: str
    tenant_id: str
    organization_id: str | None
    url: str = field(repr=False)
    secret_sealed: bytes | None = field(repr=False)
    previous_secret_sealed: bytes | None = field(repr=False)
    previous_secret_expires_at_us: int | None
    disabled_at_us: int | None
    deleted_at_us: int | None
    failing_since_us: int | None


class EndpointStore:
    """Every statement about them."""

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
        """Who subscribed to this event and may hear of what it is about, by id.

        `scope`: what their apps must still be approved for; what an app loses ends its hearing at once.
        """
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
        """The tenant's other subscriptions that work and may hear of this one."""
        values = {"id": id, "lane": lane, "tenant_id": tenant, "organization_id": organization, "secrecy_level": 0}
        return [_listener(row) for row in await tx.driver.rows(_NEIGHBOURS, values)]

    async def endpoints(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Endpoint]:
        """Those of these subscriptions that exist, by id."""
        return {row[0]: _endpoint(row) for some in _portions(ids) for row in await tx.driver.rows(_ENDPOINTS, some)}

    async def endpoints_now(self, database: Database, ids: Sequence[str]) -> dict[str, Endpoint]:
        """As `endpoints`, outside a transaction: as they are now."""
        return {row[0]: _endpoint(row) for some in _portions(ids) for row in await database.peek(_ENDPOINTS, some)}

    async def succeeded(self, tx: Transaction, id: str) -> None:
        """Something got through: the count of failures begins anew with the next."""
        await tx.driver.run_later(_SUCCEEDED, {"which": id})

    async def failed(self, tx: Transaction, id: str, at_us: int) -> int | None:
        """Note a failure; since when there are only failures. None: it is disabled or deleted already."""
        rows = await tx.driver.rows(_FAILED, {"which": id, "at": at_us, "quiet_since": at_us - QUIET_US_MAX})
        return int(rows[0][0]) if rows else None

    async def disable(self, tx: Transaction, id: str, reason: DisabledReason, at_us: int) -> bool:
        """False when somebody else did so before."""
        statement = (
            update(webhook_subscriptions)
            .where(_subs.id == id, _subs.disabled_at_us.is_(None), _subs.deleted_at_us.is_(None))
            .values(disabled_at_us=at_us, disabled_reason=reason.value)
        )
        return (await tx.execute(statement)).rowcount == 1


@lru_cache(maxsize=1024)
def _usable(approved: str, governance: str) -> frozenset[str]:
    """What an app may do, from its row. Remembered, since every event asks and apps are few."""
    allowed = Governance.of(orjson.loads(governance)).allowed_scopes
    return effective(name for name in approved.split() if allowed is None or name in allowed)


def _portions(ids: Sequence[str]) -> Iterator[dict[str, str]]:
    for begin in range(0, len(ids), TOGETHER):
        some = [*ids[begin : begin + TOGETHER]]
        some += [""] * (TOGETHER - len(some))
        yield {f"id_{number}": id for number, id in enumerate(some)}


def _listener(row: Sequence[Any]) -> Listener:
    id, disabled_at_us, head = row
    return Listener(id, disabled_at_us is not None, head is not None)


def _endpoint(row: Sequence[Any]) -> Endpoint:
    id, tenant_id, organization_id, url, secret_sealed, previous_secret_sealed, *rest = row
    previous_secret_expires_at_us, disabled_at_us, deleted_at_us, failing_since_us = rest
    return Endpoint(
        id=id,
        tenant_id=tenant_id,
        organization_id=organization_id,
        url=url,
        secret_sealed=secret_sealed,
        previous_secret_sealed=previous_secret_sealed,
        previous_secret_expires_at_us=previous_secret_expires_at_us,
        disabled_at_us=disabled_at_us,
        deleted_at_us=deleted_at_us,
        failing_since_us=failing_since_us,
    )
