"""A lost PostgreSQL is reported as unavailable, open transactions are rolled back, and later transactions succeed."""

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import func, literal, select, text

import cloud.foundation.db.postgresql
from cloud.access.tenancy.tables import tenants
from cloud.foundation.db import (
    DatabaseUnavailable,
    Prepared,
    TransactionTooSlow,
    insert,
    migrate,
    open_database,
    postgresql_pool,
)
from cloud.foundation.db.address import PostgresqlAddress, read_address
from cloud.foundation.db.errors import DatabaseAbsent, DatabaseAddressUnknown, DatabaseRefused
from cloud.foundation.db.postgresql import PostgresqlDatabase
from cloud.foundation.db.postgresql_pool import CONNECTIONS, CONNECTIONS_OVERFLOW
from tests.harness.postgresql import PostgresqlCluster

pytestmark = pytest.mark.pg

ADD = insert(tenants).values(id="tnt_1", name="x", created_at_us=1)


async def cut(database: PostgresqlDatabase) -> None:
    """End every other connection to this database, as a restart of the server would."""
    async with database.transaction() as tx:
        await tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


async def test_transaction_with_a_lost_connection_is_rolled_back_and_the_next_transaction_succeeds(
    postgresql: PostgresqlCluster,
) -> None:
    async def add_and_lose(then: str) -> None:
        async with database.transaction() as tx:
            await tx.execute(ADD)
            await cut(other)
            if then == "statement":
                await tx.execute(select(1))

    with postgresql.database() as url:
        database, other = await open_database(url), await open_database(url)
        assert isinstance(other, PostgresqlDatabase)
        with pytest.raises(DatabaseUnavailable):
            await add_and_lose("statement")
        with pytest.raises(DatabaseUnavailable) as raised:
            await add_and_lose("commit")
        assert raised.value.code == "commit_unknown", "we cannot know that it was cut before"
        async with database.transaction() as tx:
            assert (await tx.execute(select(func.count()).select_from(tenants))).scalar() == 0
            await tx.execute(ADD)
        await database.close()
        await other.close()


_ONE = Prepared(select(literal(1)))


async def begun_at_once(database: PostgresqlDatabase, count: int) -> AsyncExitStack:
    """Begin `count` transactions, each on its own connection; closing the returned stack ends them."""
    stack = AsyncExitStack()
    for _ in range(count):
        tx = await stack.enter_async_context(database.transaction())
        await tx.driver.rows(_ONE, {})
    return stack


@pytest.mark.parametrize("first", ["look", "transaction"])
async def test_query_succeeds_after_every_idle_connection_of_the_pool_was_cut(
    postgresql: PostgresqlCluster, first: str
) -> None:
    with postgresql.database() as url:
        database, other = await open_database(url), await open_database(url)
        assert isinstance(database, PostgresqlDatabase)
        assert isinstance(other, PostgresqlDatabase)
        await (await begun_at_once(database, 5)).aclose()
        await cut(other)
        if first == "look":
            assert [tuple(row) for row in await database.peek(_ONE, {})] == [(1,)]
        async with database.transaction() as tx:
            assert [tuple(row) for row in await tx.driver.rows(_ONE, {})] == [(1,)]
        await database.close()
        await other.close()


async def test_queued_transaction_gets_the_next_connection_returned_to_the_pool(postgresql: PostgresqlCluster) -> None:
    async def one_more() -> int:
        async with database.transaction() as tx:
            return len(await tx.driver.rows(_ONE, {}))

    with postgresql.database() as url:
        database = await open_database(url)
        assert isinstance(database, PostgresqlDatabase)
        all_taken = await begun_at_once(database, CONNECTIONS + CONNECTIONS_OVERFLOW)
        waiting = [asyncio.create_task(one_more()) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0.2)
        assert not any(task.done() for task in waiting)
        await all_taken.aclose()
        assert await asyncio.gather(*waiting) == [1, 1, 1]
        await database.close()


