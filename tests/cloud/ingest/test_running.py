"""Several ingest workers at once, an unavailable database, and a stop in the middle of a group of batches."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from cloud.clinical.devices.tables import devices
from cloud.clinical.observations.tables import observations, stored_measurements
from cloud.foundation.db import Database, DatabaseUnavailable, Prepared, Transaction
from cloud.foundation.db.prepared import Values
from cloud.vehicles.custody.tables import batches, lanes
from cloud.vehicles.ingest import Ingest, IngestSettings
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section
from tests.builders.ingest_kinds import BEDSIDE_TIME, CUFF, PRESSURE, one
from tests.builders.ingest_source import ListedSource, SlowAnswers
from tests.harness.eventually import eventually


class DatabaseAway:
    """A wrapper of a database, whose first `times` transactions fail as if the database were unavailable."""

    def __init__(self, database: Database, *, times: int) -> None:
        self._database = database
        self.times = times
        self.dialect = database.dialect

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self._away()
        async with self._database.transaction() as tx:
            yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        self._away()
        async with self._database.read() as tx:
            yield tx

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        self._away()
        return await self._database.peek(statement, values)

    async def close(self) -> None:
        await self._database.close()

    def _away(self) -> None:
        if self.times:
            self.times -= 1
            raise DatabaseUnavailable


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


@pytest.mark.parametrize("seed", range(3))
async def test_three_workers_that_receive_the_same_batches_in_any_order_store_each_batch_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, seed: int
):
    chance = random.Random(seed)
    memory = [one(PRESSURE, (float(number), 80.0), device_time=BEDSIDE_TIME) for number in range(4)]
    sent = [
        *gateway.many(25),
        *(gateway.send_sections([section(memory, device=CUFF, stored=True)]) for _ in range(5)),
        *(gateway.send_sections([section(readings(1.0), device=CUFF)]) for _ in range(5)),
    ]
    workers = [CloudUnderTest(cloud.database) for _ in range(3)]

    async def work(worker: CloudUnderTest) -> None:
        mine = chance.sample(sent, len(sent))
        for begin in range(0, len(mine), 7):
            await worker.take(*mine[begin : begin + 7])

    await asyncio.gather(*(work(worker) for worker in workers))
    assert {row.link for row in await cloud.rows(batches)} == {"linked"}
    assert [row.through_sequence for row in await cloud.rows(lanes)] == [35]
    assert len(await cloud.rows(observations)) == 25 + 4 + 5
    assert len(await cloud.rows(stored_measurements)) == 4
    assert len(await cloud.rows(devices)) == 2
    assert len({(row.sequence, row.position) for row in await cloud.rows(observations)}) == 34


async def test_measurements_in_a_device_memory_read_by_two_gateways_concurrently_are_stored_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    neighbour = GatewayInVehicle(gateway="gw_neighbour", key_seed=3)
    await cloud.register_gateway(neighbour)
    workers = CloudUnderTest(cloud.database), CloudUnderTest(cloud.database)
    for day in range(6):
        memory = section(
            [one(PRESSURE, (float(number), float(day)), device_time=BEDSIDE_TIME) for number in range(30)],
            device=CUFF,
            stored=True,
        )
        await asyncio.gather(
            workers[0].take(gateway.send_sections([memory]), gateway.send()),
            workers[1].take(neighbour.send_sections([memory]), neighbour.send()),
        )
    assert len(await cloud.rows(stored_measurements)) == 6 * 30
    assert len(await cloud.rows(observations)) == 6 * 30 + 12
    assert {row.content for row in await cloud.rows(batches)} == {"rows"}


async def test_group_of_batches_received_during_a_database_outage_is_stored_after_the_outage(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    away = DatabaseAway(cloud.database, times=0)
    settings = IngestSettings(retry_least_s=0.001, retry_most_s=0.002)
    ingest = Ingest(database=away, writer=cloud.writer(), clock=cloud.clock, settings=settings)
    away.times = 3
    (group,) = await ingest.opener.open([cloud.handover.delivery(envelope) for envelope in gateway.many(2)])
    assert away.times == 0
    away.times = 3
    await ingest.write(group, cloud.handover)
    assert [ack.through_sequence for _, ack in cloud.handover.acks] == [2]
    assert len(cloud.handover.accepted) == 2
    assert {row.content for row in await cloud.rows(batches)} == {"rows"}


async def test_ingest_stores_and_acknowledges_the_group_in_progress_before_it_stops(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    source = ListedSource([cloud.handover.delivery(envelope) for envelope in gateway.many(3)])
    answers = SlowAnswers()
    running = asyncio.ensure_future(cloud.ingest.run(source, answers))
    await answers.asked.wait()
    running.cancel()
    await asyncio.sleep(0)
    answers.let.set()
    with suppress(asyncio.CancelledError):
        await running
    assert [ack.through_sequence for ack in answers.acks] == [3]
    assert len(cloud.handover.accepted) == 3


async def test_queued_batches_are_stored_in_transactions_of_bounded_size(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    settings = IngestSettings(group_batches_max=10, group_observations_max=25)
    ingest = Ingest(database=cloud.database, writer=cloud.writer(), clock=cloud.clock, settings=settings)
    envelopes = [gateway.send(*(float(number) for number in range(10))) for _ in range(8)]
    groups = await ingest.opener.open([cloud.handover.delivery(envelope) for envelope in envelopes])
    assert [group.observations for group in groups] == [30, 30, 20]
    source = ListedSource([cloud.handover.delivery(envelope) for envelope in [*envelopes, *gateway.many(30)]])
    running = asyncio.ensure_future(ingest.run(source, cloud.handover))
    await eventually(lambda: cloud.handover.acks and cloud.handover.acks[-1][1].through_sequence == 38)
    running.cancel()
    await asyncio.wait([running])
    assert len(await cloud.rows(observations)) == 110
