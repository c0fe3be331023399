"""Query plans: EXPLAIN of each statement that a store executes.

A test passes a `PlanRecorder` to a store in place of the transaction. The recorder forwards every statement and keeps
its plan.
"""

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Executable, Table, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.sql.compiler import SQLCompiler

import cloud
from cloud.foundation.db import Database, Prepared, Rows, Transaction
from cloud.foundation.db.prepared import DialectName, Values
from cloud.foundation.db.transaction import OnRows, Parameters


@dataclass(frozen=True)
class Step:
    """One access to a table by a statement. A `condition` of None means that the whole index or table is read."""

    table: str
    index: str | None
    condition: str | None


@dataclass(frozen=True)
class Plan:
    """The table accesses of one statement; `lines` is the plan as the database prints it."""

    steps: tuple[Step, ...]
    lines: str

    def condition(self, index: str) -> str:
        """Return the condition with which the statement searches this index. Raise AssertionError if the statement does
        not search the index."""
        for step in self.steps:
            if step.index == index and step.condition is not None:
                return step.condition
        raise AssertionError(f"{index} is not searched:\n{self.lines}")

    def read_whole(self) -> set[str]:
        """Return the tables that the statement reads from end to end."""
        return {step.table for step in self.steps if step.condition is None}

    def read_sequentially(self) -> set[str]:
        """Return the tables that the statement reads from end to end without an index."""
        return {step.table for step in self.steps if step.index is None}


class PlanRecorder:
    """A wrapper of a transaction that explains each statement before its execution.

    `plans` has one plan for each statement, in the order of execution.
    """

    def __init__(self, tx: Transaction, plans: list[Plan] | None = None) -> None:
        self._tx = tx
        self.dialect: DialectName = tx.dialect
        self.driver = _DriverRecorder(self, tx)
        self.plans: list[Plan] = [] if plans is None else plans

    async def execute(self, statement: Executable, parameters: Parameters = None) -> Rows:
        done = statement.compile(dialect=_core_dialect(self.dialect), compile_kwargs={"render_postcompile": True})
        assert isinstance(done, SQLCompiler)
        values = {**done.params, **(parameters if isinstance(parameters, dict) else {})}
        await self.explain(done.string, [values[name] for name in done.positiontup or ()])
        return await self._tx.execute(statement, parameters)

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        return self._tx.savepoint()

    async def explain(self, statement: str, values: Sequence[Any]) -> None:
        """Explain a statement with these parameter values, and keep the plan."""
        if self.dialect == "sqlite":
            tx: Any = self._tx
            rows = await tx.on_connection(
                lambda raw: raw.execute(f"EXPLAIN QUERY PLAN {statement}", list(values)).fetchall()
            )
            self.plans.append(_plan_of_sqlite([str(row[3]) for row in rows]))
        else:
            raw: Any = self._tx.driver
            found = await raw._raw.fetch(f"EXPLAIN (FORMAT JSON) {statement}", *values)
            self.plans.append(_plan_of_postgresql(orjson.loads(found[0][0])))


