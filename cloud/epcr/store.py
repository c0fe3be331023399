"""The rows of encounters."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from cloud.db import Transaction, insert
from cloud.epcr.model import CareModel, Encounter, EncounterStatus
from cloud.epcr.tables import encounters
from cloud.tenancy import SecrecyLevel, Viewer, visible


class Encounters:
    """Every statement about the table."""

    async def add(self, tx: Transaction, encounter: Encounter) -> bool:
        """False when the id is taken in this tenant."""
        statement = insert(encounters).values(
            tenant_id=encounter.tenant_id,
            id=encounter.id,
            organization_id=encounter.organization_id,
            vehicle_id=encounter.vehicle_id,
            care_model=encounter.care_model.value,
            status=encounter.status.value,
            secrecy_level=int(encounter.secrecy_level),
            created_at_us=encounter.created_at_us,
        )
        return (await tx.execute(statement.on_conflict_do_nothing().returning(encounters.c.id))).first() is not None

    async def find(self, tx: Transaction, viewer: Viewer, encounter_id: str) -> Encounter | None:
        statement = select(encounters).where(*visible(encounters, viewer), encounters.c.id == encounter_id)
        row = (await tx.execute(statement)).first()
        return None if row is None else _encounter(row._mapping)

    async def list(self, tx: Transaction, viewer: Viewer) -> Sequence[Encounter]:
        statement = select(encounters).where(*visible(encounters, viewer)).order_by(encounters.c.id)
        return [_encounter(row._mapping) for row in await tx.execute(statement)]


def _encounter(row: Any) -> Encounter:
    return Encounter(
        **{
            **row,
            "care_model": CareModel(row["care_model"]),
            "status": EncounterStatus(row["status"]),
            "secrecy_level": SecrecyLevel(row["secrecy_level"]),
        }
    )
