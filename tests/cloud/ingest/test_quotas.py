"""Batches of a gateway above its quota are parked: they are stored without observation rows.

Their observation rows are added as the quota refills. Other gateways are not affected.
"""

import pytest

from cloud.clinical.devices.tables import devices
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches, quarantined_batches
from cloud.vehicles.ingest.opening import UnpackedContent, unpack
from cloud.vehicles.ingest.quota_store import QuotaRow
from cloud.vehicles.ingest.quotas import Need, Quota, buckets_of
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.tables import gateway_events, gateway_quotas, parked_batches
from protocols.uplink.envelope import Batch, BatchKind, Envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import BLOCK_OBSERVATIONS_MAX
from protocols.uplink.observations import DeviceRef
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, readings, section
from tests.builders.uplink_bombs import block_of_zeros

pytestmark = pytest.mark.finding("security-2")

HOUR_US = 3_600_000_000
SMALL = IngestSection.model_construct(rows_burst=100, rows_per_hour=100, devices_burst=4, devices_per_hour=4)


@pytest.fixture
def other() -> GatewayInVehicle:
    return GatewayInVehicle(gateway="gw_other", key_seed=2)


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, other: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database, quotas=SMALL).register(gateway, other)


def of_rows(gateway: GatewayInVehicle, count: int, *, lane: Lane = Lane.NUMERIC) -> Envelope:
    return gateway.send_sections([section(readings(*[97.0] * count))], lane=lane)


def of_new_devices(gateway: GatewayInVehicle, count: int, *, first: int) -> Envelope:
    return gateway.send_sections(
        [section(readings(97.0), device=DeviceRef(f"{number:016x}", "")) for number in range(first, first + count)]
    )


async def quota_events(cloud: CloudUnderTest) -> list[tuple[str, str | None]]:
    return [(name, fields.get("quota")) for name, fields in await cloud.events() if name.startswith("ingest.quota")]


async def contents(cloud: CloudUnderTest) -> list[str]:
    return [row.content for row in await cloud.rows(batches)]


