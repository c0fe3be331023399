"""The background step that builds the declared indexes which the database does not have.

A migration leaves an index of a large table out (`create_index_unless_large`), and this step builds it. On PostgreSQL
CREATE INDEX CONCURRENTLY lets reads and changes continue. SQLite has nothing of that kind: its one writer is occupied
until the index is complete. So there the step builds an index only if that takes a few seconds. For a larger table the
operator chooses the time, with `argus-cloud steps run` while the service is stopped.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Index, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import CreateIndex

from cloud.foundation.db import Database, Transaction, metadata
from cloud.foundation.slice import load_tables
from cloud.foundation.step import LongStep, Report, StepBlocked

SQLITE_ROWS_MAX = 250_000
"""Size of a table up to which its index is built beside the service on SQLite, while ingest waits. A million audit
entries took 2 to 9 s on a busy machine (0.3 to 1.7 s of processor time), and no batch may wait for more than 5 s."""
POLL_S = 2.0
"""Interval at which the server's progress is queried."""
_POSTGRESQL_INDEXES = text(
    "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE c.relnamespace = current_schema()::regnamespace"
)
_POSTGRESQL_TABLES = text(
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
)
_SQLITE_INDEXES = text("SELECT name, 1 FROM sqlite_schema WHERE type = 'index'")
_SQLITE_TABLES = text("SELECT name FROM sqlite_schema WHERE type = 'table'")
_BUILDING = text(
    "SELECT blocks_done, blocks_total FROM pg_stat_progress_create_index"
    " WHERE datname = current_database() AND relid = to_regclass(:table)"
)

_POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy types this one not yet

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MissingIndex:
    """A declared index that the database does not have, or has only in part (`invalid`, on PostgreSQL)."""

    index: Index
    invalid: bool

    @property
    def name(self) -> str:
        return str(self.index.name)

    @property
    def table(self) -> Table:
        assert self.index.table is not None
        return self.index.table


async def missing_indexes(tx: Transaction) -> Sequence[MissingIndex]:
    """Return the declared indexes of ordinary tables that are missing or invalid, in the order of their names."""
    on_sqlite = tx.dialect == "sqlite"
    found = await tx.execute(_SQLITE_INDEXES if on_sqlite else _POSTGRESQL_INDEXES)
    valid = {str(name): bool(is_valid) for name, is_valid in found}
    tables = {str(name) for (name,) in await tx.execute(_SQLITE_TABLES if on_sqlite else _POSTGRESQL_TABLES)}
    indexes = [index for table in metadata.sorted_tables if table.name in tables for index in table.indexes]
    missing = [index for index in indexes if _is_for(index, tx) and not valid.get(str(index.name), False)]
    return sorted((MissingIndex(index, str(index.name) in valid) for index in missing), key=lambda one: one.name)


def _is_for(index: Index, tx: Transaction) -> bool:
    """Return whether an index is declared for this database; `ddl_if` limits it to one dialect."""
    condition = index._ddl_if  # SQLAlchemy has no public name for it
    return condition is None or condition.dialect == tx.dialect


def index_step(database: Database) -> LongStep:
    """Return the step that builds the missing indexes of this database."""
    return LongStep("indexes", "build the missing indexes", IndexBuilds(database).run, repeats=True)


class IndexBuilds:
    """Builds the missing indexes of a database, one after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, report: Report, may_pause: bool) -> None:
        """Build all missing indexes. Raises `StepBlocked` if one would make requests wait and `may_pause` is False."""
        load_tables()
        blocked = []
        async with self._database.read() as tx:
            missing = await missing_indexes(tx)
        for each in missing:
            log.info("steps.index_begun", index=each.name, table=each.table.name)
            if self._database.dialect == "postgresql":
                await self._build_postgresql(each, report)
            elif not await self._build_sqlite(each, may_pause):
                blocked.append(each.name)
        if blocked:
            raise StepBlocked(
                f"(The tables of these indexes are too large to build them beside the service: {', '.join(blocked)}. "
                "Queries that need them are slow until then. Stop the service at a quiet time, run `argus-cloud steps "
                "run`, and start it again.)"
            )

    async def _build_sqlite(self, missing: MissingIndex, may_pause: bool) -> bool:
        """Build an index, unless its table is large and `may_pause` is False; return whether it was built."""
        async with self._database.read() as tx:
            counted = f"SELECT count(*) FROM (SELECT 1 FROM {missing.table.name} LIMIT {SQLITE_ROWS_MAX + 1})"  # noqa: S608  the name of a declared table
            is_large = (await tx.execute(text(counted))).scalar() > SQLITE_ROWS_MAX
        if is_large and not may_pause:
            return False
        statement = CreateIndex(missing.index, if_not_exists=True).compile(dialect=sqlite.dialect())
        await self._database.run_alone(str(statement))
        return True

    async def _build_postgresql(self, missing: MissingIndex, report: Report) -> None:
        """Build an index while reads and changes continue. What an interrupted build left is dropped first."""
        # The server still builds an index for a process that was killed, and notifies no other of the end.
        while await self._report_build(missing, report):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        async with self._database.read() as tx:
            current = [each for each in await missing_indexes(tx) if each.name == missing.name]
        if not current:
            return
        if current[0].invalid:
            await self._database.run_alone(f"DROP INDEX CONCURRENTLY IF EXISTS {missing.name}")
        statement = CreateIndex(missing.index).compile(dialect=_POSTGRESQL)
        building = asyncio.create_task(
            self._database.run_alone(str(statement).replace("INDEX ", "INDEX CONCURRENTLY ", 1)), name="index"
        )
        try:
            while not building.done():
                await asyncio.wait((building,), timeout=POLL_S)
                await self._report_build(missing, report)
        finally:
            building.cancel()
            await asyncio.wait((building,))
        building.result()

    async def _report_build(self, missing: MissingIndex, report: Report) -> bool:
        """Report how far the server is with an index of this table; return whether it builds one. The unit is a block
        of the table."""
        async with self._database.read() as tx:
            found = (await tx.execute(_BUILDING, {"table": missing.table.name})).first()
        if found is not None:
            report(int(found[0]), int(found[1]))
        return found is not None
