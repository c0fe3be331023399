"""Parked batches get their observation rows exactly once: after a rollback or a kill at any point, and with two
workers.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence

import pytest

from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database, DatabaseUnavailable, Transaction
from cloud.vehicles.custody.tables import batches
from cloud.vehicles.fleet import GatewayName
from cloud.vehicles.ingest.parking import ParkedBatch, ParkingStore
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.tables import gateway_events, gateway_quotas, parked_batches
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section
from tests.builders.statement_count import EndingDatabase
from tests.harness.eventually import WITHIN_S
from tests.harness.take_up_victim import take_up_victim

pytestmark = pytest.mark.finding("security-2")

DAY_US = 86_400_000_000
ROWS = 60
PARKED = 4
SMALL = IngestSection.model_construct(rows_burst=ROWS + 1, rows_per_hour=ROWS)


@pytest.fixture
async def cloud(database: Database) -> CloudUnderTest:
    """Return a cloud with parked batches, one day after their gateway exceeded its quota."""
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database, quotas=SMALL).register(gateway)
    sent = [gateway.send_sections([section(readings(*[97.0] * ROWS))]) for _ in range(PARKED)]
    await cloud.take(*sent, gateway.send_event())
    cloud.clock.at_us += DAY_US
    assert [row.sequence for row in await cloud.rows(parked_batches)] == [2, 3, 4]
    return cloud


async def in_numbers(cloud: CloudUnderTest) -> tuple[Counter[int], list[str], int]:
    """Return how many observations each sequence has, the column `content` of each batch, and the number of parked
    batches."""
    (quota,) = await cloud.rows(gateway_quotas)
    return (
        Counter(row.sequence for row in await cloud.rows(observations)),
        [row.content for row in await cloud.rows(batches)],
        quota.parked_batches,
    )


async def assert_taken_up_once(cloud: CloudUnderTest) -> None:
    assert await cloud.rows(parked_batches) == []
    rows, contents, parked = await in_numbers(cloud)
    assert rows == dict.fromkeys(range(1, PARKED + 1), ROWS)
    assert (set(contents), parked) == ({"rows"}, 0)
    assert len(await cloud.rows(gateway_events)) == 1
    assert [name for name, _ in await cloud.events()].count("ingest.quota_ended") == 1


class CutOff(DatabaseUnavailable):
    """An error that ends the transaction in which it is raised, as a lost connection does."""


def cut_off() -> None:
    raise CutOff


async def test_parked_batch_stays_parked_when_its_processing_is_rolled_back_at_any_statement(
    database: Database, cloud: CloudUnderTest
):
    cuts = 0
    while True:
        ending = EndingDatabase(database, cuts + 1, cut_off)
        try:
            # With the settings' default quotas only the cut decides how far it gets.
            await CloudUnderTest(ending, clock=cloud.clock).take_up()
        except CutOff:
            cuts += 1
        else:
            break
        rows, contents, parked = await in_numbers(cloud)
        assert set(rows.values()) == {ROWS}
        assert len(rows) == contents.count("rows") - 1  # the event's batch has its row in another table
        assert parked == contents.count("parked") == len(await cloud.rows(parked_batches))
    assert cuts >= 8, "a take-up is several statements, and each was cut once"
    await assert_taken_up_once(cloud)


async def test_process_killed_while_storing_parked_batches_neither_loses_nor_duplicates_rows(
    database_url: str, cloud: CloudUnderTest
):
    async with take_up_victim(database_url, cloud.clock.at_us) as run_until:
        for killed_at in (3, 7, 14):  # early and late in the first batch, and after it
            assert await run_until(killed_at) == -signal.SIGKILL
            rows, contents, parked = await in_numbers(cloud)
            assert set(rows.values()) == {ROWS}
            assert parked == contents.count("parked") == len(await cloud.rows(parked_batches))
        assert await run_until(0) == 0
    await assert_taken_up_once(cloud)


async def test_two_workers_that_process_the_same_parked_batches_store_each_batch_once(
    database: Database, cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
):
    both_have_read = asyncio.Barrier(2)
    oldest = ParkingStore.oldest

    async def oldest_of_both(
        self: ParkingStore, tx: Transaction, name: GatewayName, *, limit: int
    ) -> Sequence[ParkedBatch]:
        found = await oldest(self, tx, name, limit=limit)
        await both_have_read.wait()
        return found

    monkeypatch.setattr(ParkingStore, "oldest", oldest_of_both)
    workers = [CloudUnderTest(database, clock=cloud.clock) for _ in range(2)]
    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*(one.take_up() for one in workers))
    await assert_taken_up_once(cloud)