async def test_batches_over_the_row_quota_are_parked_and_acknowledged(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    sent = [of_rows(gateway, 60) for _ in range(3)]
    acks = [(await cloud.take(one))[-1] for one in sent]
    assert [ack.through_sequence for ack in acks] == [1, 2, 3]  # the lane continues: the envelopes are durable
    assert await contents(cloud) == ["rows", "parked", "parked"]
    assert len(await cloud.rows(observations)) == 60
    assert await quota_events(cloud) == [("ingest.quota_reached", "rows")]
    (row,) = await cloud.rows(gateway_quotas)
    assert (row.parked_batches, row.reached_quota) == (2, "rows")


async def test_parked_batches_are_processed_in_order_as_the_quota_refills(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(*[of_rows(gateway, 60) for _ in range(3)], gateway.send_event())
    assert await cloud.take_up() == 0
    cloud.clock.at_us += HOUR_US
    assert await cloud.take_up() == 1
    assert [row.sequence for row in await cloud.rows(parked_batches)] == [3]
    assert await contents(cloud) == ["rows", "rows", "rows", "parked"] or await contents(cloud) == [
        "rows",
        "rows",
        "parked",
        "rows",
    ]
    assert await quota_events(cloud) == [("ingest.quota_reached", "rows")]
    cloud.clock.at_us += HOUR_US
    assert await cloud.take_up() == 1
    assert len(await cloud.rows(observations)) == 180
    assert {row.sequence for row in await cloud.rows(observations)} == {1, 2, 3}
    assert await cloud.rows(parked_batches) == []
    assert await quota_events(cloud) == [("ingest.quota_reached", "rows"), ("ingest.quota_ended", None)]
    assert await cloud.rows(quarantined_batches) == []
    (row,) = await cloud.rows(gateway_quotas)
    assert (row.parked_batches, row.parked_bytes, row.reached_us) == (0, 0, None)


async def test_batch_of_a_gateway_is_stored_while_another_gateway_is_over_its_quota(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, other: GatewayInVehicle
):
    await cloud.take(*[of_rows(gateway, 60) for _ in range(5)], other.send(50.0))
    kept = {(row.lane_id, row.content) for row in await cloud.rows(batches)}
    assert len(kept) == 3
    assert 50.0 in [row.number for row in await cloud.rows(observations)]
    assert await cloud.take_up() == 0


async def test_live_batch_within_the_quota_is_stored_while_older_batches_are_parked(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(of_rows(gateway, 60), of_rows(gateway, 60))
    await cloud.take(gateway.send(42.0))
    assert await contents(cloud) == ["rows", "parked", "rows"]
    assert 42.0 in [row.number for row in await cloud.rows(observations)]


async def test_batch_is_parked_when_its_new_devices_exceed_the_device_quota(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(of_new_devices(gateway, 3, first=0), of_new_devices(gateway, 3, first=100))
    assert await contents(cloud) == ["rows", "parked"]
    assert len(await cloud.rows(devices)) == 3
    await cloud.take(of_new_devices(gateway, 3, first=0))
    assert await contents(cloud) == ["rows", "parked", "rows"]
    assert await quota_events(cloud) == [("ingest.quota_reached", "devices")]
    cloud.clock.at_us += 2 * HOUR_US
    assert await cloud.take_up() == 1
    assert len(await cloud.rows(devices)) == 6


async def test_batches_refused_at_the_limit_of_parked_batches_are_stored_when_resent(
    database: Database, gateway: GatewayInVehicle
):
    quotas = SMALL.model_copy(update={"parked_bytes_max": 2_500})
    cloud = await CloudUnderTest(database, quotas=quotas).register(gateway)
    sent = [of_rows(gateway, 60) for _ in range(6)]
    acks = [ack for one in sent for ack in await cloud.take(one)]
    parked = len(await cloud.rows(parked_batches))
    assert 1 <= parked < 5
    assert acks[-1].through_sequence == 1 + parked
    assert [event for event in await quota_events(cloud) if event[1] == "parked"] == [
        ("ingest.quota_reached", "parked")
    ]
    # The gateway resends what was not acknowledged, and nothing is lost.
    for _ in range(12):
        cloud.clock.at_us += HOUR_US
        await cloud.take_up()
        await cloud.take(*sent)
    cloud.clock.at_us += 6 * HOUR_US
    while await cloud.take_up():
        cloud.clock.at_us += HOUR_US
    assert len(await cloud.rows(observations)) == 6 * 60
    assert await contents(cloud) == ["rows"] * 6


async def test_declared_gap_refused_over_the_quota_is_stored_when_resent_after_the_refill(
    database: Database, gateway: GatewayInVehicle
):
    quotas = SMALL.model_copy(update={"bytes_burst": 2_000, "bytes_per_hour": 2_000})
    cloud = await CloudUnderTest(database, quotas=quotas).register(gateway)
    await cloud.take(gateway.send_raw(BatchKind.EPCR, b"x" * 1_800, lane=Lane.EPCR))
    lost = gateway.many(2)
    gap = gateway.gap(lost)
    (ack,) = await cloud.take(gap)
    assert ack.through_sequence == 0
    cloud.clock.at_us += HOUR_US
    (ack,) = await cloud.take(gap)
    assert ack.through_sequence == 2


async def test_batch_that_is_sent_repeatedly_counts_for_the_quota_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    envelope = of_rows(gateway, 60)
    for _ in range(5):
        await cloud.take(envelope)
    await cloud.take(of_rows(gateway, 40))
    assert await contents(cloud) == ["rows", "rows"]


async def test_highly_compressed_batches_add_no_more_rows_than_the_quota_allows(
    database: Database, gateway: GatewayInVehicle
):
    quotas = SMALL.model_copy(update={"rows_burst": 20_000})
    cloud = await CloudUnderTest(database, quotas=quotas).register(gateway)
    block = block_of_zeros(BLOCK_OBSERVATIONS_MAX, wall_offset_us=NOW_US)
    bombs = [gateway.send_raw(BatchKind.OBSERVATIONS, block, count=BLOCK_OBSERVATIONS_MAX) for _ in range(6)]
    assert sum(len(one.batch.payload) for one in bombs) < 30_000
    await cloud.take(*bombs)
    assert len(await cloud.rows(observations)) == 2 * BLOCK_OBSERVATIONS_MAX
    assert await contents(cloud) == ["rows", "rows", "parked", "parked", "parked", "parked"]


async def test_batch_payload_is_not_decoded_while_the_quota_is_exhausted(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(of_rows(gateway, 100))
    broken = gateway.send_raw(BatchKind.OBSERVATIONS, b"\x01\x05\x00\x00\x00nothing", count=1)
    await cloud.take(broken)
    assert await contents(cloud) == ["rows", "parked"]  # found unreadable only when it is taken up
    cloud.clock.at_us += 2 * HOUR_US
    assert await cloud.take_up() == 1
    assert await contents(cloud) == ["rows", "unreadable"]
    assert [row.reason for row in await cloud.rows(quarantined_batches)] == ["unreadable"]


async def test_batches_parked_by_one_process_are_processed_by_another_process(
    database: Database, cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(of_rows(gateway, 60), of_rows(gateway, 60))
    again = CloudUnderTest(database, clock=cloud.clock, quotas=SMALL)  # another process, without state in memory
    assert await again.take_up() == 0
    await again.take(of_rows(gateway, 60))
    assert await contents(again) == ["rows", "parked", "parked"]
    cloud.clock.at_us += 10 * HOUR_US
    assert await again.take_up() == 1
    cloud.clock.at_us += 10 * HOUR_US
    assert await again.take_up() == 1
    assert len(await again.rows(observations)) == 180


async def test_parked_event_batches_are_stored_as_events_when_the_quota_has_refilled(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(of_rows(gateway, 100))
    await cloud.take(gateway.send_event())
    assert await cloud.rows(gateway_events) == []
    cloud.clock.at_us += 2 * HOUR_US
    await cloud.take_up()
    assert [row.name for row in await cloud.rows(gateway_events)] == ["device.connected"]


def test_default_quotas_exceed_the_data_rate_and_the_72_hour_backlog_of_a_normal_vehicle():
    """A normal vehicle sends up to 75 observations and 29 kB a second (sent and unpacked). The quotas allow 72 h of
    this at once, and four times this rate for ever."""
    settings = IngestSection()
    assert settings.rows_burst >= 75 * 3_600 * 72
    assert settings.rows_per_hour >= 4 * 75 * 3_600
    assert settings.bytes_burst >= 29_000 * 3_600 * 72
    assert settings.bytes_per_hour >= 4 * 29_000 * 3_600
    assert settings.bytes_burst >= 2 * (4 << 30)  # a gateway's whole store, and the same size again unpacked
    assert settings.devices_burst >= 20


@pytest.mark.parametrize("quota", Quota)
def test_configured_burst_empties_a_full_quota_bucket_exactly(quota: Quota):
    settings = IngestSection()
    (bucket,) = [bucket for bucket in buckets_of(settings) if bucket.quota is quota]
    burst: int = getattr(settings, f"{quota.value}_burst")
    assert bucket.cost_us(burst, 1.0) == pytest.approx(bucket.burst_us, rel=1e-6)
    assert bucket.cost_us(burst, 4.0) == pytest.approx(bucket.burst_us / 4, rel=1e-6)


def test_quotas_have_the_same_order_in_buckets_and_costs_and_table_rows():
    assert [bucket.quota for bucket in buckets_of(IngestSection())] == list(Quota)
    assert Need._fields == tuple(quota.value for quota in Quota)
    assert len(QuotaRow().until_us) == len(Quota)


async def test_parked_batch_that_causes_a_programming_error_does_not_block_another_gateway(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, other: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    await cloud.take(*[of_rows(one, 60) for one in (gateway, gateway, other, other)])
    cloud.clock.at_us += HOUR_US

    def unpack_all_but_ours(batch: Batch) -> UnpackedContent:
        if batch.gateway == gateway.gateway:
            raise RuntimeError("a mistake")
        return unpack(batch)

    monkeypatch.setattr("cloud.vehicles.ingest.take_up.unpack", unpack_all_but_ours)
    assert await cloud.take_up() == 1
    assert [row.gateway_id for row in await cloud.rows(parked_batches)] == [gateway.gateway]
    monkeypatch.undo()
    assert await cloud.take_up() == 1
