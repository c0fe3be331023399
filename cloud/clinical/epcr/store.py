"""SQL statements that read and write encounters and crews."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, delete, func, select, tuple_, update

from cloud.clinical.epcr.changed import ChangedEncounters
from cloud.clinical.epcr.model import CrewMember, Encounter
from cloud.clinical.epcr.tables import crew_members, encounter_crew, encounters, erased_encounters
from cloud.foundation.db import Prepared, Query, Records, Transaction, insert
from cloud.foundation.viewer import Viewer, visible
from protocols.epcr.encounter import EncounterStatus

_ENCOUNTERS = Records(Encounter, encounters)
_CREW = Records(CrewMember, crew_members)


def _look_up(*, of_organization: bool) -> Prepared:
    table = encounters.c
    wanted = [
        table.tenant_id == bindparam("tenant"),
        table.id == bindparam("encounter"),
        table.secrecy_level <= bindparam("clearance"),
    ]
    if of_organization:
        wanted.append(table.organization_id == bindparam("organization"))
    crew = select(func.count()).where(
        encounter_crew.c.tenant_id == table.tenant_id, encounter_crew.c.encounter_id == table.id
    )
    return Prepared(_ENCOUNTERS.select().add_columns(crew.scalar_subquery()).where(*wanted))


_CREW_COUNT = Prepared(
    select(func.count()).where(
        encounter_crew.c.tenant_id == bindparam("tenant"), encounter_crew.c.encounter_id == bindparam("encounter")
    )
)
_LOOK_UP = {True: _look_up(of_organization=True), False: _look_up(of_organization=False)}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncounterFilter:
    """A choice of encounters. `since_us`: created at this time or later. `until_us`: created before. None: all."""

    vehicle_id: str | None = None
    cad_incident_id: str | None = None
    status: EncounterStatus | None = None
    since_us: int | None = None
    until_us: int | None = None

    def conditions(self, viewer: Viewer) -> list[ColumnElement[bool]]:
        """Return the conditions of the encounters that are chosen and that the viewer may see."""
        table = encounters.c
        chosen = visible(encounters, viewer)
        for column, value in (
            (table.vehicle_id, self.vehicle_id),
            (table.cad_incident_id, self.cad_incident_id),
            (table.status, self.status),
        ):
            if value is not None:
                chosen.append(column == value)
        if self.since_us is not None:
            chosen.append(table.created_at_us >= self.since_us)
        if self.until_us is not None:
            chosen.append(table.created_at_us < self.until_us)
        return chosen


class Encounters:
    """SQL statements on encounters and their crews."""

    async def add(self, tx: Transaction, encounter: Encounter) -> bool:
        """Add an encounter and mark it as changed, since its record may have come before it. Return False if the tenant
        has one with this id, or with this incident and vehicle."""
        added = await _ENCOUNTERS.add(tx, encounter)
        if added:
            await ChangedEncounters().mark(tx, {(encounter.tenant_id, encounter.id)})
        return added

    async def find(self, tx: Transaction, viewer: Viewer, encounter_id: str, *, lock: bool = False) -> Encounter | None:
        """Return an encounter that the viewer may see, or None. `lock`: lock its row until `tx` ends."""
        statement = _ENCOUNTERS.select().where(*visible(encounters, viewer), encounters.c.id == encounter_id)
        return await _ENCOUNTERS.first(tx, statement.with_for_update(key_share=True) if lock else statement)

    async def look_up(self, query: Query, viewer: Viewer, encounter_id: str) -> tuple[Encounter, int] | None:
        """Return an encounter that the viewer may see, with the size of its crew, or None. One query, compiled once."""
        values = {
            "tenant": viewer.tenant_id,
            "organization": viewer.organization_id,
            "clearance": int(viewer.clearance),
            "encounter": encounter_id,
        }
        rows = await query(_LOOK_UP[viewer.organization_id is not None], values)
        if not rows:
            return None
        *encounter, crew_count = rows[0]
        return _ENCOUNTERS.read(encounter), int(crew_count)

    async def was_erased(self, tx: Transaction, tenant_id: str, encounter_id: str) -> bool:
        """Return whether the tenant had an encounter with this id that was erased."""
        table = erased_encounters.c
        named = (table.tenant_id == tenant_id, table.encounter_id == encounter_id)
        return (await tx.execute(select(table.erasure_id).where(*named))).first() is not None

    async def erase(self, tx: Transaction, encounter: Encounter) -> None:
        """Delete an encounter and the list of its crew. The caller has deleted what refers to it."""
        crew = encounter_crew.c
        mine = (crew.tenant_id == encounter.tenant_id, crew.encounter_id == encounter.id)
        await tx.execute(delete(encounter_crew).where(*mine))
        ours = (encounters.c.tenant_id == encounter.tenant_id, encounters.c.id == encounter.id)
        await tx.execute(delete(encounters).where(*ours))

    async def replace(self, tx: Transaction, encounter: Encounter) -> None:
        """Update a locked encounter. Raises `ConstraintViolated` when another encounter has the same incident and
        vehicle."""
        ours = (encounters.c.tenant_id == encounter.tenant_id, encounters.c.id == encounter.id)
        await tx.execute(update(encounters).where(*ours).values(_ENCOUNTERS.values(encounter)))

    async def of_incident(
        self, tx: Transaction, viewer: Viewer, organization_id: str, cad_incident_id: str, vehicle_id: str | None
    ) -> Encounter | None:
        """Return the encounter of this incident and vehicle that the viewer may see (contract A-102), or None."""
        statement = _ENCOUNTERS.select().where(
            *visible(encounters, viewer),
            encounters.c.organization_id == organization_id,
            encounters.c.cad_incident_id == cad_incident_id,
            func.coalesce(encounters.c.vehicle_id, "") == (vehicle_id or ""),
        )
        return await _ENCOUNTERS.first(tx, statement)

    async def list(self, tx: Transaction, viewer: Viewer) -> Sequence[Encounter]:
        statement = _ENCOUNTERS.select().where(*visible(encounters, viewer)).order_by(encounters.c.id)
        return await _ENCOUNTERS.all(tx, statement)

    async def page(
        self, tx: Transaction, viewer: Viewer, wanted: EncounterFilter, *, after: tuple[int, str] | None, count: int
    ) -> Sequence[Encounter]:
        """Return at most `count` of the wanted encounters that the viewer may see, in the order of creation, beginning
        after a time of creation and an id."""
        place = (encounters.c.created_at_us, encounters.c.id)
        statement = _ENCOUNTERS.select().where(*wanted.conditions(viewer)).order_by(*place).limit(count)
        if after is not None:
            statement = statement.where(tuple_(*place) > after)
        return await _ENCOUNTERS.all(tx, statement)

    async def count(self, tx: Transaction, viewer: Viewer, wanted: EncounterFilter) -> int:
        """Count the wanted encounters that the viewer may see."""
        statement = select(func.count()).select_from(encounters).where(*wanted.conditions(viewer))
        return int((await tx.execute(statement)).scalar())

    async def add_crew(self, tx: Transaction, encounter: Encounter, crew_ids: Sequence[str]) -> None:
        """Add crew members to an encounter. The caller must have checked their ids."""
        if crew_ids:
            rows = [
                {"tenant_id": encounter.tenant_id, "encounter_id": encounter.id, "crew_member_id": member}
                for member in crew_ids
            ]
            await tx.execute(insert(encounter_crew), rows)

    async def crew_ids(self, tx: Transaction, encounter: Encounter) -> frozenset[str]:
        """Return the ids of the crew of an encounter."""
        ours = _crew_of(encounter)
        return frozenset(row[0] for row in await tx.execute(select(encounter_crew.c.crew_member_id).where(*ours)))

    async def replace_crew(self, tx: Transaction, encounter: Encounter, crew_ids: Sequence[str]) -> None:
        """Replace the crew of a locked encounter. The caller must have checked the ids."""
        await tx.execute(delete(encounter_crew).where(*_crew_of(encounter)))
        await self.add_crew(tx, encounter, crew_ids)

    async def crew_count(self, query: Query, viewer: Viewer, encounter_id: str) -> int:
        """Count the crew of an encounter. The caller must have checked that the viewer may see the encounter."""
        rows = await query(_CREW_COUNT, {"tenant": viewer.tenant_id, "encounter": encounter_id})
        return int(rows[0][0])


def _crew_of(encounter: Encounter) -> tuple[ColumnElement[bool], ...]:
    table = encounter_crew.c
    return table.tenant_id == encounter.tenant_id, table.encounter_id == encounter.id


class Crew:
    """SQL statements on the crew register."""

    async def add(self, tx: Transaction, member: CrewMember) -> bool:
        """Add a crew member. Return False if the tenant already has a crew member with this id."""
        return await _CREW.add(tx, member)

    async def known(self, tx: Transaction, viewer: Viewer, organization_id: str, ids: Sequence[str]) -> set[str]:
        """Return the ids among `ids` that are in the organisation's crew register."""
        statement = select(crew_members.c.id).where(
            *visible(crew_members, viewer),
            crew_members.c.organization_id == organization_id,
            crew_members.c.id.in_(ids),
        )
        return {row.id for row in await tx.execute(statement)}

    async def list(self, tx: Transaction, viewer: Viewer) -> Sequence[CrewMember]:
        statement = _CREW.select().where(*visible(crew_members, viewer)).order_by(crew_members.c.id)
        return await _CREW.all(tx, statement)
