"""Log of the field changes of care records, in append-only rows, and the current record that is computed from them.

A row is one change of one batch of a gateway, and is never changed. The rows hold what the vehicle stored, also
elements that this release does not know, changes of an encounter that does not exist yet, and repeated changes.
`protocols.epcr.record` defines the record of a log.

A crew may open a report before the dispatch system's encounter arrives, under an id of its own, and join both later
(`protocols.epcr.mission`). Each log then names the other, and the record of the encounter is computed from both. Logs
that do not name each other, or come from different gateways, are not joined.
"""

from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import ColumnElement, FromClause, Text, bindparam, func, select

from cloud.clinical.epcr.changed import ChangedEncounters
from cloud.clinical.epcr.errors import CareRecordTooLarge
from cloud.clinical.epcr.model import Encounter
from cloud.clinical.epcr.tables import care_changes, encounters
from cloud.foundation.db import GivenRows, Prepared, Transaction, given
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.record import in_order

CHANGES_READ_MAX = 50_000
"""Changes of one encounter that are read at once. A long mission with two authors has some thousand."""

JOINED_MAX = 4
"""Reports of a crew that one encounter is joined to: one, or one more after the computer of a vehicle was replaced."""

IMPORTS_LANE_ID = 0
"""Lane of the changes that were imported from a document and not received from a gateway. Their sequence is made of the
time of the import."""

_PLACE = ("lane_id", "sequence", "position")
_OWNER = ("tenant_id", "organization_id", "vehicle_id", "gateway_id")
_CHANGE = (
    "change_id",
    "encounter_id",
    "element_key",
    "entry_id",
    "action",
    "value",
    "negative",
    "not_recorded",
    "author",
    "replaces",
    "device_time_us",
    "gateway_time_us",
)
_COLUMNS = (*_PLACE, *_OWNER, *_CHANGE, "received_at_us")

