"""SQL statements on the audit trail. The INSERT of `record` is compiled once, since every write of
the cloud uses it."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import and_, bindparam, insert, or_, text

from cloud.access.audit.model import AuditEntry, AuditFilter, Outcome
from cloud.access.audit.tables import FREQUENT_ACTION, audit_entries
from cloud.access.tenancy import TenancyStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Prepared, Records, Transaction
from cloud.foundation.viewer import Actor, Viewer, visible

_ENTRIES = Records(
    AuditEntry, audit_entries, codecs={"metadata": (lambda one: orjson.dumps(one).decode(), orjson.loads)}
)
_FIELDS = tuple(column.name for column in _ENTRIES.columns if column.name != "id")  # the database numbers the entries
_RECORD = Prepared(insert(audit_entries).values({name: bindparam(name) for name in _FIELDS}))

ENTRIES_MAX = 1000


class Audit:
    """Add and read audit entries. The object of an entry is an id, never patient data."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def record(
        self,
        tx: Transaction,
        actor: Actor,
        action: str,
        object: str,
        outcome: Outcome = Outcome.DONE,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one audit entry in `tx`, which also contains the audited change: the two are committed together. `action`
        is a dotted verb such as `device.enrol`; `object` is the id of the changed object."""
        row = self._row(actor, action, object, outcome, metadata)
        await tx.driver.run_later(_RECORD, dict(zip(_FIELDS, row, strict=True)))

    async def record_for_every_tenant(self, tx: Transaction, action: str, object: str) -> None:
        """Add an operator's entry to every tenant's audit trail, for a change of the whole installation."""
        for tenant in await TenancyStore().list_tenants(tx):
            await self.record(tx, Actor.operator(tenant.id), action, object)

    async def record_many(
        self, tx: Transaction, entries: Sequence[tuple[Actor, str, str, Mapping[str, Any] | None]]
    ) -> None:
        """Add one entry for each (actor, action, object, metadata), when one transaction contains many changes."""
        if entries:
            rows = [self._row(actor, action, object, Outcome.DONE, more) for actor, action, object, more in entries]
            await tx.driver.append(audit_entries, _FIELDS, rows)

    def _row(
        self, actor: Actor, action: str, object: str, outcome: Outcome, metadata: Mapping[str, Any] | None = None
    ) -> tuple[Any, ...]:
        return (
            actor.tenant_id,
            actor.organization_id,
            self._clock.now_us(),
            actor.subject,
            actor.client_id,
            action,
            object,
            outcome.value,
            None if actor.trace is None else actor.trace.trace_id,
            "{}" if not metadata else orjson.dumps(metadata).decode(),
        )

    async def list(
        self, tx: Transaction, viewer: Viewer, *, action: str | None = None, limit: int = ENTRIES_MAX
    ) -> Sequence[AuditEntry]:
        """Return at most `limit` entries, newest first. `action`: only entries with this action."""
        return await self.search(tx, viewer, AuditFilter(action=action), count=limit)

    async def search(
        self, tx: Transaction, viewer: Viewer, wanted: AuditFilter, *, before: tuple[int, int] | None = None, count: int
    ) -> Sequence[AuditEntry]:
        """Return at most `count` matching entries, newest first. `before`: the time and id of the last entry on the
        previous page; None for the first page."""
        rows = audit_entries.c
        statement = _ENTRIES.select().where(*visible(audit_entries, viewer))
        if wanted.trace_id:
            statement = statement.where(rows.trace_id == wanted.trace_id)
        elif wanted.since_us is not None:
            statement = statement.where(rows.at_us >= wanted.since_us)
        for column, value in ((rows.actor, wanted.actor), (rows.action, wanted.action), (rows.object, wanted.object)):
            if value:
                statement = statement.where(column == value)
        if wanted.action and wanted.action != FREQUENT_ACTION:
            # SQLite uses a partial index only where the query repeats its condition literally.
            statement = statement.where(text(f"action <> '{FREQUENT_ACTION}'"))
        if before is not None:
            at_us, id = before
            statement = statement.where(or_(rows.at_us < at_us, and_(rows.at_us == at_us, rows.id < id)))
            statement = statement.where(rows.at_us <= at_us)  # a condition that the index can use
        statement = statement.order_by(rows.at_us.desc(), rows.id.desc()).limit(min(count, ENTRIES_MAX))
        return await _ENTRIES.all(tx, statement)
