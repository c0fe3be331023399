"""A look-up sees the spans that other processes of the cloud have not written yet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from cloud.foundation.db import Database, open_database
from cloud.foundation.tracing import Spans, peers
from cloud.foundation.tracing.peers import CHANNEL, PeerFlush
from tests.cloud.tracing.test_recording import span, stored

pytestmark = pytest.mark.pg


@asynccontextmanager
async def running(url: str) -> AsyncIterator[tuple[Database, Spans, PeerFlush]]:
    """Run the flushes of one process, which has its own connections."""
    database = await open_database(url)
    spans, stopping = Spans(database), asyncio.Event()
    flushes = PeerFlush(database, spans)
    task = asyncio.create_task(flushes.run(stopping))
    try:
        yield database, spans, flushes
    finally:
        stopping.set()
        await task
        await database.close()


async def listening(database: Database, count: int) -> None:
    async with asyncio.timeout(10):
        while await database.count_listeners(CHANNEL) != count:  # noqa: ASYNC110  it is the server's
            await asyncio.sleep(0.005)


@pytest.mark.contract("A-108")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_look_up_writes_the_queued_spans_of_all_processes(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        (database, own, flushes), (_, other, _), (_, third, _) = [
            await stack.enter_async_context(running(database_url)) for _ in range(3)
        ]
        await listening(database, 3)
        for number, spans in enumerate((own, other, third), start=1):
            spans.record(span(number))
        assert await flushes.flush_all()
        assert [len(await stored(database, number)) for number in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_process_that_does_not_confirm_makes_a_look_up_incomplete(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "PEERS_S_MAX", 0.05)
    async with running(database_url) as (database, _, flushes):
        hanging = asyncio.create_task(database.listen(CHANNEL, lambda _text: None))
        await listening(database, 2)
        assert not await flushes.flush_all()
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        await listening(database, 1)
        assert await flushes.flush_all()