async def test_transactions_get_a_connection_in_the_order_in_which_they_begin_to_wait(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_pool, "CONNECTIONS", 1)
    monkeypatch.setattr(postgresql_pool, "CONNECTIONS_OVERFLOW", 0)
    served = list[int]()

    async def one_more(number: int) -> None:
        async with database.read():
            served.append(number)

    async def keep_coming() -> None:
        while not served:  # also at the moment at which the connection is returned
            waiting.append(asyncio.create_task(one_more(len(waiting))))
            await asyncio.sleep(0)

    with postgresql.database() as url:
        database = await open_database(url)
        waiting = list[asyncio.Task[None]]()
        async with database.read():
            coming = asyncio.create_task(keep_coming())
            await asyncio.sleep(0)
        await coming
        await asyncio.gather(*waiting)
        assert served == list(range(len(waiting)))
        await database.close()


async def test_transaction_that_waits_too_long_for_a_connection_fails_and_the_next_transaction_succeeds(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one_more() -> None:
        async with database.read():
            pass

    with postgresql.database() as url:
        database = await open_database(url)
        assert isinstance(database, PostgresqlDatabase)
        all_taken = await begun_at_once(database, CONNECTIONS + CONNECTIONS_OVERFLOW)
        with monkeypatch.context() as patched:
            patched.setattr(postgresql_pool, "CONNECTION_WAIT_S_MAX", 0.05)
            with pytest.raises(DatabaseUnavailable):
                await one_more()
        await all_taken.aclose()
        await one_more()
        await database.close()


async def test_database_unavailable_error_for_an_unreachable_server_does_not_contain_the_password(
    postgresql: PostgresqlCluster,
) -> None:
    url = f"postgresql://argus:secret@/none?host={postgresql.socket_folder}/nowhere"
    with pytest.raises(DatabaseUnavailable) as caught:
        await open_database(url)
    assert "secret" not in str(caught.value)
    assert "secret" not in str(read_address(url))


async def test_error_for_an_absent_database_names_the_createdb_command(postgresql: PostgresqlCluster) -> None:
    for attempt in (open_database, migrate):
        with pytest.raises(DatabaseAbsent, match="createdb"):
            await attempt(postgresql.url("nowhere"))


async def test_address_accepts_the_options_of_the_driver_and_an_unknown_option_is_refused(
    postgresql: PostgresqlCluster,
) -> None:
    with postgresql.database() as url:
        for options in ("sslmode=disable", "ssl=disable", "lock_timeout=5s"):
            database = await open_database(f"{url}&{options}")
            await database.close()
        for option in ("lock_timeouts=5s", "sslmode=perhaps"):
            with pytest.raises(DatabaseAddressUnknown):
                await open_database(f"{url}&{option}")


def test_driver_address_keeps_special_characters_and_all_hosts() -> None:
    address = read_address("postgresql://fleet%40west:p%2Fw%3F@/argus%3Fone?host=db1:5433&host=db2:5434&ssl=require")
    assert isinstance(address, PostgresqlAddress)
    assert address.driver_url() == (
        "postgresql://fleet%40west:p%2Fw%3F@/argus%3Fone?host=db1%3A5433%2Cdb2%3A5434&sslmode=require"
    )


async def test_database_login_without_rights_raises_database_refused(postgresql: PostgresqlCluster) -> None:
    postgresql.administer("CREATE ROLE guest LOGIN")
    with postgresql.database(template="template0") as url:
        with pytest.raises(DatabaseRefused):
            await migrate(url.replace("postgres@", "guest@"), create=True)
        with pytest.raises(DatabaseRefused):
            await open_database(url.replace("postgres@", "nobody@"))
    postgresql.administer("DROP ROLE guest")


async def test_commit_uses_fsync_and_synchronous_commit(postgresql: PostgresqlCluster) -> None:
    with postgresql.durable(), postgresql.database() as url:
        database = await open_database(url)
        async with database.transaction() as tx:
            assert (await tx.execute(text("SHOW fsync"))).scalar() == "on"
            assert (await tx.execute(text("SHOW synchronous_commit"))).scalar() == "on"
        await database.close()


async def test_transaction_over_the_time_limit_is_rolled_back_and_the_next_transaction_succeeds(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dawdle() -> None:
        async with database.transaction() as tx:
            await tx.execute(ADD)
            await tx.execute(text("SELECT pg_sleep(60)"))

    with postgresql.database() as url:
        database = await open_database(url)
        assert isinstance(database, PostgresqlDatabase)
        with monkeypatch.context() as patched:  # the next one gets as long as a loaded machine needs
            patched.setattr(database, "transaction_s_max", 0.3)
            with pytest.raises(TransactionTooSlow):
                await dawdle()
        async with database.transaction() as tx:
            assert (await tx.execute(select(func.count()).select_from(tenants))).scalar() == 0
            await tx.execute(ADD)
        await database.close()


SLOW_COMMIT = (
    "CREATE FUNCTION wait_long() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'",
    "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON tenants DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION wait_long()",
)


@pytest.mark.finding("cloud-11")
async def test_time_limit_reached_during_the_commit_raises_commit_unknown(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[asyncio.Timeout] = []

    def timeout(delay_s: float | None) -> asyncio.Timeout:
        limits.append(made(delay_s))
        return limits[-1]

    async def commit_near_the_limit(raw: Any) -> None:
        limits[0].reschedule(asyncio.get_running_loop().time() + 0.3)
        await commit(raw)

    async def change() -> None:
        async with database.transaction() as tx:
            await tx.execute(ADD)

    made, commit = asyncio.timeout, cloud.foundation.db.postgresql._commit
    with postgresql.database() as url:
        database = await open_database(url)
        assert isinstance(database, PostgresqlDatabase)
        async with database.transaction() as tx:
            for statement in SLOW_COMMIT:
                await tx.execute(text(statement))
        with monkeypatch.context() as patched:
            # The limit of the transaction is the first one. A short limit might end before the commit.
            patched.setattr(asyncio, "timeout", timeout)
            patched.setattr(cloud.foundation.db.postgresql, "_commit", commit_near_the_limit)
            with pytest.raises(DatabaseUnavailable) as raised:
                await change()
        assert raised.value.code == "commit_unknown"
        assert "may have been made" in raised.value.sentence
        async with database.transaction() as tx:
            assert (await tx.execute(select(func.count()).select_from(tenants))).scalar() == 0
            await tx.execute(text("DROP FUNCTION wait_long CASCADE"))  # this database is reused
        await database.close()


@pytest.mark.finding("cloud-11")
async def test_commit_with_a_lost_response_is_not_reported_as_rolled_back(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def commit_and_lose_the_response(raw: Any) -> None:
        await raw.execute("COMMIT")
        raw.terminate()
        await commit(raw)

    async def change() -> None:
        async with database.transaction() as tx:
            await tx.execute(ADD)

    commit = cloud.foundation.db.postgresql._commit
    with postgresql.database() as url:
        database = await open_database(url)
        with monkeypatch.context() as patched:
            patched.setattr(cloud.foundation.db.postgresql, "_commit", commit_and_lose_the_response)
            with pytest.raises(DatabaseUnavailable) as raised:
                await change()
        assert raised.value.code == "commit_unknown"
        async with database.read() as tx:
            assert (await tx.execute(select(func.count()).select_from(tenants))).scalar() == 1
        await database.close()


async def test_transaction_on_a_frozen_server_process_ends_at_the_time_limit(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask_the_frozen() -> None:
        async with database.transaction() as tx:
            pid = int((await tx.execute(text("SELECT pg_backend_pid()"))).scalar())
            frozen.append(pid)
            os.kill(pid, signal.SIGSTOP)
            await tx.execute(ADD)

    frozen: list[int] = []
    with postgresql.database() as url:
        database = await open_database(url)
        assert isinstance(database, PostgresqlDatabase)
        began_s = time.monotonic()
        try:
            with monkeypatch.context() as patched:  # the next one connects, which takes long on a loaded machine
                patched.setattr(database, "transaction_s_max", 0.3)
                with pytest.raises(TransactionTooSlow):
                    await ask_the_frozen()
            assert time.monotonic() - began_s < 10
            async with database.transaction() as tx:
                assert (await tx.execute(select(1))).scalar() == 1
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        await database.close()
