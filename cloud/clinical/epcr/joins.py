"""Joins: the reports of a crew that belong to encounters of the dispatch system, as their logs state it.

A crew may open a report before the dispatch system's encounter arrives, under an id of its own, and join both later
(`protocols.epcr.mission`). Then the log of the encounter names the report, and that of the report the encounter. Both
logs of a join come from one gateway, and each may arrive first.

Readers follow a join only if both logs state it, and read the report only from the gateway whose logs do. A gateway
that has a report with the same id, such as that of a tablet that was used in two vehicles, adds nothing to the record
until its own logs state the join. For an erasure one statement is enough unless the other one states a different
join, since the second statement may arrive years later or never, and what is left then would be the patient's. A legal
hold keeps what either of them states.
"""

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union,
)

from cloud.clinical.epcr.tables import JOIN_KEYS, JOIN_LENGTH_MAX, care_changes, encounters
from cloud.foundation.db import GivenRows, Prepared, Transaction, given
from protocols.epcr.annotations import Annotation

JOINED_MAX = 4
"""Reports of a crew that one encounter is joined to: one, or one more after the computer of a vehicle was replaced."""
_FOUND_MAX = 64
"""Statements of joins of one encounter that are read at once. A further step of an erasure finds those beyond."""

_joined, _part = care_changes.alias("joined"), care_changes.alias("part")
_IS_JOIN = (
    _joined.c.element_key == Annotation.JOINED.value,
    _part.c.tenant_id == _joined.c.tenant_id,
    _part.c.encounter_id == _joined.c.value,
    _part.c.encounter_id != _joined.c.encounter_id,
    _part.c.organization_id == _joined.c.organization_id,
    _part.c.gateway_id == _joined.c.gateway_id,
    _part.c.element_key == Annotation.PART_OF.value,
    _part.c.value == _joined.c.encounter_id,
)
_STATED_US = case(
    (_joined.c.received_at_us > _part.c.received_at_us, _joined.c.received_at_us), else_=_part.c.received_at_us
)
"""Time at which the cloud had both statements of a join."""
# The oldest joins, so that a further one leaves out no report that the record had before.
_REPORTS = Prepared(
    select(_part.c.encounter_id, _part.c.gateway_id)
    .where(
        _joined.c.tenant_id == bindparam("tenant"),
        _joined.c.encounter_id == bindparam("encounter"),
        _joined.c.organization_id == bindparam("organization"),
        *_IS_JOIN,
    )
    .group_by(_part.c.encounter_id, _part.c.gateway_id)
    .order_by(func.min(_STATED_US), _part.c.encounter_id, _part.c.gateway_id)
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


@dataclass(frozen=True, slots=True, order=True)
class JoinedReport:
    """A report of a crew, and the gateway whose log states its join. Rows of other gateways do not belong to it."""

    report_id: str
    gateway_id: str


@dataclass(frozen=True, slots=True)
class EncounterLogs:
    """The logs that make the record of an encounter: its own, from each gateway of its organisation, and those of the
    `reports` that it was joined to."""

    tenant_id: str
    organization_id: str
    encounter_id: str
    reports: Sequence[JoinedReport] = ()

    def conditions(self, table: FromClause = care_changes) -> tuple[ColumnElement[bool], ...]:
        """Return the conditions of the changes in these logs."""
        mine = (table.c.tenant_id == self.tenant_id, table.c.organization_id == self.organization_id)
        own = table.c.encounter_id == self.encounter_id
        if not self.reports:
            return *mine, own
        ids = [self.encounter_id, *(one.report_id for one in self.reports)]
        is_joined = tuple_(table.c.encounter_id, table.c.gateway_id).in_(_pairs(self.reports))
        return *mine, table.c.encounter_id.in_(ids), or_(own, is_joined)  # the ids for the index

    def of_gateway(self, gateway_id: str) -> Sequence[str]:
        """Return the encounters whose logs a gateway may have sent a part of."""
        return [self.encounter_id, *(one.report_id for one in self.reports if one.gateway_id == gateway_id)]


class Joins:
    """SQL statements on joins."""

    async def reports(
        self, tx: Transaction, tenant_id: str, organization_id: str, encounter_id: str
    ) -> Sequence[JoinedReport]:
        """Return the reports that an encounter was joined to, the oldest `JOINED_MAX` joins."""
        values = {"tenant": tenant_id, "organization": organization_id, "encounter": encounter_id, "count": JOINED_MAX}
        return [JoinedReport(str(one), str(gateway)) for one, gateway in await tx.driver.rows(_REPORTS, values)]

    async def encounter(self, tx: Transaction, tenant_id: str, organization_id: str, report_id: str) -> str | None:
        """Return the encounter that a report was joined to; None before the join, or without it."""
        found = await tx.execute(encounters_joined_to(_text(tenant_id), _text(organization_id), _text(report_id)))
        return None if (row := found.first()) is None else str(row[0])

    async def whole(self, tx: Transaction, changed: Set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return, by tenant and id, the encounters whose record changes with these logs: their own, and those that they
        were joined to."""
        rows = await tx.driver.rows(_WHOLE, {"changed": given(sorted(changed))})
        return {*changed, *((str(tenant), str(encounter)) for tenant, encounter in rows)}

    async def held(self, tx: Transaction, tenant_id: str, encounter_ids: Collection[str]) -> set[str]:
        """Return the reports that a hold of these encounters keeps: all that are named by their logs or name them."""
        if not encounter_ids:
            return set()
        ids = sorted(encounter_ids)
        named = _stating(_joined, tenant_id, Annotation.JOINED).where(_joined.c.encounter_id.in_(ids))
        naming = _stating(_part, tenant_id, Annotation.PART_OF).where(_part.c.value.in_(ids), is_join(_part))
        found = await tx.execute(
            union(named.with_only_columns(_joined.c.value), naming.with_only_columns(_part.c.encounter_id))
        )
        return {str(report) for (report,) in found}

    async def to_erase(
        self, tx: Transaction, tenant_id: str, organization_id: str, encounter_id: str
    ) -> set[JoinedReport]:
        """Return the reports that are erased with an encounter: those that its log names and those that name it, unless
        the log of the other one from the same gateway names another. A report that is an encounter of its own is left
        out: it is erased by itself."""
        named = _stating(_joined, tenant_id, Annotation.JOINED).where(
            _joined.c.organization_id == organization_id, _joined.c.encounter_id == encounter_id
        )
        naming = _stating(_part, tenant_id, Annotation.PART_OF).where(
            _part.c.organization_id == organization_id, _part.c.value == encounter_id, is_join(_part)
        )
        of_encounter = await self._read(tx, named, _joined.c.value, _joined.c.gateway_id)
        of_reports = await self._read(tx, naming, _part.c.encounter_id, _part.c.gateway_id)
        naming_gateways = {each.gateway_id for each in of_encounter}
        unanswered = of_encounter - of_reports
        elsewhere = _stating(_part, tenant_id, Annotation.PART_OF).where(
            _part.c.encounter_id.in_(sorted(each.report_id for each in unanswered)),  # for the index
            tuple_(_part.c.encounter_id, _part.c.gateway_id).in_(_pairs(unanswered)),
            _part.c.value != encounter_id,
        )
        refuting = await self._read(tx, elsewhere, _part.c.encounter_id, _part.c.gateway_id) if unanswered else set()
        found = {each for each in of_reports if each in of_encounter or each.gateway_id not in naming_gateways}
        found |= unanswered - refuting
        known = select(encounters.c.id).where(
            encounters.c.tenant_id == tenant_id, encounters.c.id.in_(sorted(each.report_id for each in found))
        )
        own = {encounter_id, *(row.id for row in await tx.execute(known))} if found else set()
        return {each for each in found if each.report_id not in own}

    async def _read(
        self, tx: Transaction, statement: Select[Any], report: ColumnElement[Any], gateway: ColumnElement[Any]
    ) -> set[JoinedReport]:
        rows = await tx.execute(statement.with_only_columns(report, gateway).limit(_FOUND_MAX))
        return {JoinedReport(str(report_id), str(gateway_id)) for report_id, gateway_id in rows}


def encounters_joined_to(
    tenant_id: ColumnElement[str], organization_id: ColumnElement[str], report_id: ColumnElement[str]
) -> Select[Any]:
    """Return the statement that selects the encounter that a report was joined to. The arguments may be columns of an
    enclosing statement."""
    return (
        select(encounters.c.id)
        .select_from(
            _joined.join(
                encounters,
                (encounters.c.tenant_id == _joined.c.tenant_id) & (encounters.c.id == _joined.c.encounter_id),
            ).join(_part, _part.c.tenant_id == _joined.c.tenant_id)
        )
        .where(
            _joined.c.tenant_id == tenant_id,
            _joined.c.value == report_id,
            _joined.c.organization_id == organization_id,
            is_join(_joined),
            is_join(_part),
            *_IS_JOIN,
        )
        .order_by(encounters.c.id)
        .limit(1)
    )


def is_join(table: FromClause) -> ColumnElement[bool]:
    """Return the condition of the rows in the index of joins, in its own words: SQLite compares only those."""
    keys: list[ColumnElement[str]] = [literal_column(f"'{key}'") for key in JOIN_KEYS]
    return table.c.element_key.in_(keys) & (func.length(table.c.value) <= literal_column(str(JOIN_LENGTH_MAX)))


def _stating(table: FromClause, tenant_id: str, key: Annotation) -> Select[Any]:
    return (
        select(table)
        .where(table.c.tenant_id == tenant_id, table.c.element_key == key.value, table.c.value.is_not(None))
        .distinct()
    )


def _pairs(reports: Collection[JoinedReport]) -> list[tuple[str, str]]:
    return [(each.report_id, each.gateway_id) for each in sorted(reports)]


def _text(value: str) -> ColumnElement[str]:
    return bindparam(None, value, Text())
