"""Read the graph of a tenant's encounters and profiles in pages, as far as the job's caller may see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy import ColumnElement, and_, func, select

from cloud.clinical.assignments import assignments
from cloud.clinical.devices import devices
from cloud.clinical.epcr import encounter_crew, encounters
from cloud.clinical.incidents import incidents
from cloud.clinical.profiles import listed_entries, profile_enrichments, profiles
from cloud.clinical.screening import normalized_address
from cloud.foundation.db import Transaction
from cloud.foundation.viewer import Viewer, visible
from cloud.work.graph.schemas import NodeKind

_encounters, _crew, _incidents, _devices = encounters.c, encounter_crew.c, incidents.c, devices.c
_profiles, _enrichments = profiles.c, profile_enrichments.c


@dataclass(frozen=True, slots=True)
class Span:
    """The times of creation of the rows to read, from `since_us` until before `until_us`; None: without a limit."""

    since_us: int | None = None
    until_us: int | None = None

    def of(self, column: ColumnElement[int]) -> list[ColumnElement[bool]]:
        """Return the conditions, joined by AND, under which `column` is in the span."""
        since = [] if self.since_us is None else [column >= self.since_us]
        return since if self.until_us is None else [*since, column < self.until_us]


@dataclass(frozen=True, slots=True)
class GraphPage:
    """Some encounters or profiles with their neighbours, as lines of the graph. `last_id` is the last encounter or
    profile, None if there are no further ones."""

    lines: Sequence[str]
    count: int
    last_id: str | None


class GraphStore:
    """SQL statements that read the graph."""

    async def encounters(self, tx: Transaction, viewer: Viewer, span: Span, *, after: str, count: int) -> GraphPage:
        """Return at most `count` encounters after the id `after`, with their neighbours."""
        of_incident = and_(
            _incidents.tenant_id == _encounters.tenant_id,
            _incidents.organization_id == _encounters.organization_id,
            _incidents.cad_incident_id == _encounters.cad_incident_id,
            *visible(incidents, viewer),
        )
        statement = (
            select(_encounters.id, _encounters.vehicle_id, _incidents.id)
            .select_from(encounters)
            .outerjoin(incidents, of_incident)
            .where(*visible(encounters, viewer), *span.of(_encounters.created_at_us), _encounters.id > after)
            .order_by(_encounters.id)
            .limit(count)
        )
        found = (await tx.execute(statement)).rows
        lines: list[str] = []
        for encounter_id, vehicle_id, incident_id in found:
            encounter = node(NodeKind.ENCOUNTER, encounter_id)
            lines.append(encounter)
            if vehicle_id is not None:
                lines.append(_edge(encounter, node(NodeKind.VEHICLE, vehicle_id)))
            if incident_id is not None:
                lines.append(_edge(encounter, node(NodeKind.INCIDENT, incident_id)))
        ids = [row[0] for row in found]
        if ids:
            lines += await self._crew_of(tx, viewer, ids)
            lines += await self._devices_of(tx, viewer, ids)
        return GraphPage(lines, len(ids), ids[-1] if len(ids) == count else None)

    async def profiles(self, tx: Transaction, viewer: Viewer, span: Span, *, after: str, count: int) -> GraphPage:
        """Return at most `count` profiles after the id `after`. A profile is joined with each entry of a sanctions list
        that is a hit in its last enrichment, and a wallet with its address."""
        statement = (
            select(_profiles.id, _profiles.address)
            .where(*visible(profiles, viewer), *span.of(_profiles.created_at_us), _profiles.id > after)
            .order_by(_profiles.id)
            .limit(count)
        )
        found = (await tx.execute(statement)).rows
        ids = [profile_id for profile_id, _ in found]
        documents = await self._last_enrichments(tx, viewer, ids) if ids else {}
        lines: list[str] = []
        for profile_id, address in found:
            profile = node(NodeKind.PROFILE, profile_id)
            lines.append(profile)
            if address is not None:
                lines.append(_edge(profile, node(NodeKind.WALLET_ADDRESS, _quoted(normalized_address(address)))))
            for listing, reference in listed_entries(documents[profile_id]) if profile_id in documents else ():
                lines.append(_edge(profile, node(NodeKind.LIST_ENTRY, f"{listing}/{_quoted(reference)}")))
        return GraphPage(lines, len(ids), ids[-1] if len(ids) == count else None)

    async def _last_enrichments(self, tx: Transaction, viewer: Viewer, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the document of the last enrichment of each of these profiles that has one."""
        other = profile_enrichments.alias()
        last = (
            select(other.c.id)
            .where(other.c.tenant_id == _enrichments.tenant_id, other.c.profile_id == _enrichments.profile_id)
            .order_by(other.c.enriched_at_us.desc(), other.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        statement = select(_enrichments.profile_id, _enrichments.document).where(
            _enrichments.tenant_id == viewer.tenant_id, _enrichments.profile_id.in_(ids), _enrichments.id == last
        )
        return {row.profile_id: row.document for row in await tx.execute(statement)}

    async def _crew_of(self, tx: Transaction, viewer: Viewer, ids: Sequence[str]) -> list[str]:
        statement = select(_crew.encounter_id, _crew.crew_member_id).where(
            _crew.tenant_id == viewer.tenant_id, _crew.encounter_id.in_(ids)
        )
        return [
            _edge(node(NodeKind.ENCOUNTER, encounter_id), node(NodeKind.CREW_MEMBER, member_id))
            for encounter_id, member_id in await tx.execute(
                statement.order_by(_crew.encounter_id, _crew.crew_member_id)
            )
        ]

    async def _devices_of(self, tx: Transaction, viewer: Viewer, ids: Sequence[str]) -> list[str]:
        """Return the edges of the devices that were assigned to the encounters, also to the devices' vehicles. A device
        that was merged into an enrolled one is the enrolled one."""
        device_id = func.coalesce(_devices.merged_into, _devices.id)
        of_device = and_(
            _devices.tenant_id == assignments.c.tenant_id,
            _devices.id == assignments.c.device_id,
            *visible(devices, viewer),
        )
        statement = (
            select(assignments.c.encounter_id, device_id, _devices.vehicle_id)
            .select_from(assignments)
            .join(devices, of_device)
            .where(
                assignments.c.tenant_id == viewer.tenant_id,
                assignments.c.encounter_id.in_(ids),
                assignments.c.voided_at_us.is_(None),
            )
            .order_by(assignments.c.encounter_id, assignments.c.id)
        )
        lines = []
        for encounter_id, found_id, vehicle_id in await tx.execute(statement):
            device = node(NodeKind.DEVICE, found_id)
            lines.append(_edge(node(NodeKind.ENCOUNTER, encounter_id), device))
            if vehicle_id is not None:
                lines.append(_edge(device, node(NodeKind.VEHICLE, vehicle_id)))
        return lines


def node(kind: NodeKind, id: str) -> str:
    """Return the name of a node."""
    return f"{kind.value}/{id}"


def _quoted(foreign: str) -> str:
    """Return a text from outside without characters that separate nodes or names."""
    return quote(foreign, safe="")


def _edge(one: str, other: str) -> str:
    return f"{one}\t{other}"
