"""A tenant with many spans displaces none of other tenants."""

from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from cloud.foundation.db import Database, Transaction
from cloud.foundation.retention import DAY_US, Terms
from cloud.foundation.tracing import Spans
from cloud.foundation.tracing.jobs import SpanRows
from cloud.foundation.tracing.shares import TenantShares, excess_of
from cloud.foundation.tracing.tables import spans
from tests.cloud.tracing.test_recording import span


async def record(database: Database, *parts: tuple[str, int]) -> None:
    """Store this many spans of each tenant, in this order."""
    recorder = Spans(database)
    for tenant_id, count in parts:
        for number in range(count):
            recorder.record(span(tenant_id=tenant_id, started_at_us=number, ended_at_us=number))
    await recorder.flush()


async def kept(database: Database) -> dict[str, list[int]]:
    """Return the start of each stored span, by tenant."""
    found: dict[str, list[int]] = {}
    rows = select(spans.c.tenant_id, spans.c.started_at_us).order_by(spans.c.id)
    async with database.read() as tx:
        for tenant_id, started in await tx.execute(rows):
            found.setdefault(tenant_id, []).append(started)
    return found


async def swept(delete_chunk: Callable[[Transaction], Awaitable[int]], database: Database) -> int:
    """Delete until nothing is due; return the number of chunks."""
    for chunks in range(100):
        async with database.transaction() as tx:
            if not await delete_chunk(tx):
                return chunks
    raise AssertionError("the sweep does not end")


@pytest.mark.parametrize(
    ("counts", "most", "excess"),
    [
        ({"a": 50, "b": 5}, 60, {}),
        ({"a": 100, "b": 5}, 60, {"a": 45}),
        ({"a": 100, "b": 40, "c": 5}, 65, {"a": 70, "b": 10}),
        ({"a": 100}, 60, {"a": 40}),
        ({}, 60, {}),
    ],
)
def test_only_tenants_above_an_equal_share_have_an_excess(
    counts: dict[str, int], most: int, excess: dict[str, int]
) -> None:
    assert excess_of(counts, most) == excess
    assert not excess or sum(counts.values()) - sum(excess.values()) <= most


async def test_tenant_with_many_spans_loses_its_oldest_ones_and_others_lose_none(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.foundation.tracing.shares.COUNTED_ROWS", 16)
    monkeypatch.setattr("cloud.foundation.tracing.shares.CHUNK_ROWS", 8)
    await record(database, ("quiet", 5), ("loud", 60), ("quiet", 5), ("loud", 40))
    monkeypatch.setattr("cloud.foundation.tracing.jobs.SPANS_MAX", 40)
    sweep = SpanRows()
    await swept(lambda tx: sweep.delete_chunk(tx, Terms(default_days=3), now_us=DAY_US), database)
    found = await kept(database)
    assert found["quiet"] == [*range(5), *range(5)]
    assert found["loud"] == list(range(12, 40))


async def test_rows_are_counted_again_only_after_the_table_has_grown(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.foundation.tracing.shares.COUNTED_ROWS", 20)  # the last chunk is empty
    shares = TenantShares(40)
    await record(database, ("loud", 60))
    await swept(shares.delete_chunk, database)
    assert Counter({name: len(rows) for name, rows in (await kept(database)).items()}) == {"loud": 38}
    await record(database, ("quiet", 1))
    assert await swept(shares.delete_chunk, database) == 0
    await record(database, ("loud", 30))
    assert await swept(shares.delete_chunk, database) > 0
    assert {name: len(rows) for name, rows in (await kept(database)).items()} == {"loud": 37, "quiet": 1}
