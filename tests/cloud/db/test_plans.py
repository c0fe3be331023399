"""Frequent statements use an index and read no whole table, on SQLite and PostgreSQL, with data of some busy days."""

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Table, func, select, text

from cloud.access.apps.tables import apps
from cloud.access.audit import Audit, AuditFilter
from cloud.access.audit.tables import audit_entries
from cloud.access.tenancy.tables import tenants
from cloud.clinical.observations.store import keys_held
from cloud.clinical.observations.tables import stored_measurements
from cloud.foundation.db import Database, Transaction, migrate, open_database
from cloud.foundation.events import Outbox
from cloud.foundation.events.tables import outbox_events
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from cloud.partners.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_replays, webhook_subscriptions
from cloud.work.jobs.expiry import EXAMINED_AT_ONCE
from cloud.work.jobs.tables import ENDED_WITH_PAYLOAD, NO_PAYLOAD, jobs
from tests.builders.ingest_cloud import StoppedClock
from tests.builders.ingest_gateway import NOW_US
from tests.builders.parts import chores
from tests.harness.plans import Plan, PlanDatabase, PlanRecorder, analyze

DAY_US = 86_400_000_000
MANY = 20_000
REPLAYS = [f"rpl_{number}" for number in range(100)]


async def append(tx: Transaction, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    names = [column.name for column in table.columns if column.name in rows[0]]
    await tx.driver.append(table, names, [tuple(row[name] for name in names) for row in rows])


def audit_row(number: int) -> dict[str, Any]:
    """Return an audit entry. One in a hundred is by a person, all others by one busy app."""
    rare = number % 100 == 0
    return {
        "tenant_id": f"ten_{number % 3}",
        "at_us": NOW_US - DAY_US + number,
        "actor": f"usr_{number % 500}" if rare else "app_busy",
        "action": "user.sign_in" if rare else "observation.post",
        "object": f"usr_{number % 500}" if rare else f"obs_{number}",
        "outcome": "done",
        "metadata": "{}",
    }


@pytest.mark.finding("cloud-8")
@pytest.mark.parametrize(
    ("sought", "index"),
    [
        pytest.param(AuditFilter(actor="usr_100"), "ix_audit_entries_tenant_id_actor_at_us", id="actor"),
        pytest.param(AuditFilter(actor="usr_none"), "ix_audit_entries_tenant_id_actor_at_us", id="absent actor"),
        pytest.param(AuditFilter(object="obs_101"), "ix_audit_entries_tenant_id_object_at_us", id="object"),
        pytest.param(AuditFilter(action="user.disable"), "ix_audit_entries_rare_action", id="rare action"),
    ],
)
async def test_audit_search_query_uses_an_index(database: Database, sought: AuditFilter, index: str):
    async with database.transaction() as tx:
        await append(tx, audit_entries, [audit_row(number) for number in range(MANY)])
    await analyze(database)
    async with database.read() as tx:
        recorder = PlanRecorder(tx)
        await Audit(StoppedClock()).search(recorder, Actor.operator("ten_1"), sought, count=50)
    (plan,) = recorder.plans
    assert "tenant_id" in plan.condition(index)
    assert plan.read_whole() == set()


async def test_audit_retention_deletes_one_chunk_of_entries_without_sorting(database: Database):
    clock = StoppedClock(NOW_US + 3_660 * DAY_US)
    async with database.transaction() as tx:
        await append(tx, audit_entries, [audit_row(number) for number in range(MANY)])
    await analyze(database)
    async with database.transaction() as tx:
        recorder = PlanRecorder(tx)
        (chore,) = [one for one in chores(database, clock) if one.name == "audit"]
        assert await chore.work(recorder, clock.now_us()) == 1_000
    plans = [plan.lines for plan in recorder.plans if any(step.table == "audit_entries" for step in plan.steps)]
    assert len(plans) == 2, "the oldest entries are read, then deleted by their numbers"
    assert not any("Sort" in lines or "TEMP B-TREE" in lines for lines in plans)


def event_row(number: int, **times: int | None) -> dict[str, Any]:
    fixed = {"type": "test.happened", "tenant_id": "ten_1", "payload": "{}", "lease_token": 1, "attempts": 1}
    moments = {"at_us": NOW_US, "available_at_us": NOW_US, "done_at_us": None, "parked_at_us": None, **times}
    return {"id": f"evt_{number}", "key": f"dev_{number}", **fixed, **moments}


@pytest.mark.finding("cloud-8")
async def test_outbox_backlog_query_does_not_read_delivered_events(database: Database):
    outbox = Outbox(UlidIds(StoppedClock()))
    done = [event_row(number, done_at_us=NOW_US) for number in range(MANY)]
    others = [event_row(MANY), event_row(MANY + 1), event_row(MANY + 2, parked_at_us=NOW_US)]
    async with database.transaction() as tx:
        await append(tx, outbox_events, done + others)
    await analyze(database)
    async with database.read() as tx:
        recorder = PlanRecorder(tx)
        assert await outbox.backlog(recorder) == (2, 1)
    pending = {"sqlite": "ix_outbox_events_pending_key", "postgresql": "ix_outbox_events_pending"}[database.dialect]
    few = {"ix_outbox_events_due", pending, "ix_outbox_events_parked"}
    steps = [step for plan in recorder.plans for step in plan.steps]
    assert {step.index for step in steps} <= few, recorder.plans


def job_row(number: int, payload: str) -> dict[str, Any]:
    fixed = {"tenant_id": "ten_1", "subject": "app_1", "kind": "test.count", "secrecy_level": 0, "trace_id": ""}
    ended = {"status": "failed", "progress_pct": 0, "lease_token": 1, "attempts": 1, "completed_at_us": NOW_US + number}
    times = {"created_at_us": NOW_US, "updated_at_us": NOW_US}
    return {"id": f"job_{number}", "payload": payload, **fixed, **ended, **times}


async def test_payloads_of_ended_jobs_are_found_by_an_index(database: Database):
    clock = StoppedClock(NOW_US + 31 * DAY_US)
    async with database.transaction() as tx:
        await append(tx, jobs, [job_row(number, NO_PAYLOAD if number % 5_000 else '{"n":1}') for number in range(MANY)])
    await analyze(database)
    async with database.transaction() as tx:
        recorder = PlanRecorder(tx)
        (chore,) = [one for one in chores(database, clock) if one.name == "job_payloads"]
        assert await chore.work(recorder, clock.now_us()) == 4
    plans = [plan for plan in recorder.plans if any(step.table == "jobs" for step in plan.steps)]
    assert plans[0].condition(ENDED_WITH_PAYLOAD)
    assert [plan for plan in plans if "jobs" in plan.read_whole()] == []


async def test_payloads_of_ended_jobs_are_found_in_small_chunks_while_their_index_is_missing(database: Database):
    clock = StoppedClock(NOW_US + 31 * DAY_US)
    async with database.transaction() as tx:
        await append(tx, jobs, [job_row(number, NO_PAYLOAD if number % 5_000 else '{"n":1}') for number in range(MANY)])
        await tx.execute(text(f"DROP INDEX {ENDED_WITH_PAYLOAD}"))
    await analyze(database)
    (chore,) = [one for one in chores(database, clock) if one.name == "job_payloads"]
    traced, chunks = PlanDatabase(database), list[int]()
    while not chunks or chunks[-1]:
        async with traced.transaction() if len(chunks) == 1 else database.transaction() as tx:
            chunks.append(await chore.work(tx, clock.now_us()))
    assert len(chunks) == MANY // EXAMINED_AT_ONCE + 1
    key = "sqlite_autoindex_jobs_1" if database.dialect == "sqlite" else "pk_jobs"
    plans = [plan for plan in traced.plans if any(step.index == key for step in plan.steps)]
    assert "AND" in plans[1].condition(key), "the due payloads are sought among the jobs of the chunk"
    assert [plan for plan in traced.plans if "jobs" in plan.read_whole()] == []
    async with database.read() as tx:
        assert (await tx.execute(select(func.count()).where(jobs.c.payload != NO_PAYLOAD))).scalar() == 0


@pytest.mark.finding("cloud-7")
async def test_webhook_retention_finds_the_rows_to_delete_by_an_index(database: Database):
    clock = StoppedClock()
    old_us = clock.now_us() - 31 * DAY_US
    async with database.transaction() as tx:
        await fill_webhooks(tx, old_us)
    await analyze(database)
    plans: list[Plan] = []
    (chore,) = [one for one in chores(database, clock) if one.name == "deliveries"]
    handled = MANY
    while handled:
        async with database.transaction() as tx:
            recorder = PlanRecorder(tx)
            handled = await chore.work(recorder, clock.now_us())
            plans += recorder.plans
    assert [plan.lines for plan in plans if "webhook_deliveries" in plan.read_whole()] == []
    deleting = [plan for plan in plans if any(step.index == "ix_webhook_deliveries_replay_id" for step in plan.steps)]
    assert "replay_id" in deleting[0].condition("ix_webhook_deliveries_replay_id")


@pytest.mark.finding("cloud-7")
async def test_deletion_of_a_webhook_replay_checks_its_foreign_key_by_an_index(database: Database):
    """No plan shows the database's own check of the foreign key, so its work is counted."""
    async with database.transaction() as tx:
        await fill_webhooks(tx, NOW_US)
    await analyze(database)
    assert await work_of_deleting(database, "DELETE FROM webhook_replays WHERE id = 'rpl_unused'") < 100


def content_key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


@pytest.mark.finding("reliability-H")
async def test_query_for_repeated_measurements_uses_an_index_in_a_database_without_statistics(empty_database_url: str):
    """Without statistics the plan has the same form in the first minute of an installation as later."""
    await migrate(empty_database_url, create=True)
    database = await open_database(empty_database_url)
    row = {"tenant_id": "ten_1", "lane_id": 1, "sequence": 1, "position": 1}
    for before, stored in ((0, 0), (0, 50), (50, 5_000)):
        async with database.transaction() as tx:
            keys = [content_key(number) for number in range(before, stored)]
            if keys:
                await append(tx, stored_measurements, [{**row, "content_key": key} for key in keys])
            recorder = PlanRecorder(tx)
            for wanted in (1, 20, 600):
                held = await keys_held(recorder, [("ten_1", content_key(number * 7)) for number in range(wanted)])
                assert held == {("ten_1", content_key(number * 7)) for number in range(wanted) if number * 7 < stored}
        for plan in recorder.plans:
            conditions = [step.condition or "" for step in plan.steps if step.index is not None]
            assert conditions, plan.lines
            assert all("tenant_id" in condition and "content_key" in condition for condition in conditions), plan.lines
    await database.close()


async def work_of_deleting(database: Database, statement: str) -> int:
    """Execute a DELETE and return its cost.

    The cost is counted on SQLite in hundreds of virtual machine steps, on PostgreSQL in rows and index entries read.
    """
    async with database.transaction() as tx:
        driver: Any = tx
        if database.dialect == "sqlite":
            steps: list[int] = []

            def counted(raw: Any) -> None:
                raw.set_progress_handler(lambda: steps.append(1), 100)
                raw.execute(statement)
                raw.set_progress_handler(None, 0)

            await driver.on_connection(counted)
            return len(steps)
        raw = driver.driver._raw
        read = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = $1"
        before = await raw.fetchval(read, "webhook_deliveries")
        await raw.execute(statement)
        return int(await raw.fetchval(read, "webhook_deliveries")) - int(before)


async def fill_webhooks(tx: Transaction, finished_us: int) -> None:
    """Write many finished deliveries of one webhook, a tenth of them replayed, and one replay without deliveries."""
    await append(tx, tenants, [{"id": "ten_1", "name": "One", "created_at_us": 1}])
    app = {"client_id": "app_1", "tenant_id": "ten_1", "name": "App", "created_at_us": 1, "updated_at_us": 1}
    await append(tx, apps, [{**required(apps), **app}])
    subscription = {"id": "whk_1", "tenant_id": "ten_1", "client_id": "app_1", "url": "https://example.org"}
    await append(tx, webhook_subscriptions, [{**required(webhook_subscriptions), **subscription}])
    replay = {**required(webhook_replays), "webhook_id": "whk_1", "tenant_id": "ten_1", "done_at_us": finished_us}
    await append(tx, webhook_replays, [{**replay, "id": id} for id in (*REPLAYS, "rpl_unused")])
    delivery = {**required(webhook_deliveries), "webhook_id": "whk_1", "tenant_id": "ten_1", "status": "succeeded"}
    rows = [
        {
            **delivery,
            "position": number + 1,
            "id": f"dlv_{number}",
            "replay_id": REPLAYS[number % 100] if number % 10 == 9 else None,
            "finished_at_us": finished_us,
        }
        for number in range(MANY)
    ]
    await append(tx, webhook_deliveries, rows)
    attempt = {"number": 1, "attempted_at_us": finished_us, "duration_ms": 1}
    await append(tx, webhook_attempts, [{**attempt, "delivery_position": number + 1} for number in range(MANY)])


def required(table: Table) -> dict[str, Any]:
    """Return a row that has a value for each column that must not be NULL."""
    kinds = {"INTEGER": 0, "BIGINT": 0, "TEXT": "{}", "BLOB": b"", "BOOLEAN": False}
    columns = [column for column in table.columns if not column.nullable and column.autoincrement is not True]
    return {column.name: kinds[str(column.type).split("(")[0]] for column in columns}
