"""Enrichments are deleted after their period, and the profile stays."""

from sqlalchemy import select

from cloud.access.retention.jobs import Expiry
from cloud.clinical.profiles.jobs import KINDS
from cloud.clinical.profiles.model import Enrichment
from cloud.clinical.profiles.store import ProfileStore
from cloud.clinical.profiles.tables import profile_enrichments
from cloud.foundation.db import Database
from cloud.foundation.retention import DAY_US
from tests.builders.cloud_people import HandClock, household
from tests.cloud.profiles.test_import import line, service_on

PERIOD_US = 10 * 366 * DAY_US


async def test_enrichments_are_deleted_after_ten_years_and_the_profile_stays(database: Database) -> None:
    clock, (kind,) = HandClock(), KINDS
    home, profiles = await household(database, clock), service_on(database)
    await profiles.import_profiles(home.operator, home.organization.id, [line(1)])
    (profile,) = await profiles.list(home.operator, count=1)
    async with database.transaction() as tx:
        for id, age_us in (("enr_old", PERIOD_US + DAY_US), ("enr_new", PERIOD_US - DAY_US)):
            enrichment = Enrichment(
                tenant_id=profile.tenant_id,
                id=id,
                profile_id=profile.id,
                enriched_at_us=clock.now_us() - age_us,
                document="{}",
            )
            await ProfileStore().add_enrichments(tx, [enrichment])
        assert await Expiry(kind).delete_chunk(tx, clock.now_us()) == 1
        left = await tx.execute(select(profile_enrichments.c.id))
        assert [row.id for row in left.rows] == ["enr_new"]
    assert (await profiles.read(home.operator, profile.id))[0] == profile
