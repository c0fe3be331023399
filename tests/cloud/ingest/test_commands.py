"""`argus-cloud ingest` and the ingest metrics show an operator quotas, repeated and missing batches, and remedies."""

import pytest
from sqlalchemy import update

from cloud.foundation.db import Database
from cloud.foundation.observability.metrics import (
    INGEST_LEFT_OUT,
    INGEST_MISSING,
    INGEST_PARKED,
    INGEST_REPEATED,
    Metrics,
)
from cloud.vehicles.custody.tables import lanes
from cloud.vehicles.ingest.figures import QuotaFactorMalformed, change_quota, list_lanes, list_quotas, read_figures
from cloud.vehicles.ingest.missing import MISSING_AFTER_US
from cloud.vehicles.ingest.samplers import ingest_sampler, left_out_sampler
from cloud.vehicles.ingest.settings import IngestSection
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Mark, Status
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, readings, section

pytestmark = pytest.mark.finding("security-2")

SMALL = IngestSection.model_construct(rows_burst=100, rows_per_hour=100)


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database, quotas=SMALL).register(gateway)


async def fill(cloud: CloudUnderTest, gateway: GatewayInVehicle, batches: int) -> None:
    for _ in range(batches):
        await cloud.take(gateway.send_sections([section(readings(*[97.0] * 60))]))


async def test_quota_list_shows_the_used_rows_and_parked_batches_of_each_gateway(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await fill(cloud, gateway, 3)
    async with cloud.database.read() as tx:
        (row,) = await list_quotas(tx, OPERATOR, SMALL, gateway_id=None, now_us=cloud.clock.at_us)
    assert (row["gateway"], row["factor"], row["parked_batches"], row["reached"]) == ("gw_test", 1.0, 2, "rows")
    assert row["rows_used_percent"] == pytest.approx(60.0, abs=1)


@pytest.mark.parametrize(("factor", "refill"), [(4.0, False), (1.0, True)])
async def test_parked_batch_is_processed_after_the_quota_of_its_gateway_is_raised_or_refilled(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, factor: float, refill: bool
):
    await fill(cloud, gateway, 2)
    assert await cloud.take_up() == 0
    async with cloud.database.transaction() as tx:
        await change_quota(tx, OPERATOR, "gw_test", factor=factor, refill=refill)
    assert await cloud.take_up() == 1


@pytest.mark.parametrize("factor", [0.0, -1.0, 1e9, float("nan")])
async def test_quota_factor_out_of_range_is_refused(cloud: CloudUnderTest, factor: float):
    with pytest.raises(QuotaFactorMalformed):
        async with cloud.database.transaction() as tx:
            await change_quota(tx, OPERATOR, "gw_test", factor=factor, refill=False)


async def test_metrics_and_lane_list_show_parked_batches_missing_batches_and_repeated_measurements(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await fill(cloud, gateway, 3)
    async with cloud.database.transaction() as tx:
        await tx.execute(update(lanes).values(repeated=7))
    lost = Status(
        gateway="gw_test",
        epoch="epoch-a",
        online=True,
        at_us=NOW_US,
        boot_id="boot-1",
        software="1",
        marks={Lane.NUMERIC: Mark(1, 99, 0, ((50, 60),))},
    )
    for _ in range(2):
        cloud.clock.at_us += MISSING_AFTER_US
        await cloud.take(cloud.handover.status_delivery(lost))
    async with cloud.database.read() as tx:
        figures = await read_figures(tx)
        (lane,) = await list_lanes(tx, OPERATOR, gateway_id="gw_test")
    assert (figures.parked_batches, figures.gateways_over_quota, figures.lanes_missing) == (2, 1, 1)
    assert (lane["repeated_measurements"], lane["missing"], lane["through"]) == (7, "50-60", 3)
    metrics = Metrics()
    await ingest_sampler(cloud.database)(metrics)
    await left_out_sampler(lambda: 3)(metrics)
    shown = [metrics.value(one) for one in (INGEST_PARKED, INGEST_MISSING, INGEST_REPEATED, INGEST_LEFT_OUT)]
    assert shown == [2, 1, 7, 3]
