"""A cancelled request leaves no PostgreSQL connection inside a transaction, and none that the pool has lost."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
from sqlalchemy import bindparam, func, select, text

from cloud.access.tenancy.tables import tenants
from cloud.foundation.db import ConstraintViolated, Prepared, ValueRefused, insert, open_database
from cloud.foundation.db.postgresql import PostgresqlDatabase
from cloud.foundation.db.postgresql_pool import CONNECTIONS, CONNECTIONS_OVERFLOW
from tests.harness.postgresql import PostgresqlCluster

pytestmark = pytest.mark.pg

ADD = insert(tenants).values(id="tnt_1", name="x", created_at_us=1)
NAME_OF = Prepared(select(tenants.c.name).where(tenants.c.id == bindparam("id")))
OPEN = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND state LIKE 'idle in transaction%'"
)


async def change(database: PostgresqlDatabase) -> None:
    async with database.transaction() as tx:
        await tx.execute(ADD)
        try:
            async with tx.savepoint():
                await tx.execute(ADD)
        except ConstraintViolated:
            await tx.execute(tenants.delete())


async def look(database: PostgresqlDatabase) -> None:
    await database.peek(NAME_OF, {"id": "tnt_1"})
    async with database.read() as tx:
        await tx.driver.rows(NAME_OF, {"id": "tnt_1"})


class Interrupted:
    """A request whose task is cancelled while the request waits for the `at`-th time. `waits` counts until its end."""

    def __init__(self, request: Coroutine[Any, Any, None], at: int) -> None:
        self._request = request
        self._at = at
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        steps = self._request.__await__()
        resume = partial(steps.send, None)
        while True:
            try:
                waiting = resume()
            except StopIteration:
                return
            self.waits += 1
            if self.waits == self._at:
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                yield waiting
                resume = partial(steps.send, None)
            except BaseException as error:
                resume = partial(steps.throw, error)


async def cancelled(request: Coroutine[Any, Any, None], at: int) -> bool:
    """Run a request that is cancelled at its `at`-th wait; return False if it ended before, with fewer waits."""

    async def run() -> None:
        await interrupted

    interrupted = Interrupted(request, at)
    (outcome,) = await asyncio.gather(asyncio.create_task(run()), return_exceptions=True)
    assert outcome is None or isinstance(outcome, asyncio.CancelledError)
    return interrupted.waits >= at


@pytest.mark.parametrize(("request_of", "statements"), [(change, 7), (look, 4)])
async def test_request_cancelled_at_any_step_leaves_no_open_transaction_and_no_lost_connection(
    postgresql: PostgresqlCluster,
    request_of: Callable[[PostgresqlDatabase], Coroutine[Any, Any, None]],
    statements: int,
) -> None:
    with postgresql.database() as url:
        database = await open_database(url)
        assert isinstance(database, PostgresqlDatabase)
        at = 1
        while await cancelled(request_of(database), at):
            at += 1
        assert at > statements
        async with AsyncExitStack() as stack:
            for _ in range(CONNECTIONS + CONNECTIONS_OVERFLOW):
                tx = await stack.enter_async_context(database.read())
            assert (await tx.execute(select(func.count()).select_from(tenants))).scalar() == 0
        async with database.read() as tx:
            assert (await tx.execute(OPEN)).scalar() == 0
        await database.close()


async def test_query_with_a_refused_value_keeps_its_connection(postgresql: PostgresqlCluster) -> None:
    """Otherwise a client could make the cloud connect again with each request."""
    pid = Prepared(select(func.pg_backend_pid()))
    with postgresql.database() as url:
        database = await open_database(url)
        before = (await database.peek(pid, {}))[0][0]
        for refused in ("synthetic \x00", "synthetic \ud800", 7):
            with pytest.raises(ValueRefused):
                await database.peek(NAME_OF, {"id": refused})
        assert (await database.peek(pid, {}))[0][0] == before
        await database.close()
