"""No batch is quarantined because the database is full, unavailable or slow, or because of a programming error."""

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cloud.clinical.devices import Devices
from cloud.clinical.observations.rows import ObservationColumns
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database, Transaction, TransactionTooSlow, ValueRefused, open_database
from cloud.vehicles.custody.tables import batches, quarantined_batches
from cloud.vehicles.ingest import Ingest, IngestSettings
from cloud.vehicles.ingest.delivery_group import PART_MEMBERS_MAX
from cloud.vehicles.ingest.group import GroupWriter, Written
from cloud.vehicles.ingest.limits import SLOW_ATTEMPTS_MAX
from cloud.vehicles.ingest.opening import Opened, Refused
from cloud.vehicles.verification.reprocess import Reprocessing
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.harness.buffer_small_disk import ballast, small_disk
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.postgresql import PostgresqlCluster, postgresql_running


async def assert_stored_once(cloud: CloudUnderTest, count: int) -> None:
    """Assert that batches 1 to `count` are stored once with one observation each, and no batch is quarantined."""
    assert [(row.sequence, row.content) for row in await cloud.rows(batches)] == [
        (sequence, "rows") for sequence in range(1, count + 1)
    ]
    assert [row.sequence for row in await cloud.rows(observations)] == list(range(1, count + 1))
    assert len(await cloud.rows(quarantined_batches)) == 0


async def test_batches_received_while_the_disk_is_full_are_stored_when_space_is_available(
    migrated_sqlite: Path, tmp_path: Path, gateway: GatewayInVehicle
):
    with small_disk(tmp_path / "disk", megabytes=8) as disk:
        shutil.copy(migrated_sqlite, disk / "cloud.db")
        database = await open_database(f"sqlite:///{disk / 'cloud.db'}")
        cloud = await CloudUnderTest(database).register(gateway)
        await cloud.take(*gateway.many(2))
        filler = ballast(disk)
        taking = asyncio.ensure_future(cloud.take(*gateway.many(200)))
        # The log file may have some free space; then the disk is full, and remains so.
        await asyncio.wait([taking], timeout=0.3)
        assert not taking.done()
        assert len(cloud.handover.accepted) == 2
        filler.unlink()
        async with asyncio.timeout(WITHIN_S):
            acks = await taking
        assert acks[-1].through_sequence == 202
        await assert_stored_once(cloud, 202)
        await database.close()


@pytest.fixture
def own_server() -> Iterator[PostgresqlCluster]:
    """Run a PostgreSQL server that a test may stop, which is not possible with the server of the test session."""
    with postgresql_running() as cluster:
        yield cluster


@pytest.mark.pg
async def test_repeated_crashes_of_the_database_server_lose_no_batch(
    own_server: PostgresqlCluster, gateway: GatewayInVehicle
):
    with own_server.database() as url:
        database = await open_database(url)
        cloud = await CloudUnderTest(database).register(gateway)

        async def send() -> None:
            for _ in range(60):
                await cloud.take(*gateway.many(5))

        sending = asyncio.ensure_future(send())
        for crash in range(3):
            await eventually(lambda crash=crash: len(cloud.handover.acks) >= 10 * (crash + 1))
            await asyncio.to_thread(own_server.crash)
            await asyncio.to_thread(own_server.start)
        async with asyncio.timeout(WITHIN_S):
            await sending
        await assert_stored_once(cloud, 300)
        assert cloud.handover.acks[-1][1].through_sequence == 300
        await database.close()


class Mistaken(GroupWriter):
    """A writer with a programming error, which raises KeyError for the sequences in `wrong_at`."""

    wrong_at: frozenset[int] = frozenset()

    async def write(self, tx: Transaction, opened: Sequence[Opened], refused: Sequence[Refused]) -> Written:
        written = await super().write(tx, opened, refused)
        if any(one.batch.sequence in self.wrong_at for one in opened):
            raise KeyError("a mistake of ours")
        return written


async def test_batch_that_causes_a_programming_error_is_stored_when_resent_after_the_repair(
    database: Database, gateway: GatewayInVehicle
):
    cloud = await CloudUnderTest(database).register(gateway)
    mistaken = writer_of(cloud, Mistaken)
    assert isinstance(mistaken, Mistaken)
    mistaken.wrong_at = frozenset({2})
    sent = gateway.many(3)
    cloud.ingest = Ingest(database=database, writer=mistaken, clock=cloud.clock)
    acks = await cloud.take(*sent)
    assert (acks[-1].through_sequence, acks[-1].missing) == (1, ((2, 2),))
    assert [row.sequence for row in await cloud.rows(batches)] == [1, 3]
    assert len(await cloud.rows(quarantined_batches)) == 0
    mistaken.wrong_at = frozenset()
    (ack,) = await cloud.take(sent[1])
    assert ack.through_sequence == 3
    await assert_stored_once(cloud, 3)


class SlowTogether(GroupWriter):
    """A writer whose transaction takes too long if it has to store more than one batch."""

    async def write(self, tx: Transaction, opened: Sequence[Opened], refused: Sequence[Refused]) -> Written:
        if len(opened) > 1:
            raise TransactionTooSlow
        return await super().write(tx, opened, refused)


def writer_of(cloud: CloudUnderTest, kind: type[GroupWriter]) -> GroupWriter:
    whole = cloud.writer()
    return kind(devices=whole.devices, outbox=whole.outbox, numbers=whole.numbers, clock=cloud.clock)


