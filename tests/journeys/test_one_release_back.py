"""Issue «Storage and ingest for a thousand vehicles», F, at small size: the code of the release before uses a database
that this release has upgraded, and this release uses it again. `make soak ONLY=upgrade` does it under load.
"""

from pathlib import Path

from cloud.foundation.db import known_revisions, migrate, open_database
from cloud.foundation.db.revisions import RELEASE_BEFORE
from cloud.vehicles.verification.check import CustodyCheck
from tests.builders.ingest_cloud import OPERATOR, StoppedClock
from tests.harness import large_store
from tests.harness.releases import release_before

OBSERVATIONS = 20


async def test_release_before_ingests_into_an_upgraded_database_and_nothing_is_lost(tmp_path: Path) -> None:
    before, url = release_before(tmp_path / "before"), f"sqlite:///{tmp_path / 'cloud.db'}"
    await before.run(large_store.__file__, url, str(OBSERVATIONS), "epoch-a")
    upgraded = await migrate(url)
    assert (upgraded.before, upgraded.after) == (RELEASE_BEFORE, known_revisions()[-1])
    await before.run(large_store.__file__, url, str(OBSERVATIONS), "epoch-b")
    assert (await migrate(url)).before == known_revisions()[-1]
    database = await open_database(url)
    reports = [report async for report in CustodyCheck(database, StoppedClock(), OPERATOR, with_rows=True).reports()]
    await database.close()
    assert [(report.epoch, report.observations, report.intact) for report in reports] == [
        ("epoch-a", OBSERVATIONS, True),
        ("epoch-b", OBSERVATIONS, True),
    ]
