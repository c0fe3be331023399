"""Housekeeping deletes expired rows in chunks, as fast as new ones are written; a failing chore stops no other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Table, func, select
from structlog.testing import capture_logs

from cloud.access.audit.tables import audit_entries
from cloud.access.identity.tables import sign_in_failures
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.events.tables import outbox_events
from cloud.foundation.housekeeping import EVERY_S, Chore, Housekeeping
from cloud.foundation.http.tables import idempotency_keys, rate_buckets
from cloud.foundation.tracing.tables import spans
from tests.builders.ingest_cloud import StoppedClock
from tests.builders.ingest_gateway import NOW_US
from tests.builders.parts import chores

EXPIRED = 11_000
"""Number of rows of a table: more than one run deletes in any chunk size."""
FRESH = 3
CHUNK_ROWS = 1_000
LONG_AGO_US = NOW_US - 11 * 366 * 86_400_000_000


class Away(DomainError):
    """The database is unavailable."""

    code = "away"


def audit_row(number: int, at_us: int) -> dict[str, Any]:
    return {"tenant_id": "ten_1", "at_us": at_us, "actor": "app_1", "action": "observation.create"} | {
        "object": f"obs_{number}",
        "outcome": "done",
        "metadata": "{}",
    }


def event_row(number: int, at_us: int) -> dict[str, Any]:
    times = dict.fromkeys(("at_us", "available_at_us", "done_at_us"), at_us)
    return (
        times
        | {"id": f"evt_{number}", "type": "test.happened", "tenant_id": "ten_1", "key": f"dev_{number}"}
        | {
            "payload": "{}",
            "lease_token": 1,
            "attempts": 1,
        }
    )


def bucket_row(number: int, at_us: int) -> dict[str, Any]:
    return {"digest": number.to_bytes(32), "quota": 1.0, "window_us": 1, "level": 1.0, "at_us": at_us}


def failure_row(number: int, at_us: int) -> dict[str, Any]:
    return {"subject": number.to_bytes(32), "failures": 1, "blocked_until_us": at_us, "forgotten_at_us": at_us}


def key_row(number: int, at_us: int) -> dict[str, Any]:
    return {"tenant_id": "ten_1", "key": f"key-{number}", "fingerprint": b"", "expires_at_us": at_us}


def span_row(number: int, at_us: int) -> dict[str, Any]:
    ids = {"tenant_id": "ten_1", "trace_id": f"{number:032x}", "span_id": f"{number:016x}", "parent_span_id": None}
    what = {"name": "GET /", "kind": "server", "status": "ok", "attributes": "{}"}
    return ids | what | dict.fromkeys(("started_at_us", "ended_at_us"), at_us)


async def fill(database: Database, table: Table, row: Callable[[int, int], dict[str, Any]]) -> None:
    ages = [LONG_AGO_US] * EXPIRED + [NOW_US + 3_600_000_000] * FRESH
    rows = [row(number, at_us) for number, at_us in enumerate(ages)]
    names = [column.name for column in table.columns if column.name in rows[0]]
    async with database.transaction() as tx:
        await tx.driver.append(table, names, [tuple(one[name] for name in names) for one in rows])


async def count(database: Database, table: Table) -> int:
    async with database.read() as tx:
        return int((await tx.execute(select(func.count()).select_from(table))).scalar())


def recorded(given: Sequence[Chore], chunks: list[int]) -> list[Chore]:
    """Wrap the chores so that each appends the number of rows of every transaction to `chunks`."""

    def recording(work: Callable[[Transaction, int], Awaitable[int]]) -> Callable[[Transaction, int], Awaitable[int]]:
        async def working(tx: Transaction, now_us: int) -> int:
            chunks.append(await work(tx, now_us))
            return chunks[-1]

        return working

    return [replace(chore, work=recording(chore.work)) for chore in given]


@pytest.mark.finding("cloud-2")
@pytest.mark.parametrize(
    ("table", "row"),
    [
        pytest.param(audit_entries, audit_row, id="audit_entries"),
        pytest.param(outbox_events, event_row, id="outbox_events"),
        pytest.param(rate_buckets, bucket_row, id="rate_buckets"),
        pytest.param(sign_in_failures, failure_row, id="sign_in_failures"),
        pytest.param(idempotency_keys, key_row, id="idempotency_keys", marks=pytest.mark.finding("cloud-6")),
        pytest.param(spans, span_row, id="spans", marks=pytest.mark.finding("cloud-6")),
    ],
)
async def test_housekeeping_run_deletes_every_expired_row_in_chunks(
    database: Database, table: Table, row: Callable[[int, int], dict[str, Any]]
):
    clock, chunks = StoppedClock(), list[int]()
    await fill(database, table, row)
    await Housekeeping(database, clock, recorded(chores(database, clock), chunks)).tidy()
    assert await count(database, table) == FRESH
    assert max(chunks) == CHUNK_ROWS, "no transaction is long"


async def test_oldest_trace_spans_over_the_row_limit_are_deleted(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cloud.foundation.tracing.jobs.SPANS_MAX", 2_500)
    async with database.transaction() as tx:
        rows = [span_row(number, NOW_US) for number in range(5_000)]
        names = [column.name for column in spans.columns if column.name in rows[0]]
        await tx.driver.append(spans, names, [tuple(row[name] for name in names) for row in rows])
    await Housekeeping(database, StoppedClock(), chores(database, StoppedClock())).tidy()
    async with database.read() as tx:
        left = [row.trace_id for row in await tx.execute(select(spans.c.trace_id).order_by(spans.c.id))]
    # A twentieth below the limit, so that the next ones find room.
    assert left == [f"{number:032x}" for number in range(2_625, 5_000)]


async def test_failing_housekeeping_chore_does_not_stop_the_other_chores(database: Database):
    clock = StoppedClock()
    due = [3]
    asked: list[int] = []

    async def fails(tx: Transaction, now_us: int) -> int:
        raise Away

    async def removes(tx: Transaction, now_us: int) -> int:
        asked.append(now_us)
        return due.pop() if due else 0

    keeping = Housekeeping(database, clock, [Chore("first", fails), Chore("second", removes)])
    assert await keeping.tidy() == {"second": 3}
    assert asked == [clock.now_us()] * 2


async def test_housekeeping_chores_alternate_chunk_by_chunk_until_the_stop_event_is_set(database: Database):
    stopping = asyncio.Event()
    order: list[str] = []

    def chore(name: str, chunks: int, *, repeats: bool = True) -> Chore:
        async def work(tx: Transaction, now_us: int) -> int:
            order.append(name)
            if len(order) == 7:
                stopping.set()
            return int(order.count(name) <= chunks)

        return Chore(name, work, repeats=repeats)

    given = [chore("endless", 1_000), chore("short", 1), chore("spread over time", 1_000, repeats=False)]
    done = await Housekeeping(database, StoppedClock(), given).tidy(stopping)
    assert order == ["endless", "short", "spread over time", "endless", "short", "endless", "endless"]
    assert done == {"endless": 4, "short": 1, "spread over time": 1}


async def test_housekeeping_run_over_its_time_limit_is_logged_and_ended(database: Database):
    clock = StoppedClock()

    async def grows(tx: Transaction, now_us: int) -> int:
        clock.at_us += 300_000_000
        return 1

    with capture_logs() as logs:
        assert await Housekeeping(database, clock, [Chore("growing", grows)]).tidy() == {"growing": 2}
    assert ["growing"] in [entry.get("chores") for entry in logs if entry["event"] == "housekeeping.behind"]


async def test_housekeeping_stops_between_two_runs_when_the_stop_event_is_set(database: Database):
    assert EVERY_S > 60
    stopping = asyncio.Event()
    done = asyncio.Event()

    async def once(tx: Transaction, now_us: int) -> int:
        done.set()
        return 0

    running = asyncio.create_task(Housekeeping(database, StoppedClock(), [Chore("only", once)]).run(stopping))
    await done.wait()
    stopping.set()
    async with asyncio.timeout(30):
        await running
