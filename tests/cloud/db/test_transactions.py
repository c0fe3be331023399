"""A transaction is written completely or not at all, is durable when it ends, and behaves in the same way on both
databases.
"""

import asyncio
import threading
from contextlib import AsyncExitStack
from functools import partial

import pytest
from sqlalchemy import bindparam, func, select, text

from cloud.access.tenancy.tables import tenants
from cloud.foundation.db import ConstraintViolated, Database, Prepared, Transaction, insert
from cloud.foundation.db.sqlite import SqliteDatabase
from cloud.foundation.db.sqlite_readers import LONG_CACHE_KB, READERS

ADD = insert(tenants).values(id=bindparam("id"), name=bindparam("name"), created_at_us=bindparam("at"))
COUNT = select(func.count()).select_from(tenants)
ADD_PREPARED = Prepared(ADD, order=("id", "name", "at"))
NAME_OF = Prepared(select(tenants.c.name).where(tenants.c.id == bindparam("id")))


async def count(database: Database) -> int:
    async with database.read() as tx:
        return int((await tx.execute(COUNT)).scalar())


async def test_committed_row_is_visible_to_the_next_reader(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(ADD, {"id": "tnt_1", "name": "North", "at": 1})
    async with database.read() as tx:
        assert (await tx.driver.rows(NAME_OF, {"id": "tnt_1"}))[0][0] == "North"


async def test_exception_rolls_back_the_whole_transaction(database: Database) -> None:
    async def add_and_fail() -> None:
        async with database.transaction() as tx:
            await tx.driver.run(ADD_PREPARED, {"id": "tnt_1", "name": "North", "at": 1})
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await add_and_fail()
    assert await count(database) == 0


async def test_failure_inside_a_savepoint_rolls_back_only_the_changes_made_inside_it(database: Database) -> None:
    async def part(tx: Transaction) -> None:
        async with tx.savepoint():
            await tx.execute(ADD, {"id": "tnt_2", "name": "South", "at": 1})
            await tx.execute(ADD, {"id": "tnt_1", "name": "again", "at": 1})

    async with database.transaction() as tx:
        await tx.execute(ADD, {"id": "tnt_1", "name": "North", "at": 1})
        with pytest.raises(ConstraintViolated):
            await part(tx)
        await tx.execute(ADD, {"id": "tnt_3", "name": "East", "at": 1})
    async with database.read() as tx:
        assert [row.id for row in await tx.execute(select(tenants.c.id).order_by(tenants.c.id))] == ["tnt_1", "tnt_3"]


async def test_failed_transactions_are_rolled_back_and_concurrent_transactions_are_committed(
    database: Database,
) -> None:
    async def add(number: int) -> None:
        async with database.transaction() as tx:
            await tx.driver.run(ADD_PREPARED, {"id": f"tnt_{number}", "name": "x", "at": 1})
            if number % 3 == 0:
                raise RuntimeError("no")

    done = await asyncio.gather(*(add(number) for number in range(30)), return_exceptions=True)
    assert [number for number, outcome in enumerate(done) if outcome is not None] == list(range(0, 30, 3))
    assert await count(database) == 20


async def test_concurrent_read_modify_writes_lose_no_update(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(ADD, {"id": "tnt_1", "name": "x", "at": 0})

    async def bump() -> None:
        async with database.transaction() as tx:
            seen = (
                await tx.execute(select(tenants.c.created_at_us).where(tenants.c.id == "tnt_1").with_for_update())
            ).scalar()
            await tx.execute(tenants.update().where(tenants.c.id == "tnt_1").values(created_at_us=seen + 1))

    await asyncio.gather(*(bump() for _ in range(40)))
    async with database.read() as tx:
        assert (await tx.execute(select(tenants.c.created_at_us))).scalar() == 40


async def test_read_transaction_reads_one_snapshot_and_cannot_write(database: Database) -> None:
    async with database.read() as tx:
        assert (await tx.execute(COUNT)).scalar() == 0
        async with database.transaction() as other:
            await other.execute(ADD, {"id": "tnt_1", "name": "North", "at": 1})
        assert (await tx.execute(COUNT)).scalar() == 0
    with pytest.raises(Exception, match=r"readonly|read-only"):
        async with database.read() as tx:
            await tx.execute(ADD, {"id": "tnt_2", "name": "South", "at": 1})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_log_is_emptied_after_a_read_whose_thread_is_slow_to_end_it(database: Database) -> None:
    assert isinstance(database, SqliteDatabase)
    go_on = threading.Event()
    async with database.transaction() as tx:
        await tx.execute(ADD, {"id": "tnt_1", "name": "North", "at": 1})
    async with database.read() as tx:
        await tx.execute(COUNT)
        for thread in database._readers._threads:
            thread.submit(partial(go_on.wait, 60))
    emptying = asyncio.ensure_future(database.empty_log())
    for _ in range(10):  # enough turns of the event loop to submit a checkpoint too early
        await asyncio.sleep(0)
    await database._writer_thread.run(lambda: None)
    go_on.set()
    assert await emptying


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_log_is_not_emptied_during_a_read(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(ADD, {"id": "tnt_1", "name": "North", "at": 1})
    async with database.read() as tx:
        await tx.execute(COUNT)
        assert not await database.empty_log()
    assert await database.empty_log()


async def test_bulk_insert_accepts_the_columns_in_any_order(database: Database) -> None:
    backwards = Prepared(ADD, order=("at", "name", "id"))
    async with database.transaction() as tx:
        await tx.driver.append(tenants, ("id", "name", "created_at_us"), [(f"a{n}", "x", n) for n in range(1000)])
        await tx.driver.run_many(backwards, [(n, "y", f"b{n}") for n in range(1000)])
    assert await count(database) == 2000


async def test_constraint_error_names_the_table_and_does_not_contain_the_value(database: Database) -> None:
    with pytest.raises(ConstraintViolated) as caught:
        async with database.transaction() as tx:
            await tx.driver.append(tenants, ("id", "name", "created_at_us"), [("secret", "x", 1), ("secret", "x", 1)])
    assert "tenants" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_upsert_statement_inserts_or_updates_on_sqlite_and_postgresql(database: Database) -> None:
    upsert = insert(tenants).values(id="tnt_1", name="new", created_at_us=1)
    async with database.transaction() as tx:
        await tx.execute(ADD, {"id": "tnt_1", "name": "old", "at": 1})
        assert (await tx.execute(upsert.on_conflict_do_nothing().returning(tenants.c.id))).first() is None
        changed = upsert.on_conflict_do_update(index_elements=["id"], set_={"name": upsert.excluded.name})
        await tx.execute(changed)
    async with database.read() as tx:
        assert (await tx.execute(select(tenants.c.name))).scalar() == "new"


async def test_long_read_sees_one_snapshot_and_refuses_changes(database: Database) -> None:
    long_reads = database.for_long_reads()
    async with database.transaction() as tx:
        await tx.execute(ADD, {"id": "tnt_1", "name": "North", "at": 1})
    async with long_reads.read() as tx:
        assert (await tx.execute(COUNT)).scalar() == 1
        async with database.transaction() as change:
            await change.execute(ADD, {"id": "tnt_2", "name": "South", "at": 1})
        assert (await tx.execute(COUNT)).scalar() == 1
    assert await count(long_reads) == 2
    with pytest.raises(Exception, match=r"readonly|read-only"):
        async with long_reads.read() as tx:
            await tx.execute(ADD, {"id": "tnt_3", "name": "East", "at": 1})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_long_reads_have_a_small_cache_and_leave_the_readers_of_requests_alone(database: Database) -> None:
    assert isinstance(database, SqliteDatabase)
    long_reads = database.for_long_reads()
    async with database.transaction() as tx:
        await tx.execute(ADD, {"id": "tnt_1", "name": "North", "at": 1})
    async with AsyncExitStack() as requests:
        for _ in range(READERS):
            await requests.enter_async_context(database.read())
        async with long_reads.read() as tx:
            assert (await tx.execute(text("PRAGMA cache_size"))).scalar() == -LONG_CACHE_KB
            await tx.execute(COUNT)
            assert not await database.empty_log()
    assert await database.empty_log()
