"""Issue «Storage and ingest for a thousand vehicles», item 7: the program of the release before can use a database that
was upgraded, and a program refuses a database that it cannot use before it changes anything.
"""

from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Connection, text

from cloud.foundation.db import known_revisions, migrate, migration, open_database, read_revision, schema_upgrade
from cloud.foundation.db.errors import DatabaseNewer, DatabaseUnmigrated, StepsUnfinished, TablesInUse
from cloud.foundation.db.revisions import RELEASE_BEFORE, SchemaRevision
from cloud.foundation.db.schema_upgrade import Migrated, migration_modules, oldest_program
from tests.cloud.db.test_migrations import run_sql
from tests.harness.postgresql import PostgresqlCluster

NEWEST = known_revisions()[-1]


async def stored(url: str) -> SchemaRevision | None:
    database = await open_database(url)
    try:
        return await read_revision(database)
    finally:
        await database.close()


async def test_upgraded_database_still_has_the_revision_that_the_release_before_needs(empty_database_url: str) -> None:
    await migrate(empty_database_url, revision=RELEASE_BEFORE, create=True)
    # As the release before leaves it.
    await run_sql(empty_database_url, "DROP TABLE schema_revision")
    with pytest.raises(DatabaseUnmigrated, match=f"stands at {RELEASE_BEFORE}"):
        await open_database(empty_database_url)
    done = await migrate(empty_database_url)
    assert (done.before, done.after) == (RELEASE_BEFORE, NEWEST)
    assert await stored(empty_database_url) == SchemaRevision(NEWEST, RELEASE_BEFORE)


async def test_compatible_database_of_a_later_release_is_used_and_not_changed(database_url: str) -> None:
    await run_sql(database_url, "UPDATE schema_revision SET version_num = '9999'")
    done = await migrate(database_url)
    assert (done.before, done.after) == ("9999", "9999")
    assert await stored(database_url) == SchemaRevision("9999", RELEASE_BEFORE)


async def test_database_that_needs_a_later_program_is_refused(database_url: str) -> None:
    await run_sql(
        database_url,
        "UPDATE schema_revision SET version_num = '9999'",
        "UPDATE alembic_version SET version_num = '9998'",
    )
    for attempt in (open_database, migrate):
        with pytest.raises(DatabaseNewer, match="9999 and needs a program of 9998 or later"):
            await attempt(database_url)


def test_oldest_program_is_the_newest_one_that_any_migration_needs() -> None:
    def module(**declared: Any) -> ModuleType:
        made = ModuleType("migration")
        vars(made).update(declared)
        return made

    expands, contracts, undeclared = module(compatible_from="0020"), module(compatible_from="0022"), module()
    assert oldest_program({"0020": undeclared, "0021": expands}) == "0020"
    assert oldest_program({"0021": expands, "0025": contracts, "0026": expands}) == "0022"
    assert oldest_program({"0021": expands, "0027": undeclared}) == "0027"