_joined, _part = care_changes.alias("joined"), care_changes.alias("part")
_JOINED_REPORTS = Prepared(
    select(_part.c.encounter_id)
    .where(
        _joined.c.tenant_id == bindparam("tenant"),
        _joined.c.encounter_id == bindparam("encounter"),
        _joined.c.organization_id == bindparam("organization"),
        _joined.c.element_key == Annotation.JOINED.value,
        _part.c.tenant_id == _joined.c.tenant_id,
        _part.c.encounter_id == _joined.c.value,
        _part.c.encounter_id != _joined.c.encounter_id,
        _part.c.organization_id == _joined.c.organization_id,
        _part.c.gateway_id == _joined.c.gateway_id,
        _part.c.element_key == Annotation.PART_OF.value,
        _part.c.value == _joined.c.encounter_id,
    )
    .distinct()
    .limit(bindparam("count"))
)
_changed = GivenRows("changed", tenant_id=Text(), encounter_id=Text())
_WHOLE = Prepared(
    select(care_changes.c.tenant_id, care_changes.c.value).where(
        care_changes.c.tenant_id == _changed.c("tenant_id"),
        care_changes.c.encounter_id == _changed.c("encounter_id"),
        care_changes.c.element_key == Annotation.PART_OF.value,
        care_changes.c.value.is_not(None),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedChanges:
    """The changes of one batch, with its place in the chain and the gateway's owner when it arrived."""

    lane_id: int
    sequence: int
    tenant_id: str
    organization_id: str
    vehicle_id: str
    gateway_id: str
    received_at_us: int
    changes: Sequence[FieldChange]


class CareLog:
    """SQL statements on the log of field changes."""

    async def append(self, tx: Transaction, received: Sequence[ReceivedChanges]) -> None:
        """Add the changes of new batches, in one statement, and mark their encounters as changed."""
        rows = [
            (
                batch.lane_id,
                batch.sequence,
                position,
                batch.tenant_id,
                batch.organization_id,
                batch.vehicle_id,
                batch.gateway_id,
                *change_columns(change),
                batch.received_at_us,
            )
            for batch in received
            for position, change in enumerate(batch.changes)
        ]
        if rows:
            await tx.driver.append(care_changes, _COLUMNS, rows)
            changed = {(batch.tenant_id, change.encounter) for batch in received for change in batch.changes}
            await ChangedEncounters().mark(tx, await self._whole(tx, changed))

    async def of_batch(self, tx: Transaction, lane_id: int, sequence: int) -> Sequence[tuple[object, ...]]:
        """Return the rows of one batch in their order, each as `change_columns` returns it."""
        table = care_changes.c
        statement = select(*(table[name] for name in _CHANGE)).where(
            table.lane_id == lane_id, table.sequence == sequence
        )
        return [tuple(row) for row in await tx.execute(statement.order_by(table.position))]

    async def of_encounter(
        self,
        tx: Transaction,
        encounter: Encounter,
        *,
        keys: Collection[str] | None = None,
        changes_max: int | None = None,
    ) -> list[FieldChange]:
        """Return the changes of an encounter in the order of the record. `keys`: only those of these elements, with the
        changes of other elements that have the id of one of them, since the record ignores each but the first.
        `changes_max`: the greatest number of them, None: `CHANGES_READ_MAX`. The caller must have checked that the
        viewer may see it. Only changes from gateways of its organisation belong to it. Raises `CareRecordTooLarge`."""
        table, most = care_changes.c, CHANGES_READ_MAX if changes_max is None else changes_max
        logs = await self._logs(tx, encounter)
        statement = (
            select(table.lane_id, *(table[name] for name in _CHANGE))
            .where(*_belonging(encounter, logs, keys))
            .order_by(table.lane_id, table.sequence, table.position)
            .limit(most + 1)
        )
        rows = (await tx.execute(statement)).rows
        if len(rows) > most:
            raise CareRecordTooLarge
        return in_order(
            [[_change(row) for row in of_lane] for _, of_lane in groupby(rows, key=lambda row: row.lane_id)]
        )

    async def in_lane(
        self,
        tx: Transaction,
        encounter: Encounter,
        lane_id: int,
        *,
        changes_max: int,
        keys: Collection[str] | None = None,
    ) -> list[tuple[int, FieldChange]]:
        """Return the first `changes_max` changes of an encounter in one lane, in the order in which the gateway stored
        them, each with the sequence number of its batch. `keys`: only those of these elements."""
        table = care_changes.c
        chosen = () if keys is None else (table.element_key.in_(sorted(keys)),)
        statement = (
            select(table.sequence, *(table[name] for name in _CHANGE))
            .where(*_of(encounter, care_changes), table.lane_id == lane_id, *chosen)
            .order_by(table.sequence, table.position)
            .limit(changes_max)
        )
        return [(row.sequence, _change(row)) for row in await tx.execute(statement)]

    async def count(self, tx: Transaction, encounter: Encounter, *, keys: Collection[str]) -> int:
        """Return the number of changes that `of_encounter` reads. Since rows are only added, the same number means the
        same changes, as long as none has expired."""
        logs = await self._logs(tx, encounter)
        counting = select(func.count()).select_from(care_changes).where(*_belonging(encounter, logs, keys))
        return int((await tx.execute(counting)).scalar())

    async def first_stated_us(self, tx: Transaction, encounter: Encounter, *, keys: Collection[str]) -> int | None:
        """Return when the cloud first received a value of one of these elements of an encounter, None before it."""
        table, logs = care_changes.c, await self._logs(tx, encounter)
        stating = (*_of(encounter, care_changes, logs), table.element_key.in_(sorted(keys)), table.value.is_not(None))
        found = (await tx.execute(select(func.min(table.received_at_us)).where(*stating))).scalar()
        return None if found is None else int(found)

    async def joined_reports(self, tx: Transaction, tenant_id: str, encounter_id: str) -> Sequence[str]:
        """Return the reports that the log of an encounter names as joined, for its erasure. Those that are encounters
        of their own are left out: each is erased by itself."""
        table, known = care_changes.c, encounters.alias("known")
        is_known = select(known.c.id).where(known.c.tenant_id == tenant_id, known.c.id == table.value).exists()
        statement = select(table.value).where(
            table.tenant_id == tenant_id,
            table.encounter_id == encounter_id,
            table.element_key == Annotation.JOINED.value,
            table.value.is_not(None),
            ~is_known,
        )
        return sorted({str(row.value) for row in await tx.execute(statement.limit(JOINED_MAX))})

    async def _logs(self, tx: Transaction, encounter: Encounter) -> Sequence[str]:
        """Return the encounters whose logs make the record: the encounter, and the reports that it was joined to."""
        values = {
            "tenant": encounter.tenant_id,
            "organization": encounter.organization_id,
            "encounter": encounter.id,
            "count": JOINED_MAX,
        }
        joined = await tx.driver.rows(_JOINED_REPORTS, values)
        return [encounter.id, *(str(report) for (report,) in joined)]

    async def _whole(self, tx: Transaction, changed: Set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return, by tenant and id, the encounters whose record changes with these logs: their own, and those that they
        were joined to."""
        rows = await tx.driver.rows(_WHOLE, {"changed": given(sorted(changed))})
        return {*changed, *((str(tenant), str(encounter)) for tenant, encounter in rows)}


def _belonging(
    encounter: Encounter, logs: Sequence[str], keys: Collection[str] | None
) -> Iterator[ColumnElement[bool]]:
    yield from _of(encounter, care_changes, logs)
    if keys is not None:
        stating = care_changes.alias("stating")
        chosen = select(stating.c.change_id).where(
            *_of(encounter, stating, logs), stating.c.element_key.in_(sorted(keys))
        )
        yield care_changes.c.change_id.in_(chosen)


def _of(encounter: Encounter, table: FromClause, logs: Sequence[str] = ()) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of the changes of an encounter, or of these `logs` of it."""
    yield table.c.tenant_id == encounter.tenant_id
    yield table.c.encounter_id.in_(logs) if len(logs) > 1 else table.c.encounter_id == encounter.id
    yield table.c.organization_id == encounter.organization_id


def change_columns(change: FieldChange) -> tuple[object, ...]:
    """Return the columns of a change, in the order in which they are stored."""
    return (
        change.id,
        change.encounter,
        change.key,
        change.entry,
        change.action.value,
        change.value,
        change.negative,
        change.not_recorded,
        change.author,
        orjson.dumps(change.replaces).decode(),
        change.device_time_us,
        change.gateway_time_us,
    )


def _change(row: Any) -> FieldChange:
    return FieldChange(
        id=row.change_id,
        encounter=row.encounter_id,
        key=row.element_key,
        entry=row.entry_id,
        action=Action(row.action),
        value=row.value,
        negative=row.negative,
        not_recorded=row.not_recorded,
        author=row.author,
        replaces=tuple(orjson.loads(row.replaces)),
        device_time_us=row.device_time_us,
        gateway_time_us=row.gateway_time_us,
    )
