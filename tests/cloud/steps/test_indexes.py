"""An index of a large table is left out of the migration and built beside the service."""

import asyncio

import pytest
from sqlalchemy import text

from cloud.foundation.db import Database, migrate, open_database
from cloud.foundation.db.migrations import large_tables
from cloud.foundation.step import StepBlocked
from cloud.foundation.steps import StepRunner, indexes
from cloud.foundation.steps.indexes import IndexBuilds, index_step, missing_indexes
from cloud.slices import load_tables
from tests.builders.cloud_people import HandClock
from tests.cloud.db.test_migrations import run_sql
from tests.harness.eventually import eventually
from tests.harness.postgresql import PostgresqlCluster

INDEX = "ix_audit_entries_rare_action"
AUDITED = (
    "INSERT INTO audit_entries (tenant_id, at_us, actor, action, object, outcome, metadata)"
    " VALUES ('ten_1', 1, 'usr_1', 'app.create', 'app_1', 'done', '{}')"
)


def no_report(done: int, total: int) -> None:
    """Do nothing: the test does not look at the progress."""


async def missing(database: Database) -> dict[str, bool]:
    """Map the name of each missing index to whether the database has an invalid one of this name."""
    load_tables()
    async with database.read() as tx:
        return {one.name: one.invalid for one in await missing_indexes(tx)}


async def test_new_database_has_every_declared_index(database: Database) -> None:
    assert await missing(database) == {}


async def test_index_of_a_large_table_is_built_by_the_background_step_and_not_by_the_migration(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(empty_database_url, revision="0009", create=True)
    await run_sql(empty_database_url, AUDITED, AUDITED)
    monkeypatch.setattr(large_tables, "ROWS_MAX", 1)
    await migrate(empty_database_url)
    database = await open_database(empty_database_url)
    assert set(await missing(database)) == {
        INDEX,
        "ix_audit_entries_trace_id",
        "ix_audit_entries_tenant_id_actor_at_us",
        "ix_audit_entries_tenant_id_object_at_us",
    }
    assert await StepRunner(database, HandClock(), [index_step(database)]).turn(asyncio.Event())
    assert await missing(database) == {}
    await database.close()


@pytest.mark.pg
async def test_invalid_index_that_an_interrupted_build_left_is_replaced(postgresql: PostgresqlCluster) -> None:
    broken = text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(:name)")
    with postgresql.database() as url:
        database = await open_database(url)
        async with database.transaction() as tx:
            await tx.execute(broken, {"name": INDEX})
        assert await missing(database) == {INDEX: True}
        await IndexBuilds(database).run(no_report, False)
        assert await missing(database) == {}
        await database.close()


@pytest.mark.pg
async def test_build_that_the_server_continues_for_a_killed_process_is_awaited(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "POLL_S", 0.01)
    statement = f"CREATE INDEX CONCURRENTLY {INDEX} ON audit_entries (tenant_id, action, at_us)"
    reported = asyncio.Event()
    with postgresql.database() as url:
        await run_sql(url, f"DROP INDEX {INDEX}")
        database = await open_database(url)
        async with asyncio.TaskGroup() as tasks, database.transaction() as tx:
            await tx.execute(text(AUDITED))  # the server's build waits for the end of this transaction
            tasks.create_task(database.run_alone(statement))
            await eventually(lambda: is_invalid(database))
            tasks.create_task(IndexBuilds(database).run(lambda done, total: reported.set(), False))
            await reported.wait()
        assert await missing(database) == {}
        await database.close()


async def is_invalid(database: Database) -> bool:
    return await missing(database) == {INDEX: True}


async def test_index_of_a_very_large_sqlite_table_is_built_only_while_the_service_is_stopped(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('large') / 'cloud.db'}"
    await migrate(url, create=True)
    await run_sql(url, AUDITED, AUDITED, f"DROP INDEX {INDEX}")
    monkeypatch.setattr(indexes, "SQLITE_ROWS_MAX", 1)
    database = await open_database(url)
    builds = IndexBuilds(database)
    with pytest.raises(StepBlocked, match=rf"{INDEX}.*argus-cloud steps run"):
        await builds.run(no_report, False)
    assert await missing(database) == {INDEX: False}
    await builds.run(no_report, True)
    assert await missing(database) == {}
    await database.close()