async def test_batches_of_a_group_are_written_one_by_one_when_the_group_transaction_times_out(
    database: Database, gateway: GatewayInVehicle
):
    cloud = await CloudUnderTest(database).register(gateway)
    cloud.ingest = Ingest(
        database=database,
        writer=writer_of(cloud, SlowTogether),
        clock=cloud.clock,
        settings=IngestSettings(retry_least_s=0.001, retry_most_s=0.002),
    )
    acks = await cloud.take(*gateway.many(4))
    assert acks[-1].through_sequence == 4
    await assert_stored_once(cloud, 4)


class SlowAt(GroupWriter):
    """A writer whose transaction takes too long if it has to store observation rows of a batch with a sequence in
    `slow_at`."""

    slow_at: frozenset[int] = frozenset()
    attempts = 0

    async def write(self, tx: Transaction, opened: Sequence[Opened], refused: Sequence[Refused]) -> Written:
        if any(one.batch.sequence in self.slow_at and isinstance(one.content, ObservationColumns) for one in opened):
            self.attempts += 1
            raise TransactionTooSlow
        return await super().write(tx, opened, refused)


def ingest_with(cloud: CloudUnderTest, writer: GroupWriter) -> Ingest:
    settings = IngestSettings(retry_least_s=0.001, retry_most_s=0.002)
    return Ingest(database=cloud.database, writer=writer, clock=cloud.clock, settings=settings)


@pytest.mark.finding("security-2")
@pytest.mark.parametrize("others", [0, 3])
async def test_batch_is_quarantined_after_three_write_timeouts_and_other_batches_are_stored(
    database: Database, gateway: GatewayInVehicle, others: int
):
    cloud = await CloudUnderTest(database).register(gateway)
    slow = writer_of(cloud, SlowAt)
    assert isinstance(slow, SlowAt)
    slow.slow_at = frozenset({1})
    cloud.ingest = ingest_with(cloud, slow)
    async with asyncio.timeout(WITHIN_S):
        acks = await cloud.take(*gateway.many(1 + others))
    assert acks[-1].through_sequence == 1 + others or acks[0].through_sequence == 1 + others
    assert slow.attempts == (SLOW_ATTEMPTS_MAX if not others else SLOW_ATTEMPTS_MAX + 2)
    assert [row.content for row in await cloud.rows(batches)] == ["unreadable"] + ["rows"] * others
    assert [row.reason for row in await cloud.rows(quarantined_batches)] == ["too_slow"]
    payloads = [payload for name, payload in await cloud.events() if name == "ingest.batch_set_aside"]
    assert [(one["sequence"], one["why"]) for one in payloads] == [(1, "too_slow")]
    assert len(cloud.handover.accepted) == 1 + others
    done = await Reprocessing(database, Devices(cloud.ids)).run(TENANT)
    assert (done.unpacked, done.still_unreadable) == (1, 0)
    assert [row.content for row in await cloud.rows(batches)] == ["rows"] * (1 + others)
    assert await cloud.rows(quarantined_batches) == []


@pytest.mark.finding("security-2")
async def test_other_batches_of_a_group_are_written_before_the_batch_that_timed_out_is_retried(
    database: Database, gateway: GatewayInVehicle
):
    cloud = await CloudUnderTest(database).register(gateway)
    order: list[tuple[int, ...]] = []

    class Watched(SlowAt):
        async def write(self, tx: Transaction, opened: Sequence[Opened], refused: Sequence[Refused]) -> Written:
            if len(opened) == 1:
                order.append(tuple(one.batch.sequence for one in opened))
            return await super().write(tx, opened, refused)

    slow = writer_of(cloud, Watched)
    assert isinstance(slow, Watched)
    slow.slow_at = frozenset({1})
    cloud.ingest = ingest_with(cloud, slow)
    await cloud.take(*gateway.many(3))
    assert order == [(1,), (2,), (3,), (1,), (1,), (1,)]


class RefusedAt(GroupWriter):
    """A writer whose database refuses the rows of the batches with a sequence in `refused_at`. `groups` are the numbers
    of batches in the transactions that were tried."""

    refused_at: frozenset[int] = frozenset()

    async def write(self, tx: Transaction, opened: Sequence[Opened], refused: Sequence[Refused]) -> Written:
        self.groups = [*getattr(self, "groups", ()), len(opened)]
        if any(one.batch.sequence in self.refused_at and isinstance(one.content, ObservationColumns) for one in opened):
            raise ValueRefused
        return await super().write(tx, opened, refused)


async def test_refused_batch_of_a_large_group_costs_few_further_transactions(
    database: Database, gateway: GatewayInVehicle
):
    """A gateway that sends one such batch with each group must not make each of the others a transaction of its own."""
    cloud = await CloudUnderTest(database).register(gateway)
    writer = writer_of(cloud, RefusedAt)
    assert isinstance(writer, RefusedAt)
    writer.refused_at = frozenset({100})
    cloud.ingest = ingest_with(cloud, writer)
    acks = await cloud.take(*gateway.many(160))
    assert acks[-1].through_sequence == 160
    contents = {row.sequence: row.content for row in await cloud.rows(batches)}
    assert contents == {sequence: "unreadable" if sequence == 100 else "rows" for sequence in range(1, 161)}
    parts = 160 // PART_MEMBERS_MAX
    assert writer.groups[: parts // 2] == [160, *[PART_MEMBERS_MAX] * (parts // 2 - 1)]
    assert len(writer.groups) == 1 + parts + PART_MEMBERS_MAX + 1
    assert len(cloud.handover.accepted) == 160
