"""Log of the field changes of care records, in append-only rows, and the current record that is computed from them.

A row is one change of one batch of a gateway, and is never changed. The rows hold what the vehicle stored, also
elements that this release does not know, changes of an encounter that does not exist yet, and repeated changes.
`protocols.epcr.record` defines the record of a log.

The record of an encounter that a report of the crew was joined to is computed from both logs (`joins`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import ColumnElement, func, select

from cloud.clinical.epcr.changed import ChangedEncounters
from cloud.clinical.epcr.errors import CareRecordTooLarge
from cloud.clinical.epcr.joins import EncounterLogs, Joins
from cloud.clinical.epcr.model import Encounter
from cloud.clinical.epcr.tables import care_changes
from cloud.foundation.db import Transaction
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.record import in_order

CHANGES_READ_MAX = 50_000
"""Changes of one encounter that are read at once. A long mission with two authors has some thousand."""

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

    def __init__(self) -> None:
        self._joins = Joins()

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
            await ChangedEncounters().mark(tx, await self._joins.whole(tx, changed))

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
        lanes = await self.of_lanes(tx, encounter, keys=keys, changes_max=changes_max)
        return in_order([changes for _, changes in lanes])

    async def of_lanes(
        self,
        tx: Transaction,
        encounter: Encounter,
        *,
        keys: Collection[str] | None = None,
        changes_max: int | None = None,
    ) -> list[tuple[str, list[FieldChange]]]:
        """Return the changes that `of_encounter` returns by lane, oldest lane first, each with the gateway of its lane
        (empty for imported changes)."""
        table, most = care_changes.c, CHANGES_READ_MAX if changes_max is None else changes_max
        logs = await self.logs(tx, encounter)
        statement = (
            select(table.lane_id, table.gateway_id, *(table[name] for name in _CHANGE))
            .where(*_belonging(logs, keys))
            .order_by(table.lane_id, table.sequence, table.position)
            .limit(most + 1)
        )
        rows = (await tx.execute(statement)).rows
        if len(rows) > most:
            raise CareRecordTooLarge
        by_lane = groupby(rows, key=lambda row: (row.lane_id, row.gateway_id))
        return [(gateway_id, [_change(row) for row in of_lane]) for (_, gateway_id), of_lane in by_lane]

    async def in_lane(
        self,
        tx: Transaction,
        encounter: Encounter,
        log_id: str,
        lane_id: int,
        *,
        changes_max: int,
        keys: Collection[str] | None = None,
    ) -> list[tuple[int, FieldChange]]:
        """Return the first `changes_max` changes of one of the logs of an encounter in one lane (`EncounterLogs`), in
        the order in which the gateway stored them, each with the sequence number of its batch. `keys`: only those of
        these elements."""
        table = care_changes.c
        mine = (table.tenant_id == encounter.tenant_id, table.organization_id == encounter.organization_id)
        chosen = () if keys is None else (table.element_key.in_(sorted(keys)),)
        statement = (
            select(table.sequence, *(table[name] for name in _CHANGE))
            .where(*mine, table.encounter_id == log_id, table.lane_id == lane_id, *chosen)
            .order_by(table.sequence, table.position)
            .limit(changes_max)
        )
        return [(row.sequence, _change(row)) for row in await tx.execute(statement)]

    async def count(self, tx: Transaction, encounter: Encounter, *, keys: Collection[str]) -> int:
        """Return the number of changes that `of_encounter` reads. Since rows are only added, the same number means the
        same changes, as long as none has expired."""
        logs = await self.logs(tx, encounter)
        counting = select(func.count()).select_from(care_changes).where(*_belonging(logs, keys))
        return int((await tx.execute(counting)).scalar())

    async def first_stated_us(self, tx: Transaction, encounter: Encounter, *, keys: Collection[str]) -> int | None:
        """Return when the cloud first received a value of one of these elements of an encounter, None before it."""
        table, logs = care_changes.c, await self.logs(tx, encounter)
        stating = (*logs.conditions(), table.element_key.in_(sorted(keys)), table.value.is_not(None))
        found = (await tx.execute(select(func.min(table.received_at_us)).where(*stating))).scalar()
        return None if found is None else int(found)

    async def logs(self, tx: Transaction, encounter: Encounter) -> EncounterLogs:
        """Return the logs that make the record of an encounter."""
        owner = encounter.tenant_id, encounter.organization_id, encounter.id
        return EncounterLogs(*owner, await self._joins.reports(tx, *owner))


def _belonging(logs: EncounterLogs, keys: Collection[str] | None) -> Iterator[ColumnElement[bool]]:
    yield from logs.conditions()
    if keys is not None:
        stating = care_changes.alias("stating")
        chosen = select(stating.c.change_id).where(*logs.conditions(stating), stating.c.element_key.in_(sorted(keys)))
        yield care_changes.c.change_id.in_(chosen)


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
