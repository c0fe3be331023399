"""The rows of incidents."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from cloud.clinical.incidents.model import Incident, IncidentStatus, Part
from cloud.clinical.incidents.tables import incidents
from cloud.foundation.db import Transaction, insert
from cloud.foundation.viewer import SecrecyLevel, Viewer, visible


class IncidentStore:
    """The statements about incidents."""

    async def of_part(self, tx: Transaction, part: Part) -> Incident | None:
        """Lock and return the incident of an encounter.

        Without a viewer: a change of an encounter changes its incident, also one above the actor's clearance.
        """
        statement = select(incidents).where(
            incidents.c.tenant_id == part.tenant_id,
            incidents.c.organization_id == part.organization_id,
            incidents.c.cad_incident_id == part.cad_incident_id,
        )
        row = (await tx.execute(statement.with_for_update())).first()
        return None if row is None else _incident(row._mapping)

    async def add(self, tx: Transaction, incident: Incident) -> bool:
        """Add an incident; False when another transaction opened it before."""
        statement = insert(incidents).values(**_values(incident)).on_conflict_do_nothing().returning(incidents.c.id)
        return (await tx.execute(statement)).first() is not None

    async def replace(self, tx: Transaction, incident: Incident) -> None:
        """Write an incident that the caller has locked."""
        ours = (incidents.c.tenant_id == incident.tenant_id, incidents.c.id == incident.id)
        await tx.execute(update(incidents).where(*ours).values(**_values(incident)))

    async def list(self, tx: Transaction, viewer: Viewer, *, count: int) -> Sequence[Incident]:
        """Return the newest `count` incidents, newest first."""
        statement = select(incidents).where(*visible(incidents, viewer))
        newest = statement.order_by(incidents.c.opened_at_us.desc(), incidents.c.id.desc()).limit(count)
        return [_incident(row._mapping) for row in await tx.execute(newest)]


def _values(incident: Incident) -> dict[str, Any]:
    return {
        "tenant_id": incident.tenant_id,
        "id": incident.id,
        "organization_id": incident.organization_id,
        "cad_incident_id": incident.cad_incident_id,
        "status": incident.status.value,
        "secrecy_level": int(incident.secrecy_level),
        "encounters": incident.encounters,
        "open_encounters": incident.open_encounters,
        "opened_at_us": incident.opened_at_us,
        "updated_at_us": incident.updated_at_us,
        "closed_at_us": incident.closed_at_us,
    }


def _incident(row: Any) -> Incident:
    return Incident(
        **{
            **row,
            "status": IncidentStatus(row["status"]),
            "secrecy_level": SecrecyLevel(row["secrecy_level"]),
        }
    )