class _DriverRecorder:
    def __init__(self, recorder: PlanRecorder, tx: Transaction) -> None:
        self._recorder = recorder
        self._driver = tx.driver

    async def _explain(self, statement: Prepared, values: Values) -> None:
        ready = statement.on(self._recorder.dialect)
        await self._recorder.explain(ready.text, ready.arguments(values))

    async def rows(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        await self._explain(statement, values)
        return await self._driver.rows(statement, values)

    async def rows_each(self, queries: Sequence[tuple[Prepared, Values]]) -> Sequence[Sequence[Sequence[Any]]]:
        return [await self.rows(statement, values) for statement, values in queries]

    async def run(self, statement: Prepared, values: Values) -> int:
        await self._explain(statement, values)
        return await self._driver.run(statement, values)

    async def run_later(self, statement: Prepared, values: Values, on_rows: OnRows | None = None) -> None:
        await self._explain(statement, values)
        await self._driver.run_later(statement, values, on_rows)

    async def change_later(self, statement: Prepared, values: Values, rows: int) -> None:
        await self._explain(statement, values)
        await self._driver.change_later(statement, values, rows)

    async def rows_many(self, statement: Prepared, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
        return [row for one in values for row in await self.rows(statement, one)]

    async def run_many(self, statement: Prepared, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            await self._explain(statement, dict(zip(statement.order, rows[0], strict=True)))
        await self._driver.run_many(statement, rows)

    async def append(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        await self._driver.append(table, columns, rows)

    async def append_later(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        await self._driver.append_later(table, columns, rows)


class PlanDatabase:
    """A wrapper of a database that explains every statement. `plans` has their plans in the order of execution."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.plans: list[Plan] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PlanRecorder]:
        async with self._database.transaction() as tx:
            yield PlanRecorder(tx, self.plans)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[PlanRecorder]:
        async with self._database.read() as tx:
            yield PlanRecorder(tx, self.plans)

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        async with self.read() as tx:
            return await tx.driver.rows(statement, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


def prepared_statements() -> dict[str, Prepared]:
    """Map the name of each prepared statement of the cloud, such as `cloud.access.apps.store._FIND`, to the statement.

    The modules of the cloud are searched for them, since the statements of the hot paths, and only they, are prepared.
    """
    found: dict[Prepared, str] = {}  # a statement that several modules import has one name
    for module in pkgutil.walk_packages(cloud.__path__, "cloud."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                for statement_name, statement in _prepared_in(f"{module.name}.{name}", value):
                    found.setdefault(statement, statement_name)
    return {name: statement for statement, name in found.items()}


def _prepared_in(name: str, value: object) -> Iterator[tuple[str, Prepared]]:
    """Yield a value if it is a prepared statement, and those in a dictionary, a tuple or a list."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple | list) else ()
    for one_name, one in ((name, value), *((f"{name}[{key!r}]", one) for key, one in inside)):
        if isinstance(one, Prepared):
            yield one_name, one


async def generic_plan(raw: Any, statement: Prepared) -> Plan:
    """Return the plan that PostgreSQL makes for a statement without the values of its parameters, as it does for a
    statement that a connection executes again and again. `raw` is a connection of asyncpg with the setting
    `plan_cache_mode = force_generic_plan`."""
    text = statement.on("postgresql").text
    count = max((int(number) for number in re.findall(r"\$(\d+)", text)), default=0)
    arguments = f"({', '.join(['NULL'] * count)})" if count else ""
    await raw.execute(f"PREPARE examined AS {text}")
    found = await raw.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE examined{arguments}")
    await raw.execute("DEALLOCATE examined")
    return _plan_of_postgresql(orjson.loads(found[0][0]))


def _core_dialect(name: DialectName) -> Any:
    return sqlite_dialect(paramstyle="qmark") if name == "sqlite" else asyncpg_dialect()


def _plan_of_sqlite(lines: Sequence[str]) -> Plan:
    """Parse lines of the forms `SEARCH x USING COVERING INDEX y (a=? AND b<?)` and `SCAN x`."""
    steps = []
    for line in lines:
        words = line.split()
        if words[0] not in ("SCAN", "SEARCH") or words[1] in ("SUBQUERY", "CONSTANT") or words[1].startswith("("):
            continue
        index = words[words.index("INDEX") + 1] if "INDEX" in words else "PRIMARY KEY" if "PRIMARY" in words else None
        condition = line[line.index("(") :] if words[0] == "SEARCH" and "(" in line else None
        steps.append(Step(words[1], index, condition))
    return Plan(tuple(steps), "\n".join(lines))


def _plan_of_postgresql(document: Any) -> Plan:
    def walk(node: Any) -> Iterator[Any]:
        yield node
        for child in node.get("Plans", ()):
            yield from walk(child)

    steps = []
    for node in walk(document[0]["Plan"]):
        table = node.get("Relation Name")
        if node["Node Type"] == "Bitmap Index Scan":
            steps.append(Step("", node["Index Name"], node.get("Index Cond")))
        elif table is not None and node["Node Type"] not in ("Bitmap Heap Scan", "ModifyTable"):
            steps.append(Step(table, node.get("Index Name"), node.get("Index Cond")))
    lines = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode().splitlines()
    return Plan(tuple(steps), "\n".join(line[:200] for line in lines))


async def analyze(database: Database) -> None:
    """Let the database update the planner's statistics for the present rows."""
    async with database.transaction() as tx:
        await tx.execute(text("ANALYZE"))
