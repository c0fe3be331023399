"""The rows of the audit trail. `record` is on the path of every write, so its statement is compiled once."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import and_, bindparam, delete, insert, or_, select, text

from cloud.access.audit.model import AuditEntry, Outcome, Sought
from cloud.access.audit.tables import FREQUENT_ACTION, audit_entries
from cloud.access.tenancy import TenancyStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import CHUNK_ROWS, Prepared, Transaction
from cloud.foundation.http import Caller, TraceContext
from cloud.foundation.viewer import Viewer, visible

_FIELDS = (
    "tenant_id",
    "organization_id",
    "at_us",
    "actor",
    "client_id",
    "action",
    "object",
    "outcome",
    "trace_id",
    "metadata",
)
_RECORD = Prepared(insert(audit_entries).values({name: bindparam(name) for name in _FIELDS}))

RETENTION_US = 10 * 366 * 86_400 * 1_000_000
"""Ten years. Who read or changed what must outlast the time in which a patient may ask."""
ENTRIES_MAX = 1000


class Audit:
    """Adds and reads entries. Never called with a value of a patient: objects are ids."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def record(
        self,
        tx: Transaction,
        caller: Caller | Viewer,
        action: str,
        object: str,
        outcome: Outcome = Outcome.DONE,
        trace: TraceContext | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """One entry, in the transaction of the change, so that there is never one without the other.

        `action` is a dotted verb such as `device.enrol`; `object` the id that it was done to. A `Viewer` for `caller`
        is the operator at the console.
        """
        row = self._row(caller, action, object, outcome, trace, metadata)
        await tx.driver.run_later(_RECORD, dict(zip(_FIELDS, row, strict=True)))

    async def record_for_every_tenant(self, tx: Transaction, action: str, object: str) -> None:
        """Write the operator's entry about something of the whole installation into the trail of every tenant."""
        for tenant in await TenancyStore().list_tenants(tx):
            await self.record(tx, Viewer.operator(tenant.id), action, object)

    async def record_many(self, tx: Transaction, entries: Sequence[tuple[Caller, str, str, TraceContext]]) -> None:
        """As `record`, for what was done for several callers in one transaction: caller, action, object, trace each."""
        if entries:
            rows = [self._row(caller, action, object, Outcome.DONE, trace) for caller, action, object, trace in entries]
            await tx.driver.append(audit_entries, _FIELDS, rows)

    def _row(
        self,
        caller: Caller | Viewer,
        action: str,
        object: str,
        outcome: Outcome,
        trace: TraceContext | None,
        metadata: Mapping[str, Any] | None = None,
    ) -> tuple[Any, ...]:
        """In the order of `_FIELDS`."""
        if isinstance(caller, Caller):
            viewer, actor, client_id = caller.viewer, caller.subject, caller.client_id
        else:
            viewer, actor, client_id = caller, "operator", None
        return (
            viewer.tenant_id,
            viewer.organization_id,
            self._clock.now_us(),
            actor,
            client_id,
            action,
            object,
            outcome.value,
            None if trace is None else trace.trace_id,
            "{}" if not metadata else orjson.dumps(metadata).decode(),
        )

    async def list(
        self, tx: Transaction, viewer: Viewer, *, action: str | None = None, limit: int = ENTRIES_MAX
    ) -> Sequence[AuditEntry]:
        """The newest entries that the viewer may see, newest first."""
        return await self.search(tx, viewer, Sought(action=action), count=limit)

    async def search(
        self, tx: Transaction, viewer: Viewer, sought: Sought, *, before: tuple[int, int] | None = None, count: int
    ) -> Sequence[AuditEntry]:
        """Entries that the viewer may see, newest first. `before`: moment and id of the last one that was read."""
        rows = audit_entries.c
        statement = select(audit_entries).where(*visible(audit_entries, viewer))
        if sought.trace_id:
            statement = statement.where(rows.trace_id == sought.trace_id)
        elif sought.since_us is not None:
            statement = statement.where(rows.at_us >= sought.since_us)
        for column, value in ((rows.actor, sought.actor), (rows.action, sought.action), (rows.object, sought.object)):
            if value:
                statement = statement.where(column == value)
        if sought.action and sought.action != FREQUENT_ACTION:
            # SQLite uses an index with a condition only where the query has the same words.
            statement = statement.where(text(f"action <> '{FREQUENT_ACTION}'"))
        if before is not None:
            at_us, id = before
            statement = statement.where(or_(rows.at_us < at_us, and_(rows.at_us == at_us, rows.id < id)))
            statement = statement.where(rows.at_us <= at_us)  # what the index can use
        statement = statement.order_by(rows.at_us.desc(), rows.id.desc()).limit(min(count, ENTRIES_MAX))
        return [
            _entry({str(name): value for name, value in row._mapping.items()}) for row in await tx.execute(statement)
        ]

    async def sweep(self, tx: Transaction, now_us: int) -> int:
        """Delete a chunk of the entries that are past their retention; the number of entries."""
        # Entries are numbered as they are written, so the expired ones have the lowest numbers: the primary key finds
        # them, and no writer pays for an index on time alone. After a clock that was wrong they are kept longer.
        first = select(audit_entries.c.id, audit_entries.c.at_us).order_by(audit_entries.c.id).limit(CHUNK_ROWS)
        oldest = first.subquery()
        expired = select(oldest.c.id).where(oldest.c.at_us < now_us - RETENTION_US)
        return (await tx.execute(delete(audit_entries).where(audit_entries.c.id.in_(expired)))).rowcount


def _entry(values: dict[str, Any]) -> AuditEntry:
    return AuditEntry(**{**values, "outcome": Outcome(values["outcome"]), "metadata": orjson.loads(values["metadata"])})
