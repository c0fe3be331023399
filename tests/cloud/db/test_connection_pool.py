"""The pool of connections to PostgreSQL gives them to its callers in order. The test opens each connection."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import make_url

from cloud.foundation.db import postgresql_pool
from cloud.foundation.db.address import PostgresqlAddress
from cloud.foundation.db.errors import DatabaseUnavailable
from cloud.foundation.db.postgresql_pool import CONNECTIONS, CONNECTIONS_OVERFLOW, OPENING_MAX, ConnectionPool


class Connection:
    """A connection that can be closed."""

    terminated = False

    def terminate(self) -> None:
        self.terminated = True


class Server:
    """A stand-in for `asyncpg.Pool`. `opening` are the requested connections that are not open yet."""

    def __init__(self) -> None:
        self.opening: list[asyncio.Future[Connection]] = []
        self.released: list[Connection] = []

    async def acquire(self) -> Connection:
        self.opening.append(asyncio.get_running_loop().create_future())
        return await self.opening[-1]

    async def release(self, raw: Connection) -> None:
        self.released.append(raw)

    async def expire_connections(self) -> None:
        return

    async def close(self) -> None:
        return


class Pool(ConnectionPool):
    """A pool of connections to `server`."""

    def __init__(self) -> None:
        super().__init__(PostgresqlAddress(make_url("postgresql:///none")))
        self.server = Server()

    async def _made(self) -> Any:
        return self.server

    async def open(self, count: int) -> None:
        """Open the connections that were requested first."""
        for _ in range(count):
            self.server.opening.pop(0).set_result(Connection())
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def callers(pool: Pool, count: int) -> Sequence["asyncio.Task[Any]"]:
    """Return the tasks of callers that take a connection, in their order."""
    tasks = [asyncio.create_task(pool.take()) for _ in range(count)]
    await settled()
    return tasks


def served(tasks: Sequence["asyncio.Task[Any]"]) -> list[bool]:
    return [task.done() for task in tasks]


async def test_pool_opens_few_connections_at_a_time() -> None:
    pool = Pool()
    tasks, most = await callers(pool, 600), CONNECTIONS + CONNECTIONS_OVERFLOW
    for opened in range(most):
        assert len(pool.server.opening) == min(OPENING_MAX, most - opened)
        await pool.open(1)
        assert served(tasks) == [number <= opened for number in range(600)]
    assert pool.server.opening == []


async def test_returned_connection_serves_the_first_caller_while_new_connections_are_being_opened() -> None:
    pool = Pool()
    tasks = await callers(pool, 3)
    await pool.open(1)
    await pool.give_back(tasks[0].result())
    await settled()
    assert served(tasks) == [True, True, False]
    assert tasks[1].result() is tasks[0].result()
    await pool.open(2)
    assert served(tasks) == [True, True, True]
    assert pool.has_idle  # the connection that was not needed any more


async def test_connection_of_a_cancelled_caller_serves_the_next_caller() -> None:
    pool = Pool()
    tasks = await callers(pool, 4)
    await pool.open(1)
    tasks[1].cancel()  # while it is in the queue
    await settled()
    await pool.give_back(tasks[0].result())
    tasks[2].cancel()  # after it was given the connection, and before it continues
    await settled()
    assert [task.cancelled() for task in tasks[1:]] == [True, True, False]
    assert tasks[3].result() is tasks[0].result()


async def test_connection_that_cannot_be_opened_fails_only_the_first_caller() -> None:
    pool = Pool()
    tasks = await callers(pool, 3)
    pool.server.opening.pop(0).set_exception(OSError("refused"))
    await settled()
    assert served(tasks) == [True, False, False]
    with pytest.raises(DatabaseUnavailable):
        await tasks[0]
    await pool.open(2)
    assert served(tasks) == [True, True, True]


async def test_connection_that_cannot_be_opened_fails_no_caller_while_another_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgresql_pool, "OPENING_PAUSE_S", 3600.0)
    pool = Pool()
    (first,) = await callers(pool, 1)
    await pool.open(1)
    tasks = list(await callers(pool, 2))
    for opening in pool.server.opening:
        opening.set_exception(OSError("too many connections"))
    pool.server.opening.clear()
    await settled()
    tasks += await callers(pool, 1)
    assert (served(tasks), pool.server.opening) == ([False] * 3, [])
    await pool.give_back(first.result())
    await settled()
    assert served(tasks) == [True, False, False]
    pool.drop(tasks[0].result())  # the last one: nothing is left to wait for
    await settled()
    await pool.open(2)
    assert served(tasks) == [True] * 3
    await pool.close()  # ends the pause


async def test_connections_are_opened_again_after_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_pool, "OPENING_PAUSE_S", 0.0)
    pool = Pool()
    await callers(pool, 1)
    await pool.open(1)
    (task,) = await callers(pool, 1)
    pool.server.opening.pop(0).set_exception(OSError("too many connections"))
    await settled()
    await pool.open(1)
    assert task.done()


async def test_connections_beyond_the_idle_ones_are_closed_when_their_callers_have_left() -> None:
    pool = Pool()
    tasks = list(await callers(pool, CONNECTIONS))
    while pool.server.opening:
        await pool.open(1)
    late = await callers(pool, 1)
    opening = pool.server.opening.pop(0)
    for task in tasks:
        await pool.give_back(task.result())  # the first one serves the late caller
    await settled()
    await pool.give_back(late[0].result())
    opening.set_result(connection := Connection())
    await settled()
    assert connection.terminated


async def test_dropped_connection_is_replaced_for_the_next_caller() -> None:
    pool = Pool()
    tasks = list(await callers(pool, CONNECTIONS + CONNECTIONS_OVERFLOW + 1))
    while pool.server.opening:
        await pool.open(1)
    assert not tasks[-1].done()
    pool.drop(tasks[0].result())
    await settled()
    await pool.open(1)
    assert tasks[-1].done()


async def test_closed_pool_opens_no_connection_and_fails_its_callers() -> None:
    pool = Pool()
    (task,) = await callers(pool, 1)
    await pool.close()
    await settled()
    assert isinstance(task.exception(), DatabaseUnavailable)


async def test_closing_pool_fails_the_queue_and_releases_the_connections_that_come_back() -> None:
    pool = Pool()
    (first,) = await callers(pool, 1)
    await pool.open(1)
    waiting = await callers(pool, 6)
    pool.server.opening[0].set_result(opened := Connection())
    await asyncio.sleep(0)  # it is open, and no caller has it yet
    await pool.close()
    await pool.give_back(first.result())
    await settled()
    assert [type(task.exception()) for task in waiting] == [DatabaseUnavailable] * 6
    assert len(pool.server.opening) == OPENING_MAX  # no further one
    assert opened.terminated
    assert pool.server.released == [first.result()]
    with pytest.raises(DatabaseUnavailable):
        await pool.take()
