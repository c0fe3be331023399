"""The fast operations of the database give the results of ordinary transactions on SQLite and PostgreSQL.

The fast operations are queries outside a transaction (`peek`), deferred statements (`run_later`, `change_later`,
`append_later`), and statements with many rows.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import BigInteger, Text, bindparam, delete, select, text, update

from cloud.access.tenancy.tables import tenants
from cloud.foundation.db import ConstraintViolated, Database, GivenRows, Prepared, RowsMissing, given, insert
from cloud.foundation.db import sqlite as sqlite_engine

ADD = Prepared(
    insert(tenants).values(id=bindparam("id"), name=bindparam("name"), created_at_us=bindparam("at", required=True))
)
NAME_OF = Prepared(select(tenants.c.name).where(tenants.c.id == bindparam("id")))
REMOVE = Prepared(delete(tenants).where(tenants.c.id == bindparam("which")).returning(tenants.c.id))

RENAMED = GivenRows("renamed", id=Text(), name=Text(), at=BigInteger())
RENAME = Prepared(
    update(tenants)
    .where(tenants.c.id == RENAMED.c("id"), tenants.c.created_at_us == RENAMED.c("at"))
    .values(name=RENAMED.c("name"))
)


def tenant(number: int) -> dict[str, object]:
    return {"id": f"tnt_{number}", "name": f"Rescue {number}", "at": number}


async def test_query_outside_a_transaction_returns_the_rows_committed_before_the_query(database: Database) -> None:
    assert list(await database.peek(NAME_OF, {"id": "tnt_1"})) == []
    async with database.transaction() as tx:
        await tx.driver.run(ADD, tenant(1))
    assert [tuple(row) for row in await database.peek(NAME_OF, {"id": "tnt_1"})] == [("Rescue 1",)]


async def test_hundred_concurrent_queries_outside_a_transaction_return_the_committed_row(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.driver.run(ADD, tenant(1))
    found = await asyncio.gather(*(database.peek(NAME_OF, {"id": "tnt_1"}) for _ in range(100)))
    assert {row[0][0] for row in found} == {"Rescue 1"}


async def test_query_outside_a_transaction_returns_its_result_above_the_sqlite_step_limit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_engine, "PEEK_STEPS_MAX", 0)
    numbers = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT max(i) FROM n"
    )
    assert (await database.peek(Prepared(numbers), {}))[0][0] == 20000


async def test_deferred_statement_runs_in_the_transaction_that_issued_it(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.driver.run_later(ADD, tenant(1))
        await tx.driver.run(ADD, tenant(2))
    async with database.read() as tx:
        assert len(await tx.execute(select(tenants))) == 2


async def test_deferred_statement_gives_its_rows_before_the_transaction_ends(database: Database) -> None:
    found = list[Sequence[Any]]()
    async with database.transaction() as tx:
        await tx.driver.run(ADD, tenant(1))
        await tx.driver.run_later(REMOVE, {"which": "tnt_1"}, found.extend)
    assert [tuple(row) for row in found] == [("tnt_1",)]


async def test_error_while_deferred_rows_are_read_reaches_only_the_transaction_that_issued_them(
    database: Database,
) -> None:
    async def remove(number: int, key: int) -> None:
        async with database.transaction() as tx:
            await tx.driver.run(ADD, tenant(number))
            await tx.driver.run_later(REMOVE, {"which": f"tnt_{number}"}, lambda rows: rows[0][key])

    outcomes = await asyncio.gather(remove(1, 0), remove(2, 7), remove(3, 0), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), IndexError, type(None)]


async def test_failed_deferred_statement_fails_only_the_transaction_that_issued_it(database: Database) -> None:
    async def add(*numbers: int) -> None:
        async with database.transaction() as tx:
            for number in numbers:
                await tx.driver.run_later(ADD, tenant(number))

    await add(1)
    outcomes = await asyncio.gather(add(5, 1), add(2), add(3, 1), add(4), return_exceptions=True)
    added = type(None)
    assert [type(outcome) for outcome in outcomes] == [ConstraintViolated, added, ConstraintViolated, added]
    async with database.read() as tx:
        assert {row.id for row in await tx.execute(select(tenants))} == {"tnt_1", "tnt_2", "tnt_4"}


async def test_deferred_change_of_fewer_rows_fails_only_the_transaction_that_issued_it(database: Database) -> None:
    async def rename(*numbers: int) -> None:
        async with database.transaction() as tx:
            await tx.driver.run_later(ADD, tenant(10 + numbers[0]))
            renamed = [(f"tnt_{number}", "Renamed", number) for number in numbers]
            await tx.driver.change_later(RENAME, {"renamed": given(renamed)}, len(numbers))

    async with database.transaction() as tx:
        columns = ("id", "name", "created_at_us")
        await tx.driver.append_later(tenants, columns, [tuple(tenant(number).values()) for number in (1, 2, 3)])
    outcomes = await asyncio.gather(rename(1, 7), rename(2), rename(3), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RowsMissing, type(None), type(None)]
    async with database.read() as tx:
        found = {row.id: row.name for row in await tx.execute(select(tenants))}
    assert found == {"tnt_1": "Rescue 1"} | dict.fromkeys(("tnt_2", "tnt_3"), "Renamed") | {
        "tnt_12": "Rescue 12",
        "tnt_13": "Rescue 13",
    }


async def test_query_of_an_absent_table_outside_a_transaction_raises_and_the_next_query_succeeds(
    database: Database,
) -> None:
    with pytest.raises(Exception, match="nowhere"):
        await database.peek(Prepared(text("SELECT 1 FROM nowhere")), {})
    assert list(await database.peek(NAME_OF, {"id": "tnt_1"})) == []


async def test_update_statement_with_a_list_of_values_updates_each_matching_row(database: Database) -> None:
    async with database.transaction() as tx:
        for number in (1, 2, 3):
            await tx.driver.run(ADD, tenant(number))
    wanted = [
        ("tnt_1", "Zażółć 'gęślą' \"jaźń\"", 1),
        ("tnt_2", "fenced off", 7),
        ("tnt_3", "Third", 3),
        ("no", "x", 1),
    ]
    async with database.transaction() as tx:
        assert await tx.driver.run(RENAME, {"renamed": given(wanted)}) == 2
        assert await tx.driver.run(RENAME, {"renamed": given([])}) == 0
        names = await tx.driver.rows_many(NAME_OF, [{"id": f"tnt_{number}"} for number in (3, 2, 9, 1)])
    assert [row[0] for row in names] == ["Third", "Rescue 2", "Zażółć 'gęślą' \"jaźń\""]
