"""An object with a secrecy level above the clearance of the caller is not found."""

from sqlalchemy import update

from cloud.clinical.epcr import Encounters
from cloud.clinical.epcr.tables import encounters
from cloud.foundation.db import Database
from cloud.foundation.viewer import SecrecyLevel, Viewer
from tests.builders.cloud_people import HandClock, household


async def test_encounter_with_a_secrecy_level_above_the_clearance_of_the_caller_is_not_found(
    database: Database,
) -> None:
    home = await household(database, HandClock())
    async with database.transaction() as tx:
        await tx.execute(update(encounters).values(secrecy_level=int(SecrecyLevel.SECRET)))
    async with database.read() as tx:
        for clearance in SecrecyLevel:
            viewer = Viewer(home.tenant.id, home.organization.id, clearance)
            found = await Encounters().find(tx, viewer, home.encounter.id)
            assert (found is not None) == (clearance >= SecrecyLevel.SECRET)
            assert bool(await Encounters().list(tx, viewer)) == (clearance >= SecrecyLevel.SECRET)
