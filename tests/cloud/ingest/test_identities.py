"""A replaced gateway, a cloud restored from a backup, and two gateways with one identity end in documented states."""

from dataclasses import replace

import pytest

from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches, lanes, quarantined_batches
from cloud.vehicles.fleet import GatewayDirectory
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.epochs import DRAIN_US
from cloud.vehicles.ingest.tables import gateway_epochs
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status, StoreState
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.builders.statement_count import CountingDatabase


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


def status(
    *, epoch: str = "epoch-a", online: bool = True, gateway: str = "gw_test", store: StoreState = StoreState.OK
) -> Status:
    return Status(
        gateway=gateway,
        epoch=epoch,
        online=online,
        at_us=NOW_US,
        boot_id="boot-1",
        software="1.0",
        marks={},
        store=store,
    )


async def contested(cloud: CloudUnderTest) -> list[dict[str, object]]:
    return [payload for kind, payload in await cloud.events() if kind == event_types.IDENTITY_CONTESTED]


async def test_gateway_with_a_new_store_starts_a_new_epoch_and_the_earlier_epoch_is_kept(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(*gateway.many(3))
    replacement = GatewayInVehicle(epoch="epoch-b")
    (ack,) = await cloud.take(*replacement.many(2))
    assert (ack.epoch, ack.through_sequence) == ("epoch-b", 2)
    assert [payload for _, payload in await cloud.events()] == [
        {"gateway_id": "gw_test", "epoch": "epoch-a", "replaces": None},
        {"gateway_id": "gw_test", "epoch": "epoch-b", "replaces": "epoch-a"},
    ]
    assert len(await cloud.rows(observations)) == 5
    assert await contested(cloud) == []


async def test_late_batches_of_a_replaced_epoch_are_stored_without_a_contested_identity_event(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send())
    cloud.clock.at_us += 1_000_000
    await cloud.take(GatewayInVehicle(epoch="epoch-b").send())
    cloud.clock.at_us += DRAIN_US - 1
    await cloud.take(gateway.send())
    assert len(await cloud.rows(observations)) == 3
    assert await contested(cloud) == []


@pytest.mark.finding("reliability-B")
async def test_historical_batches_of_a_replaced_epoch_are_stored_without_a_contested_identity_event(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send())
    cloud.clock.at_us += 1_000_000
    await cloud.take(GatewayInVehicle(epoch="epoch-b").send())
    cloud.clock.at_us += 10 * DRAIN_US
    await cloud.take(replace(gateway.send(), historical=True))
    unknown = GatewayInVehicle(epoch="epoch-0")
    await cloud.take(replace(unknown.send(), historical=True))
    cloud.clock.at_us += 10 * DRAIN_US
    await cloud.take(replace(unknown.send(), historical=True))
    assert len(await cloud.rows(observations)) == 5
    assert await contested(cloud) == []
    started = [payload["epoch"] for kind, payload in await cloud.events() if kind == event_types.EPOCH_STARTED]
    assert started == ["epoch-a", "epoch-b"]


async def test_new_epoch_becomes_current_with_its_first_live_batch_when_its_backlog_arrives_earlier(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send())
    cloud.clock.at_us += 10 * DRAIN_US
    replacement = GatewayInVehicle(epoch="epoch-b")
    await cloud.take(replace(replacement.send(), historical=True))
    cloud.clock.at_us += 10 * DRAIN_US
    await cloud.take(replacement.send())
    assert await contested(cloud) == []
    assert [payload for kind, payload in await cloud.events() if kind == event_types.EPOCH_STARTED][-1] == {
        "gateway_id": "gw_test",
        "epoch": "epoch-b",
        "replaces": "epoch-a",
    }


async def test_batches_of_two_alternating_epochs_are_stored_and_reported_once_as_contested_identity(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    rival = GatewayInVehicle(epoch="epoch-b")
    await cloud.take(gateway.send())
    cloud.clock.at_us += 1_000_000
    await cloud.take(rival.send())
    for _ in range(3):
        cloud.clock.at_us += DRAIN_US
        await cloud.take(gateway.send())
        await cloud.take(rival.send())
    assert await contested(cloud) == [{"gateway_id": "gw_test", "epoch": "epoch-a", "instead_of": "epoch-b"}]
    assert len(await cloud.rows(observations)) == 8
    marked = {row.epoch: row.contested_us is not None for row in await cloud.rows(gateway_epochs)}
    assert marked == {"epoch-a": True, "epoch-b": False}


async def test_different_batch_with_the_sequence_of_a_stored_batch_is_quarantined_and_reported_in_the_ack(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    copied_disk = GatewayInVehicle()
    await cloud.take(gateway.send(97.0), gateway.send(96.0))
    copied_disk.send(97.0)
    (ack,) = await cloud.take(copied_disk.send(41.0))
    assert (ack.conflict, ack.through_sequence) == (True, 2)
    (aside,) = await cloud.rows(quarantined_batches)
    assert (aside.reason, aside.sequence, aside.octets is not None) == ("conflict", 2, True)
    assert [row.number for row in await cloud.rows(observations)] == [97.0, 96.0]
    assert await contested(cloud) == [{"gateway_id": "gw_test", "epoch": "epoch-a", "lane": "numeric", "sequence": 2}]
    (later,) = await cloud.take(gateway.send(95.0))
    assert (later.conflict, later.through_sequence) == (True, 3)


async def test_gateway_status_is_stored_and_acknowledged_once_for_each_lane(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent, shown = gateway.many(3), gateway.many(2, lane=Lane.WAVEFORM)
    await cloud.take(*sent, gateway.gap(shown))
    acks = await cloud.take(cloud.handover.status_delivery(status()))
    assert {ack.lane: (ack.through_sequence, ack.through_hash) for ack in acks} == {
        Lane.EVENT: (0, None),
        Lane.EPCR: (0, None),
        Lane.NUMERIC: (3, sent[-1].batch.hash),
        Lane.WAVEFORM: (2, shown[-1].batch.hash),
    }
    async with cloud.database.read() as tx:
        found = await GatewayDirectory().find(tx, "ten_test", "gw_test")
    assert found is not None
    assert found.status is not None
    assert (found.status.online, found.status.software) == (True, "1.0")


@pytest.mark.finding("security-2")
async def test_statuses_that_report_a_contested_store_publish_one_contested_identity_event_per_epoch(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send())
    for store in (StoreState.OK, StoreState.CONTESTED) * 3:
        await cloud.take(cloud.handover.status_delivery(status(store=store)))
    assert await contested(cloud) == [{"gateway_id": "gw_test", "epoch": "epoch-a", "seen_by": "gateway"}]


async def test_no_contested_identity_event_is_published_for_a_status_of_an_epoch_without_batches(
    cloud: CloudUnderTest,
):
    for epoch in ("epoch-x", "epoch-y"):
        await cloud.take(cloud.handover.status_delivery(status(epoch=epoch, store=StoreState.CONTESTED)))
    assert await contested(cloud) == []


@pytest.mark.finding("security-2")
async def test_queued_status_messages_of_one_gateway_are_stored_and_acknowledged_as_a_single_status(
    database: Database, gateway: GatewayInVehicle
):
    counted = CountingDatabase(database)
    cloud = await CloudUnderTest(counted).register(gateway)
    statements = []
    for count in (1, 60):
        before = counted.statements
        said = [status(online=number % 2 == 0) for number in range(count - 1)]
        acks = await cloud.take(*[cloud.handover.status_delivery(one) for one in [*said, status()]])
        assert len(acks) == len(Lane)
        statements.append(counted.statements - before)
    assert statements[1] <= statements[0], "the first one reports the connection as well"
    assert len(cloud.handover.accepted) == 61


async def test_acknowledgement_of_a_status_includes_batches_stored_in_the_same_transaction(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    acks = await cloud.take(cloud.handover.status_delivery(status()), *gateway.many(4))
    assert [ack.through_sequence for ack in acks if ack.lane is Lane.NUMERIC][-1] == 4


async def test_mqtt_will_of_a_gateway_is_stored_as_its_offline_status_without_an_acknowledgement(cloud: CloudUnderTest):
    assert await cloud.take(cloud.handover.status_delivery(status())) != []
    assert await cloud.take(cloud.handover.status_delivery(status(online=False))) == []
    async with cloud.database.read() as tx:
        found = await GatewayDirectory().find(tx, "ten_test", "gw_test")
    assert found is not None
    assert found.status is not None
    assert not found.status.online


async def test_malformed_status_or_status_of_an_unregistered_gateway_is_not_acknowledged(
    cloud: CloudUnderTest,
):
    delivery = cloud.handover.status_delivery(status(gateway="gw_stranger"))
    assert await cloud.take(delivery) == []
    (nonsense,) = [cloud.handover.status_delivery(status())]
    object.__setattr__(nonsense, "octets", b"{")
    assert await cloud.take(nonsense) == []
    assert len(cloud.handover.accepted) == 2


async def test_cloud_restored_from_a_backup_acknowledges_its_restored_state_and_stores_resent_batches(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    yesterday, today = gateway.many(3), gateway.many(3)
    await cloud.take(*yesterday)
    # The restored cloud holds what the copy held; the gateway had an acknowledgement of all of today.
    acks = await cloud.take(cloud.handover.status_delivery(status()))
    (numeric,) = [ack for ack in acks if ack.lane is Lane.NUMERIC]
    assert numeric.through_sequence == 3
    # The gateway resends what retention kept, and a gap for the rest.
    (ack,) = await cloud.take(gateway.gap(today[:1]), *today[1:])
    assert ack.through_sequence == 6
    assert {row.link for row in await cloud.rows(batches)} == {"linked"}


async def test_lanes_of_different_epochs_and_gateways_have_separate_acknowledged_sequences(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    neighbour = GatewayInVehicle(gateway="gw_neighbour", key_seed=3)
    await cloud.register_gateway(neighbour)
    await cloud.take(*gateway.many(2), *neighbour.many(3), *GatewayInVehicle(epoch="epoch-b").many(1))
    marks = {(row.gateway_id, row.epoch): row.through_sequence for row in await cloud.rows(lanes)}
    assert marks == {("gw_test", "epoch-a"): 2, ("gw_neighbour", "epoch-a"): 3, ("gw_test", "epoch-b"): 1}
