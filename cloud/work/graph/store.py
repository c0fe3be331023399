"""Read the graph of a tenant's encounters in pages, as far as the job's caller may see it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, select

from cloud.clinical.assignments import assignments
from cloud.clinical.devices import devices
from cloud.clinical.epcr import encounter_crew, encounters
from cloud.clinical.incidents import incidents
from cloud.foundation.db import Transaction
from cloud.foundation.viewer import Viewer, visible
from cloud.work.graph.schemas import NodeKind

_encounters, _crew, _incidents, _devices = encounters.c, encounter_crew.c, incidents.c, devices.c


@dataclass(frozen=True, slots=True)
class GraphPage:
    """Some encounters with their neighbours, as lines of the graph. `last_id` is the last encounter, None if there are
    no further ones."""

    lines: Sequence[str]
    encounters: int
    last_id: str | None


class GraphStore:
    """SQL statements that read the graph."""

    async def page(
        self, tx: Transaction, viewer: Viewer, *, since_us: int | None, until_us: int | None, after: str, count: int
    ) -> GraphPage:
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
            .where(*visible(encounters, viewer), _encounters.id > after)
            .order_by(_encounters.id)
            .limit(count)
        )
        if since_us is not None:
            statement = statement.where(_encounters.created_at_us >= since_us)
        if until_us is not None:
            statement = statement.where(_encounters.created_at_us < until_us)
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


def _edge(one: str, other: str) -> str:
    return f"{one}\t{other}"
