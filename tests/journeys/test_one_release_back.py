"""Issue «Storage and ingest for a thousand vehicles», F, at small size: the code of the release before uses a database
that this release has upgraded, and this release uses it again. `make soak ONLY=upgrade` does it under load.
"""

from pathlib import Path
from typing import Any

from cloud.foundation.db.revisions import RELEASE_BEFORE, known_revisions
from tests.harness import large_store
from tests.harness.releases import THIS, Installation, release_before

OBSERVATIONS = 20


async def custody(place: Installation, release: Any) -> list[tuple[str, int, bool]]:
    """Return epoch, number of observations and verdict of each lane, as a release verifies them."""
    checked = await place.console(release, "custody", "check", "--rows")
    return [(lane["epoch"], lane["observations"], lane["intact"]) for lane in checked["lanes"]]


async def test_release_before_ingests_into_an_upgraded_database_and_nothing_is_lost(tmp_path: Path) -> None:
    before = release_before(tmp_path / "before")
    place = Installation(tmp_path, f"sqlite:///{tmp_path / 'cloud.db'}")
    assert (await place.console(before, "init"))["after"] == RELEASE_BEFORE
    await before.run(large_store.__file__, place.database_url, str(OBSERVATIONS), "epoch-a")
    migrated = await place.console(THIS, "migrate")
    assert (migrated["before"], migrated["after"]) == (RELEASE_BEFORE, known_revisions()[-1])
    assert (await place.console(before, "migrate"))["after"] == RELEASE_BEFORE, "as its unit does at the start"
    await before.run(large_store.__file__, place.database_url, str(OBSERVATIONS), "epoch-b")
    whole = [("epoch-a", OBSERVATIONS, True), ("epoch-b", OBSERVATIONS, True)]
    assert await custody(place, before) == whole
    assert (await place.console(THIS, "migrate"))["before"] == known_revisions()[-1]
    assert await custody(place, THIS) == whole
