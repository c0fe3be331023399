"""Issue «The patient record in the cloud», must-hold E: repeated summaries count the observations once."""

from typing import cast

from cloud.clinical.epcr.recent_counts import AGE_S_MAX, COUNTS_MAX, RecentCounts
from cloud.foundation.db import Database
from cloud.foundation.viewer import Actor, Viewer
from tests.builders.ingest_cloud import StoppedClock

DATABASE = cast(Database, None)
NORTH = Viewer("tnt_valley", "org_north")


class Counting:
    """Counts calls, and returns their number as the number of observations."""

    def __init__(self) -> None:
        self.calls = 0

    async def count(self, database: Database, viewer: Viewer, encounter_id: str) -> int:
        self.calls += 1
        return self.calls


async def test_count_is_returned_again_until_it_is_a_second_old():
    counting, clock = Counting(), StoppedClock()
    counts = RecentCounts(counting.count, clock)
    assert [await counts.count(DATABASE, NORTH, "enc_1") for _ in range(3)] == [1, 1, 1]
    clock.at_us += round(AGE_S_MAX * 1_000_000)
    assert await counts.count(DATABASE, NORTH, "enc_1") == 2


async def test_count_is_never_returned_to_a_viewer_with_other_rights():
    counts = RecentCounts(Counting().count, StoppedClock())
    assert await counts.count(DATABASE, NORTH, "enc_1") == 1
    assert await counts.count(DATABASE, Viewer("tnt_valley", "org_south"), "enc_1") == 2
    assert await counts.count(DATABASE, Viewer("tnt_valley", None), "enc_1") == 3
    assert await counts.count(DATABASE, Viewer("tnt_other", "org_north"), "enc_1") == 4
    assert await counts.count(DATABASE, Actor("tnt_valley", "org_north", subject="app"), "enc_1") == 1


async def test_oldest_count_is_dropped_when_the_memory_is_full():
    counting = Counting()
    counts = RecentCounts(counting.count, StoppedClock())
    for number in range(COUNTS_MAX + 1):
        await counts.count(DATABASE, NORTH, f"enc_{number}")
    assert await counts.count(DATABASE, NORTH, "enc_1") == 2
    assert await counts.count(DATABASE, NORTH, "enc_0") == COUNTS_MAX + 2
