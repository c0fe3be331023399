"""The schema of a database as comparable tuples: its columns, constraints and indexes."""

import re

from sqlalchemy import text

from cloud.foundation.db import Database, Transaction

_POSTGRESQL = {
    "column": """
        SELECT table_name, column_name, data_type, is_nullable, coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
    "constraint": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    """,
    "index": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


async def schema_of(database: Database) -> set[tuple[str, ...]]:
    """Return each column, constraint and index of the schema as a tuple, without the tables of its revision."""
    async with database.read() as tx:
        facts = await (_sqlite(tx) if database.dialect == "sqlite" else _postgresql(tx))
    return {fact for fact in facts if not {"alembic_version", "schema_revision"} & set(fact)}


async def _postgresql(tx: Transaction) -> set[tuple[str, ...]]:
    return {(kind, *map(str, row)) for kind, query in _POSTGRESQL.items() for row in await tx.execute(text(query))}


async def _sqlite(tx: Transaction) -> set[tuple[str, ...]]:
    facts: set[tuple[str, ...]] = set()
    found = await tx.execute(text("SELECT type, tbl_name, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
    for kind, table, name, sql in found:
        if kind == "index":
            facts.add(("index", table, name, _squeezed(sql)))
            continue
        for column in await tx.execute(text(f"PRAGMA table_xinfo('{name}')")):
            facts.add(("column", name, *(str(column[place]) for place in (1, 2, 3, 4, 5))))
        for constraint in re.findall(r"CONSTRAINT .*?(?=, *\n|\n\)|$)", sql):
            facts.add(("constraint", name, _squeezed(constraint)))
    return facts


def _squeezed(sql: str) -> str:
    return " ".join(sql.split())
