"""SQL statements that read and write incidents."""

from collections.abc import Sequence

from sqlalchemy import update

from cloud.clinical.incidents.model import Incident, Part
from cloud.clinical.incidents.tables import incidents
from cloud.foundation.db import Records, Transaction
from cloud.foundation.viewer import Viewer, visible

_INCIDENTS = Records(Incident, incidents)


class IncidentStore:
    async def of_part(self, tx: Transaction, part: Part) -> Incident | None:
        """Lock and return the incident of an encounter; None if the encounter has no incident. Access is not checked,
        because a change of an encounter also changes an incident that the actor may not see."""
        statement = _INCIDENTS.select().where(
            incidents.c.tenant_id == part.tenant_id,
            incidents.c.organization_id == part.organization_id,
            incidents.c.cad_incident_id == part.cad_incident_id,
        )
        return await _INCIDENTS.first(tx, statement.with_for_update())

    async def add(self, tx: Transaction, incident: Incident) -> bool:
        """Add an incident. Return False if another transaction has already added it."""
        return await _INCIDENTS.add(tx, incident)

    async def replace(self, tx: Transaction, incident: Incident) -> None:
        """Update the row of an incident that the caller has locked."""
        ours = (incidents.c.tenant_id == incident.tenant_id, incidents.c.id == incident.id)
        await tx.execute(update(incidents).where(*ours).values(_INCIDENTS.values(incident)))

    async def list(self, tx: Transaction, viewer: Viewer, *, count: int) -> Sequence[Incident]:
        """Return the newest incidents that the viewer may see, newest first, at most `count`."""
        statement = _INCIDENTS.select().where(*visible(incidents, viewer))
        newest = statement.order_by(incidents.c.opened_at_us.desc(), incidents.c.id.desc()).limit(count)
        return await _INCIDENTS.all(tx, newest)
