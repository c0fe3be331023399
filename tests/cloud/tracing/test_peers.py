"""A look-up sees the spans that other processes of the cloud have not written yet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import text

from cloud.foundation.db import Database, DatabaseUnavailable, open_database, postgresql_listener
from cloud.foundation.db.address import PostgresqlAddress
from cloud.foundation.process import Role
from cloud.foundation.tracing import Spans, peers, peers_of, spans_of
from cloud.foundation.tracing.peers import CHANNEL, PeerFlush
from tests.builders.parts import make_parts
from tests.cloud.tracing.test_recording import span, stored
from tests.harness.eventually import WITHIN_S, eventually

END_LISTENERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


class ReadyFlush(PeerFlush):
    """Flushes that set `listens` when their connection listens. It is counted earlier, and a request that is sent
    between the two does not reach it."""

    def __init__(self, database: Database, spans: Spans) -> None:
        super().__init__(database, spans)
        self.listens = asyncio.Event()

    def _take(self, text: str) -> None:
        if not text:
            self.listens.set()
        super()._take(text)


@asynccontextmanager
async def running(url: str) -> AsyncIterator[tuple[Database, Spans, PeerFlush]]:
    """Run the flushes of one process, which has its own connections, and yield when it listens."""
    database = await open_database(url)
    spans, stopping = Spans(database), asyncio.Event()
    flushes = ReadyFlush(database, spans)
    task = asyncio.create_task(flushes.run(stopping))
    try:
        async with asyncio.timeout(WITHIN_S):
            await flushes.listens.wait()
        yield database, spans, flushes
    finally:
        stopping.set()
        await task
        await database.close()


@asynccontextmanager
async def heard_on(database: Database) -> AsyncIterator[list[str]]:
    """Listen like another process, which confirms nothing. Yield its texts when it listens."""
    heard: list[str] = []
    listener = asyncio.create_task(database.listen(CHANNEL, heard.append))
    try:
        await eventually(lambda: "" in heard, what="the connection listens; it is counted before")
        yield heard
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


@pytest.mark.contract("A-108")
@pytest.mark.pg
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_look_up_writes_the_queued_spans_of_all_processes(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "PEERS_S_MAX", WITHIN_S)  # a loaded machine may take longer than the product waits
    async with AsyncExitStack() as stack:
        (database, own, flushes), (_, other, _), (_, third, _) = [
            await stack.enter_async_context(running(database_url)) for _ in range(3)
        ]
        for number, spans in enumerate((own, other, third), start=1):
            spans.record(span(number))
        assert await flushes.flush_all()
        assert [len(await stored(database, number)) for number in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.contract("A-108")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("roles", [set(Role), {Role.API}])
async def test_look_up_on_sqlite_is_complete_only_in_a_process_with_all_roles(
    database: Database, roles: set[Role]
) -> None:
    process = replace(make_parts(database), roles=roles)
    process.shared(spans_of).record(span(1))
    assert await process.shared(peers_of).flush_all() == (roles == set(Role))
    assert len(await stored(database, 1)) == 1


@pytest.mark.pg
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_look_ups_that_wait_share_one_request(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PEERS_S_MAX", 0.05)
    async with running(database_url) as (database, _, flushes), heard_on(database) as heard:
        assert await asyncio.gather(*(flushes.flush_all() for _ in range(8))) == [False] * 8
    assert len([text for text in heard if text.startswith("flush")]) <= 2


@pytest.mark.pg
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("word", ["done", "lost"])
async def test_requests_that_are_queued_are_confirmed_together_after_one_flush(
    database_url: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(database_url) as (database, spans, flushes):
        flushed: list[None] = []

        async def flush() -> None:
            flushed.append(None)
            if word == "lost":
                raise DatabaseUnavailable

        monkeypatch.setattr(spans, "flush", flush)
        async with heard_on(database) as heard:
            for number in ("1", "2", "3"):
                flushes._take(f"flush {number}")
            await eventually(lambda: any(heard))
    assert ([text for text in heard if text], len(flushed)) == ([f"{word} 1 2 3"], 1)


@pytest.mark.pg
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_process_that_cannot_write_ends_the_wait_of_a_look_up(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "PEERS_S_MAX", 2 * WITHIN_S)

    async def lost() -> None:
        raise DatabaseUnavailable

    async with running(database_url) as (_, _, flushes), running(database_url) as (_, other, _):
        monkeypatch.setattr(other, "flush", lost)
        async with asyncio.timeout(WITHIN_S):
            assert not await flushes.flush_all()


@pytest.mark.contract("A-108")
@pytest.mark.pg
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_look_up_is_incomplete_while_the_process_does_not_listen(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server was restarted: the other processes do not listen either, and their spans are not written."""
    monkeypatch.setattr(postgresql_listener, "RECONNECT_S", 0.01)
    async with running(database_url) as (database, _, flushes):
        connected, again = asyncio.Event(), postgresql_listener.connect

        async def connect_later(address: PostgresqlAddress) -> object:
            await connected.wait()
            return await again(address)

        monkeypatch.setattr(postgresql_listener, "connect", connect_later)
        async with database.transaction() as tx:
            await tx.execute(END_LISTENERS)

        async def is_complete() -> bool:
            return await flushes.flush_all()

        async def is_incomplete() -> bool:
            return not await flushes.flush_all()

        await eventually(is_incomplete, what="the end of the connection is noticed")
        assert not await flushes.flush_all()
        connected.set()
        await eventually(is_complete, what="the process listens again")


@pytest.mark.pg
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_process_that_does_not_confirm_makes_a_look_up_incomplete(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "PEERS_S_MAX", 0.05)
    async with running(database_url) as (database, _, flushes):
        async with heard_on(database):
            assert not await flushes.flush_all()

        async def is_alone() -> bool:
            return await database.count_listeners(CHANNEL) == 1

        await eventually(is_alone, what="the server releases the lock of the connection that ended")
        assert await flushes.flush_all()
