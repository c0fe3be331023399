"""The single writer of SQLite: concurrent transactions share one commit.

A transaction that fails or is cancelled does not affect the other transactions that share the commit.
"""

import asyncio
import gc
import signal
import sqlite3
import sys
import weakref
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, func, select

from cloud.access.tenancy.tables import tenants
from cloud.foundation.db import CommitLost, DatabaseUnavailable, Prepared, TransactionTooSlow, insert
from cloud.foundation.db.opening import open_database
from cloud.foundation.db.sqlite import SqliteDatabase

ADD = Prepared(insert(tenants).values(id=bindparam("id"), name="x", created_at_us=1))
COUNT = select(func.count()).select_from(tenants)


@pytest.fixture
async def sqlite(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    path = tmp_path / "cloud.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    opened = await open_database(f"sqlite:///{path}")
    assert isinstance(opened, SqliteDatabase)
    yield opened
    await opened.close()


async def add(database: SqliteDatabase, name: str) -> None:
    async with database.transaction() as tx:
        await tx.driver.run(ADD, {"id": name})


async def count(database: SqliteDatabase) -> int:
    async with database.read() as tx:
        return int((await tx.execute(COUNT)).scalar())


async def test_three_hundred_concurrent_transactions_need_at_most_thirty_commits(sqlite: SqliteDatabase) -> None:
    await asyncio.gather(*(add(sqlite, f"tnt_{number}") for number in range(300)))
    assert await count(sqlite) == 300
    assert sqlite.writer.commits <= 30


async def test_single_transaction_is_committed_without_waiting_for_other_transactions(sqlite: SqliteDatabase) -> None:
    await add(sqlite, "tnt_1")
    await add(sqlite, "tnt_2")
    assert sqlite.writer.commits == 2


async def test_ended_transaction_is_freed_without_the_garbage_collector(sqlite: SqliteDatabase) -> None:
    class Claim:
        def take(self, rows: Sequence[Sequence[Any]]) -> None:
            self.rows = rows

    async def claim() -> "weakref.ref[Claim]":
        claimed = Claim()
        async with sqlite.transaction() as tx:
            await tx.driver.run_later(ADD, {"id": "tnt_1"}, claimed.take)
        assert claimed.rows == []
        return weakref.ref(claimed)

    gc.disable()
    try:
        claimed = await claim()
        await add(sqlite, "tnt_2")  # the writer's thread has the last job until the next one
        assert claimed() is None
    finally:
        gc.enable()


async def test_nested_transaction_raises_an_error(sqlite: SqliteDatabase) -> None:
    async with sqlite.transaction():
        with pytest.raises(RuntimeError, match="already open"):
            await add(sqlite, "tnt_1")


async def test_cancelled_transaction_is_rolled_back_and_other_transactions_of_its_group_are_committed(
    sqlite: SqliteDatabase,
) -> None:
    inside = asyncio.Event()

    async def hesitate() -> None:
        async with sqlite.transaction() as tx:
            await tx.driver.run(ADD, {"id": "tnt_left"})
            inside.set()
            await asyncio.Event().wait()

    leaving = asyncio.create_task(hesitate())
    await inside.wait()
    others = [asyncio.create_task(add(sqlite, f"tnt_{number}")) for number in range(10)]
    impatient = asyncio.create_task(add(sqlite, "tnt_impatient"))
    await asyncio.sleep(0)
    impatient.cancel()
    leaving.cancel()
    await asyncio.gather(*others)
    async with sqlite.read() as tx:
        names = {row.id for row in await tx.execute(select(tenants.c.id))}
    assert names == {f"tnt_{number}" for number in range(10)}


async def test_transaction_group_is_committed_when_its_last_pending_transaction_is_cancelled(
    sqlite: SqliteDatabase,
) -> None:
    inside, go = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with sqlite.transaction() as tx:
            await tx.driver.run(ADD, {"id": "tnt_1"})
            inside.set()
            await go.wait()

    working = asyncio.create_task(first())
    await inside.wait()
    waiting = asyncio.create_task(add(sqlite, "tnt_2"))
    await asyncio.sleep(0)
    go.set()
    waiting.cancel()
    async with asyncio.timeout(30):
        await working
    assert await count(sqlite) >= 1


async def test_transaction_over_the_time_limit_is_rolled_back_and_the_next_transaction_succeeds(
    sqlite: SqliteDatabase,
) -> None:
    patience_s, sqlite.writer.member_s_max = sqlite.writer.member_s_max, 0.05

    async def dawdle() -> None:
        async with sqlite.transaction() as tx:
            await tx.driver.run(ADD, {"id": "tnt_slow"})
            await asyncio.Event().wait()

    with pytest.raises(TransactionTooSlow):
        await dawdle()
    sqlite.writer.member_s_max = patience_s  # later members get as long as a loaded machine needs
    await add(sqlite, "tnt_next")
    assert await count(sqlite) == 1


async def test_time_limit_of_a_transaction_begins_with_its_turn(
    sqlite: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    time, passed_s = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: time() + passed_s)
    async with sqlite.writer.transaction(limited=False):
        queued = asyncio.create_task(add(sqlite, "tnt_queued"))
        await asyncio.sleep(0)
        passed_s = 2 * sqlite.writer.member_s_max
    await queued
    assert await count(sqlite) == 1


async def test_full_disk_fails_every_transaction_of_a_group_until_space_is_available(sqlite: SqliteDatabase) -> None:
    async with sqlite.transaction() as tx:
        await tx.on_connection(lambda raw: raw.execute("PRAGMA max_page_count=1").fetchall())

    async def add_much(number: int) -> None:
        async with sqlite.transaction() as tx:
            rows = [(f"tnt_{number}_{place}", "x" * 1000, 1) for place in range(100)]
            await tx.driver.append(tenants, ("id", "name", "created_at_us"), rows)

    done = await asyncio.gather(*(add_much(number) for number in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, DatabaseUnavailable) for outcome in done), done
    async with sqlite.transaction() as tx:
        await tx.on_connection(lambda raw: raw.execute("PRAGMA max_page_count=1000000").fetchall())
    await add_much(9)
    assert await count(sqlite) == 100


async def test_failed_commit_raises_commit_lost_in_every_transaction_of_its_group(sqlite: SqliteDatabase) -> None:
    # SQLite checks a deferred foreign key at COMMIT; no other way makes it refuse there on demand.
    async with sqlite.transaction() as tx:
        await tx.on_connection(
            lambda raw: raw.execute(
                "CREATE TABLE promise (tenant TEXT REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED)"
            )
        )

    async def promise() -> None:
        async with sqlite.transaction() as tx:
            await tx.on_connection(lambda raw: raw.execute("INSERT INTO promise VALUES ('tnt_never')"))

    done = await asyncio.gather(promise(), add(sqlite, "tnt_1"), return_exceptions=True)
    assert [type(outcome) for outcome in done] == [CommitLost, CommitLost]
    await add(sqlite, "tnt_2")
    assert await count(sqlite) == 1


async def test_transaction_waits_for_the_write_lock_of_another_process(sqlite: SqliteDatabase) -> None:
    other = sqlite3.connect(sqlite.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(add(sqlite, "tnt_1"))
    assert await count(sqlite) == 0  # readers do not wait
    other.execute("COMMIT")
    other.close()
    await waiting
    assert await count(sqlite) == 1


async def test_committed_rows_are_kept_when_the_process_is_killed(sqlite: SqliteDatabase) -> None:
    program = """
import asyncio, sys
from cloud.foundation.db import open_database, insert
from cloud.access.tenancy.tables import tenants

async def main():
    database = await open_database(sys.argv[1])
    async def add(number):
        async with database.transaction() as tx:
            await tx.execute(insert(tenants).values(id=f"tnt_{number}", name="x", created_at_us=1))
        print(number, flush=True)
    for begin in range(0, 100_000, 20):
        await asyncio.gather(*(add(number) for number in range(begin, begin + 20)))

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, f"sqlite:///{sqlite.path}", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    answered = [int(await process.stdout.readline()) for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    answered.extend(int(line) for line in (await process.stdout.read()).split(b"\n") if line)
    await process.wait()
    async with sqlite.read() as tx:
        kept = {row.id for row in await tx.execute(select(tenants.c.id))}
    assert {f"tnt_{number}" for number in answered} <= kept