async def test_migration_is_refused_until_the_background_step_that_it_needs_has_ended(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(empty_database_url, revision="0019", create=True)

    def with_requirement() -> dict[str, ModuleType]:
        modules = migration_modules()
        vars(modules["0020"])["requires_steps"] = ("fill_names",)
        return modules

    monkeypatch.setattr(schema_upgrade, "migration_modules", with_requirement)
    for prepare in ((), ("CREATE TABLE background_steps (name text, finished_at_us bigint)",)):
        await run_sql(empty_database_url, *prepare)
        with pytest.raises(StepsUnfinished, match=r"fill_names.*release before|release before.*fill_names"):
            await migrate(empty_database_url)
    await run_sql(empty_database_url, "INSERT INTO background_steps VALUES ('fill_names', NULL)")
    with pytest.raises(StepsUnfinished):
        await migrate(empty_database_url)
    await run_sql(empty_database_url, "UPDATE background_steps SET finished_at_us = 1")
    assert (await migrate(empty_database_url, revision="0020")).before == "0019", "nothing was changed before"


@pytest.mark.pg
async def test_migration_waits_for_a_used_table_only_for_a_short_time_and_keeps_those_before_it(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.database() as url:
        database = await open_database(url)
        await run_sql(
            url,
            "ALTER TABLE gateway_quotas DROP COLUMN epochs_until_us, DROP COLUMN epochs_held_back_us",
            "DROP TABLE recovery_codes, background_steps, observation_minutes, lane_days, minute_rows_since",
            "DROP TABLE waveform_runs, waveform_objects, waveform_sources",
            "DROP TABLE retention_periods, retention_holds, storage_days, removed_ranges, removed_rows, care_changes",
            "DROP TABLE nemsis_agencies",
            "DROP TABLE tree_heads, evidence_tree_nodes, evidence_trees, staging_processes",
            "DROP TABLE followed_evidence, evidence_ends, evidence_records, evidence",
            "DROP FUNCTION refuse_evidence_change",
            "DROP TRIGGER batches_stored_once ON batches",
            "DROP FUNCTION refuse_packed_batch",
            "ALTER TABLE lanes DROP COLUMN signed_sequence, DROP COLUMN signature, DROP COLUMN signed_by,"
            " DROP COLUMN signed_created_us",
            "DROP TABLE erased_intervals, erased_reports, erased_encounters, erased_object_walks",
            "ALTER TABLE observations DROP COLUMN day",
            "ALTER TABLE spans DROP COLUMN inner_spans",
            "DROP TABLE device_descriptions",
            "ALTER TABLE devices DROP COLUMN power_status, DROP COLUMN battery_remaining_min,"
            " DROP COLUMN description, DROP COLUMN described_at_us",
            "DROP INDEX ix_gateway_events_device, ix_gateway_events_tenant_id_vehicle_id_at_us,"
            " ix_gap_ranges_vehicle_id_received_at_us, ix_encounters_tenant_id_organization_id_created_at_us_id",
            "DROP TABLE acqi_tenant_days, acqi_days, acqi_encounters, changed_encounters, share_links",
            "DROP TABLE job_schedule_runs, job_schedules, vehicle_missions",
            "DROP TABLE graphql_documents, graphql_grants, telephony_routes, telephony_providers",
            "DROP TABLE profile_enrichments, profiles, provenance_keys",
            "DROP TABLE screening_entries, screening_names, screening_words, screening_wallets, screening_lists",
            "DROP TABLE entitled_scopes, jobs, result_objects, result_references",
            "ALTER TABLE webhook_subscriptions DROP COLUMN is_callback",
            "ALTER TABLE apps DROP COLUMN callback_kid, DROP COLUMN callback_previous_kid",
            "ALTER TABLE encounters DROP COLUMN version, DROP COLUMN ended_at_us",
            "UPDATE schema_revision SET version_num = '0018'",
        )
        with monkeypatch.context() as patched:
            patched.setattr(migration, "TABLE_WAIT_S", 0.01)
            patched.setattr(migration, "TABLE_PAUSE_S", 0.01)
            patched.setattr(migration, "TABLE_ATTEMPTS", 2)
            for used, applied in (("gateway_quotas", "0018"), ("batches", "0060")):
                async with database.transaction() as tx:
                    await tx.execute(text(f"LOCK TABLE {used} IN ROW EXCLUSIVE MODE"))
                    with pytest.raises(TablesInUse, match="pg_stat_activity"):
                        await migrate(url)
                    left = await read_revision(database)
                    assert left is not None
                    assert (left.applied, left.compatible_from <= RELEASE_BEFORE) == (applied, True)
        done = await migrate(url)
        assert (done.before, done.after) == ("0060", NEWEST)
        await database.close()


@pytest.mark.pg
async def test_upgrade_is_tried_again_after_a_deadlock_with_another_process(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlocks = [text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$")]

    def upgrade(connection: Connection, revision: str, **options: Any) -> Migrated:
        while deadlocks:
            connection.execute(deadlocks.pop())
        return schema_upgrade.upgrade(connection, revision, **options)

    monkeypatch.setattr(migration, "upgrade", upgrade)
    monkeypatch.setattr(migration, "TABLE_PAUSE_S", 0.01)
    with postgresql.database() as url:
        assert (await migrate(url)).after == NEWEST
    assert not deadlocks
