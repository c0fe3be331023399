"""PostgreSQL's planner has statistics of a table soon after the first rows, before autovacuum analyses the table."""

import pytest
from sqlalchemy import text

from cloud.clinical.observations.tables import observation_minutes, stored_measurements
from cloud.foundation.db import Database, Transaction, open_database
from cloud.foundation.db.partitions import ANALYZED_AFTER, DayPartitions
from cloud.foundation.db.statistics import CHANGED_ROWS_LEAST, refresh_statistics
from tests.harness.postgresql import PostgresqlCluster

FLUSH = text("SELECT pg_stat_force_next_flush()")
KNOWN_ROWS = text("SELECT reltuples FROM pg_class WHERE oid = 'stored_measurements'::regclass")
HOT = ("batches", "gateway_quotas", "lanes", "observations", "spans", "observation_minutes_19700102")
SETTINGS = text(
    "SELECT relname, array_to_string(reloptions, ',') FROM pg_class WHERE relname = ANY(CAST(:names AS text[]))"
)


async def add(tx: Transaction, first: int, count: int) -> None:
    rows = [("ten_1", number.to_bytes(4), 1, 1, 1) for number in range(first, first + count)]
    await tx.driver.append(stored_measurements, stored_measurements.c.keys(), rows)
    await tx.execute(FLUSH)


async def refresh(database: Database) -> int:
    async with database.transaction() as tx:
        done = await refresh_statistics(tx, 0)
        await tx.execute(FLUSH)
    return done


@pytest.mark.pg
@pytest.mark.finding("reliability-H")
async def test_table_statistics_are_updated_after_the_first_rows_and_after_substantial_growth(
    postgresql: PostgresqlCluster,
) -> None:
    with postgresql.database() as url:
        database = await open_database(url)
        await refresh(database)  # rows of the previous test
        known = []
        for first, count in ((0, 10), (10, CHANGED_ROWS_LEAST), (510, 100), (610, 2_000)):
            async with database.transaction() as tx:
                await add(tx, first, count)
            await refresh(database)
            async with database.read() as tx:
                known.append(int((await tx.execute(KNOWN_ROWS)).scalar()))
        assert known[1:] == [510, 510, 2_610]
        assert await refresh(database) == 0
        await database.close()


@pytest.mark.pg
async def test_autovacuum_analyses_the_tables_of_ingest_rarely_while_they_are_small(
    postgresql: PostgresqlCluster,
) -> None:
    """Each analysis writes pages of `pg_statistic`, once a minute without the setting."""
    with postgresql.database() as url:
        database = await open_database(url)
        async with database.transaction() as tx:
            days = DayPartitions(observation_minutes)
            await days.add(tx, 1)
            found = {row[0]: row[1] for row in await tx.execute(SETTINGS, {"names": list(HOT)})}
            await days.drop(tx, 1)
        assert found == dict.fromkeys(HOT, f"autovacuum_analyze_threshold={ANALYZED_AFTER}")
        assert ANALYZED_AFTER > CHANGED_ROWS_LEAST
        await database.close()
