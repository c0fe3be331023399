"""Batches that the gateway published but that never reached the cloud are detected, and reported once."""

import pytest

from cloud.foundation.db import Database
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.missing import MISSING_AFTER_US
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.tables import missing_batches
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Mark, Status
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle

pytestmark = pytest.mark.finding("security-3")

Ranges = tuple[tuple[int, int], ...]


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


def status(published: Ranges | None, *, epoch: str = "epoch-a") -> Status:
    return Status(
        gateway="gw_test",
        epoch=epoch,
        online=True,
        at_us=NOW_US,
        boot_id="boot-1",
        software="1.0",
        marks={Lane.NUMERIC: Mark(1, 99, 0, published)},
    )


async def report(cloud: CloudUnderTest, published: Ranges | None, *, epoch: str = "epoch-a") -> None:
    """Advance the clock past the waiting time for missing batches; receive a status that lists published batches."""
    cloud.clock.at_us += 2 * MISSING_AFTER_US
    await cloud.take(cloud.handover.status_delivery(status(published, epoch=epoch)))


async def missing(cloud: CloudUnderTest) -> list[tuple[object, ...]]:
    return [
        (payload["lane"], payload["first_sequence"], payload["last_sequence"], payload["batches"])
        for name, payload in await cloud.events()
        if name == event_types.MISSING
    ]


async def test_unreceived_batches_are_reported_missing_once_when_two_statuses_list_them_as_published(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(20)
    await cloud.take(*sent[:4], sent[9])
    await report(cloud, ((1, 12),))
    assert await missing(cloud) == []  # another worker may be storing them
    await report(cloud, ((1, 12),))
    assert await missing(cloud) == [("numeric", 5, 12, 7)]
    await report(cloud, ((1, 14),))
    assert await missing(cloud) == [("numeric", 5, 12, 7)]
    await cloud.take(*sent[:14])
    await report(cloud, ())
    assert await cloud.rows(missing_batches) == []
    assert len(await missing(cloud)) == 1


async def test_batches_that_arrive_after_the_first_status_are_not_reported_missing(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(8)
    await report(cloud, ((1, 4),))
    await cloud.take(*sent[:4])
    await report(cloud, ((5, 8),))  # others, which may still arrive
    assert await missing(cloud) == []
    assert [(row.ranges, row.reported_us) for row in await cloud.rows(missing_batches)] == [("5-8", None)]


async def test_all_published_batches_are_reported_missing_when_no_batch_of_their_lane_was_received(
    cloud: CloudUnderTest,
):
    await report(cloud, ((1, 3),))
    await report(cloud, ((1, 3),))
    assert await missing(cloud) == [("numeric", 1, 3, 3)]


async def test_status_of_an_older_gateway_without_published_ranges_reports_no_missing_batches(
    cloud: CloudUnderTest,
):
    await report(cloud, None)
    await report(cloud, None)
    assert await cloud.rows(missing_batches) == []


async def test_statuses_in_quick_succession_cause_no_report_of_missing_batches(cloud: CloudUnderTest):
    for _ in range(5):
        cloud.clock.at_us += MISSING_AFTER_US // 10
        await cloud.take(cloud.handover.status_delivery(status(((1, 3),))))
    assert await missing(cloud) == []


async def test_missing_batches_of_an_epoch_are_no_longer_listed_after_a_status_of_a_new_epoch(cloud: CloudUnderTest):
    await report(cloud, ((1, 3),))
    await report(cloud, (), epoch="epoch-b")
    assert await cloud.rows(missing_batches) == []


async def test_batches_not_acknowledged_because_of_a_quota_are_not_reported_missing(
    database: Database, gateway: GatewayInVehicle
):
    quotas = IngestSection.model_construct(rows_burst=1, rows_per_hour=1, parked_bytes_max=0)
    cloud = await CloudUnderTest(database, quotas=quotas).register(gateway)
    await cloud.take(*gateway.many(4))
    cloud.clock.at_us -= MISSING_AFTER_US
    await report(cloud, ((1, 4),))
    await report(cloud, ((1, 4),))
    assert await missing(cloud) == []
