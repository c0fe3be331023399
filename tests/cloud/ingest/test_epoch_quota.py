"""A gateway that begins new epochs repeatedly, as an attacker with a stolen box could, adds only a limited number of
rows.

An epoch is one life of a gateway's store.
"""

from dataclasses import replace

import pytest

from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches, lanes, quarantined_batches
from cloud.vehicles.ingest.figures import change_quota, list_quotas
from cloud.vehicles.ingest.missing import MISSING_AFTER_US
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.tables import gateway_epochs
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Mark, Status
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle

pytestmark = pytest.mark.finding("security-2")

HOUR_US = 3_600_000_000
EPOCHS = 16


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


def store(number: int) -> GatewayInVehicle:
    """Return the test's gateway with its usual key and a replaced store, whose epoch has this number."""
    return GatewayInVehicle(epoch=f"epoch-{number:04}")


async def epochs(cloud: CloudUnderTest) -> list[str]:
    return [row.epoch for row in await cloud.rows(gateway_epochs)]


async def reached(cloud: CloudUnderTest) -> list[str]:
    return [fields["quota"] for name, fields in await cloud.events() if name == "ingest.quota_reached"]


async def use_up(cloud: CloudUnderTest) -> None:
    for number in range(EPOCHS):
        await cloud.take(store(number).send())


@pytest.mark.parametrize("together", [True, False])
async def test_new_epochs_of_a_gateway_over_its_epoch_quota_add_no_rows_and_are_reported_once(
    cloud: CloudUnderTest, together: bool
):
    sent = [store(number).send() for number in range(3 * EPOCHS)]
    for group in [sent] if together else [[one] for one in sent]:
        await cloud.take(*group)
    assert len(await epochs(cloud)) == EPOCHS
    assert len(await cloud.rows(lanes)) == len(await cloud.rows(batches)) == EPOCHS
    assert await cloud.rows(quarantined_batches) == []
    assert [name for name, _ in await cloud.events()].count("gateway.epoch_started") == EPOCHS
    assert await reached(cloud) == ["epochs"]


async def test_historical_batches_of_unknown_epochs_count_for_the_epoch_quota(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send())
    for number in range(2 * EPOCHS):
        await cloud.take(replace(store(number).send(), historical=True))
    assert len(await epochs(cloud)) == len(await cloud.rows(lanes)) == EPOCHS


async def test_batches_refused_over_the_epoch_quota_are_stored_when_resent_after_the_refill(cloud: CloudUnderTest):
    await use_up(cloud)
    late = store(99)
    sent: list[Envelope] = [late.send(), late.send(), late.send_event()]
    assert await cloud.take(*sent) == []
    assert len(cloud.handover.accepted) == EPOCHS + 3  # the broker need not keep it: the gateway resends it
    cloud.clock.at_us += HOUR_US
    acks = await cloud.take(*sent)
    assert {(ack.lane, ack.through_sequence) for ack in acks} == {(Lane.NUMERIC, 2), (Lane.EVENT, 1)}
    assert "epoch-0099" in await epochs(cloud)
    await cloud.take(store(100).send())
    assert await reached(cloud) == ["epochs", "epochs"], "it had ended in between"


async def test_batches_of_known_epochs_are_stored_when_the_epoch_quota_is_exhausted(cloud: CloudUnderTest):
    boxes = [store(number) for number in range(EPOCHS)]
    for box in boxes:
        await cloud.take(box.send())
    backlog = [replace(box.send(), historical=True) for box in boxes] + [boxes[-1].send(lane=Lane.WAVEFORM)]
    acks = await cloud.take(*backlog, store(99).send())
    assert len(acks) == EPOCHS + 1
    assert len(await cloud.rows(batches)) == 2 * EPOCHS + 1


async def test_epoch_known_by_its_historical_batches_can_become_current_when_the_quota_is_exhausted(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    spare = store(0)
    await cloud.take(gateway.send())
    await cloud.take(replace(spare.send(), historical=True))
    for number in range(1, EPOCHS):
        await cloud.take(store(number).send())
    assert [ack.through_sequence for ack in await cloud.take(spare.send())] == [2]


async def test_exhausted_epoch_quota_of_one_gateway_does_not_block_the_first_epoch_of_another_gateway(
    cloud: CloudUnderTest,
):
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    await cloud.register_gateway(other)
    await use_up(cloud)
    acks = await cloud.take(store(99).send(), other.send())
    assert [ack.epoch for ack in acks] == [other.epoch]


@pytest.mark.parametrize(("factor", "refill", "wait_us"), [(4.0, False, HOUR_US // 4), (1.0, True, 0)])
async def test_operator_command_raises_or_refills_the_epoch_quota(
    cloud: CloudUnderTest, factor: float, refill: bool, wait_us: int
):
    await use_up(cloud)
    late = store(99).send()
    assert await cloud.take(late) == []
    async with cloud.database.read() as tx:
        (row,) = await list_quotas(tx, OPERATOR, IngestSection(), gateway_id=None, now_us=cloud.clock.at_us)
    assert row["epochs_used_percent"] == pytest.approx(100, abs=1)
    assert row["epochs_held_back_at"] is not None
    async with cloud.database.transaction() as tx:
        await change_quota(tx, OPERATOR, "gw_test", factor=factor, refill=refill)
    cloud.clock.at_us += wait_us
    assert len(await cloud.take(late)) == 1


async def test_two_ingest_workers_share_the_epoch_quota_of_a_gateway(cloud: CloudUnderTest):
    other = CloudUnderTest(cloud.database, clock=cloud.clock)
    for number in range(2 * EPOCHS):
        await (cloud if number % 2 else other).take(store(number).send())
    assert len(await epochs(cloud)) == EPOCHS


async def test_batches_over_the_epoch_quota_are_not_reported_as_missing(cloud: CloudUnderTest):
    await use_up(cloud)
    await cloud.take(store(99).send())
    marks = {Lane.NUMERIC: Mark(1, 1, 0, ((1, 1),))}
    status = Status(
        gateway="gw_test", epoch="epoch-0099", online=True, at_us=NOW_US, boot_id="boot-1", software="1", marks=marks
    )
    for _ in range(2):
        await cloud.take(cloud.handover.status_delivery(status))
        cloud.clock.at_us += MISSING_AFTER_US
    assert "ingest.missing" not in [name for name, _ in await cloud.events()]
