"""Find out whether an encounter is under a legal hold of its own, or of its incident."""

from sqlalchemy import select

from cloud.access.retention import RetentionStore
from cloud.clinical.epcr import Encounter
from cloud.clinical.incidents import incidents
from cloud.foundation.db import Transaction
from cloud.foundation.retention import HoldScope
from cloud.foundation.viewer import Actor


async def is_held(tx: Transaction, encounter: Encounter) -> bool:
    """Return whether a hold names the encounter or its incident. A hold of the whole tenant, of a gateway or of a
    device is no reason against a move: what it keeps does not depend on the encounter."""
    holds = await RetentionStore().holds(tx, Actor.operator(encounter.tenant_id))
    named = {(hold.scope, hold.object_id) for hold in holds}
    if (HoldScope.ENCOUNTER, encounter.id) in named:
        return True
    if encounter.cad_incident_id is None or not any(scope is HoldScope.INCIDENT for scope, _ in named):
        return False
    statement = select(incidents.c.id).where(
        incidents.c.tenant_id == encounter.tenant_id,
        incidents.c.organization_id == encounter.organization_id,
        incidents.c.cad_incident_id == encounter.cad_incident_id,
    )
    return any((HoldScope.INCIDENT, row.id) in named for row in await tx.execute(statement))
