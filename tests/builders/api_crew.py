"""Synthetic crew members of an organisation: an id and a role."""

from cloud.clinical.epcr import CrewMember, CrewRegister
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from protocols.epcr.crew_role import CrewRole


async def crew_member(
    database: Database, clock: Clock, id: str = "usr_1", *, tenant: str = "tnt_north", organization: str = "org_north"
) -> CrewMember:
    """Store a paramedic with this id, whom encounters may name in `crew_ids`."""
    register = CrewRegister(database, clock, UlidIds(clock))
    return await register.add(Actor.operator(tenant), organization_id=organization, role=CrewRole.PARAMEDIC, id=id)
