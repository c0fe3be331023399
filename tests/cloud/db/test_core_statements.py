"""A Core statement has the same result on SQLite, where SQLAlchemy runs it, and on PostgreSQL, where asyncpg does."""

import pytest
from sqlalchemy import Boolean, Column, Integer, MetaData, Table, func, insert, literal, select, text, update

from cloud.access.tenancy.tables import tenants
from cloud.foundation.db import Database, metadata
from cloud.foundation.db.core_statements import CoreStatements
from cloud.foundation.db.prepared import DIALECTS
from cloud.foundation.events.tables import outbox_events
from cloud.slices import load_tables

FLOAT_OID = 701
EVENT = {
    "type": "test.happened",
    "tenant_id": "ten_1",
    "payload": "{}",
    "at_us": 1,
    "available_at_us": 1,
    "lease_token": 0,
    "attempts": 0,
}


async def add_tenants(database: Database, count: int) -> None:
    rows = [{"id": f"tnt_{number}", "name": "x", "created_at_us": number} for number in range(count)]
    async with database.transaction() as tx:
        assert len(await tx.execute(insert(tenants), rows)) == 0


async def test_rows_have_their_columns_as_attributes_in_the_order_of_the_statement(database: Database) -> None:
    await add_tenants(database, 2)
    other = tenants.alias()
    statement = select(
        tenants.c.id, other.c.id, func.count().label("count"), text("tenants.name"), literal(1) == literal(1)
    )
    joined = statement.join_from(tenants, other, tenants.c.created_at_us == other.c.created_at_us)
    async with database.read() as tx:
        rows = await tx.execute(joined.group_by(tenants.c.id, other.c.id, tenants.c.name).order_by(tenants.c.id))
    row = rows.first()
    assert row is not None
    assert (row.id, row.count, row.name) == ("tnt_0", 1, "x")
    assert tuple(row) == ("tnt_0", "tnt_0", 1, "x", True)
    assert [id for id, *_ in rows] == ["tnt_0", "tnt_1"]


@pytest.mark.parametrize("wanted", [[], ["tnt_1"], ["tnt_0", "tnt_2", "tnt_9"]], ids=len)
async def test_in_list_of_any_length_selects_its_values(database: Database, wanted: list[str]) -> None:
    await add_tenants(database, 3)
    async with database.read() as tx:
        found = await tx.execute(select(tenants.c.id).where(tenants.c.id.in_(wanted)).order_by(tenants.c.id))
    assert [row.id for row in found] == [id for id in wanted if id != "tnt_9"]


async def test_changes_report_the_number_of_their_rows_with_and_without_returning(database: Database) -> None:
    await add_tenants(database, 3)
    rename = update(tenants).where(tenants.c.created_at_us > 0).values(name="y")
    async with database.transaction() as tx:
        assert (await tx.execute(rename)).rowcount == 2
        assert [row.name for row in await tx.execute(rename.returning(tenants.c.name))] == ["y", "y"]
        assert (await tx.execute(text("UPDATE tenants SET name = 'z'"))).rowcount == 3
        assert (await tx.execute(text("SELECT name FROM tenants WHERE id = :id"), {"id": "tnt_0"})).scalar() == "z"


async def test_insert_whose_key_the_database_makes_returns_no_rows(database: Database) -> None:
    async with database.transaction() as tx:
        added = await tx.execute(insert(outbox_events).values(id="evt_1", key="k", **EVENT))
        assert (len(added), added.rowcount) == (0, 1)
        assert (await tx.execute(select(outbox_events.c.position))).scalar() is not None


def test_statements_of_one_structure_are_compiled_once() -> None:
    core = CoreStatements()
    texts = set()
    for number in range(20):
        sets = ({"created_at_us": number},)
        statement = update(tenants).where(tenants.c.id.in_([f"tnt_{number}"]), tenants.c.name == f"{number}")
        _, text, arguments = core._compile(statement, sets)
        texts.add(text)
        assert arguments == [(number, f"{number}", f"tnt_{number}")]
    assert (len(texts), len(core._texts)) == (1, 1)


def test_statements_that_only_the_engine_could_complete_are_refused() -> None:
    core = CoreStatements()
    odd = Table("odd", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer, default=lambda: 1))
    with pytest.raises(TypeError, match="default of a column"):
        core._compile(insert(odd), ({"id": 1},))
    with pytest.raises(TypeError, match="IN list"):
        core._compile(update(odd).where(odd.c.id.in_([1])), ({"n": 1}, {"n": 2}))


def test_values_of_every_declared_column_pass_the_driver_unchanged() -> None:
    load_tables()
    for table in metadata.sorted_tables:
        for column in table.columns:
            kind = column.type.dialect_impl(DIALECTS["postgresql"])
            assert kind.result_processor(DIALECTS["postgresql"], FLOAT_OID) is None, f"{table.name}.{column.name}"
            converted = kind.bind_processor(DIALECTS["postgresql"]) is not None
            assert not converted or isinstance(column.type, Boolean), f"{table.name}.{column.name}"
