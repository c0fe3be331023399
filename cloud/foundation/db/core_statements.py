"""Run SQLAlchemy Core statements on an asyncpg connection. SQLAlchemy only compiles them, as for a `Prepared`.

Measured: with SQLAlchemy's asynchronous engine, a transaction with one query of one row takes three times the CPU time
(410 and 135 µs), since the engine runs each statement in a greenlet, emulates a cursor, and resets the connection
afterwards. Texts are cached by the structure of the statement, so that a store may build its statement at each call.
The engine does so by the same function. It is private, so `pyproject.toml` limits SQLAlchemy to one minor version.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from asyncpg import Connection
from sqlalchemy import Executable
from sqlalchemy.engine import result_tuple
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.util import LRUCache

from cloud.foundation.db.prepared import DIALECTS
from cloud.foundation.db.transaction import AnyRow, Parameters, Rows

COMPILED_MAX = 500
"""Texts in the cache, twice as many as the stores have statements. The engine of SQLAlchemy keeps as many."""

_DIALECT = DIALECTS["postgresql"]


class CoreStatements:
    """Compiles Core statements, caches their texts, and runs them on a connection."""

    def __init__(self) -> None:
        self._texts: LRUCache[Any, Any] = LRUCache(COMPILED_MAX)

    async def run(self, raw: "Connection[Any]", statement: Executable, parameters: Parameters) -> Rows:
        """Run a statement and return its rows. With a sequence of several parameter sets, run it once for each set and
        return no rows. Values pass unchanged between the caller and asyncpg. Raises the exceptions of asyncpg."""
        sets = (parameters,) if isinstance(parameters, Mapping) else tuple(parameters or ())
        compiled, text, arguments = self._compile(statement, sets)
        if len(sets) > 1:
            if _returns_rows(compiled):
                raise TypeError("a statement with several parameter sets returns no rows: use GivenRows")
            await raw.executemany(text, arguments)
            return Rows((), -1)
        (values,) = arguments
        if compiled.isplaintext:  # only the server knows whether a text returns rows
            prepared = await raw.prepare(text)
            found = await prepared.fetch(*values)
            return Rows(_rows(found), changed_rows(prepared.get_statusmsg()))
        if _returns_rows(compiled):
            found = await raw.fetch(text, *values)
            return Rows(_rows(found), len(found))
        return Rows((), changed_rows(await raw.execute(text, *values)))

    def _compile(
        self, statement: Executable, sets: Sequence[Mapping[str, Any]]
    ) -> tuple[SQLCompiler, str, list[tuple[Any, ...]]]:
        """Return a statement compiled for these parameter sets, its text, and the arguments of the text for each set,
        or once if there are no sets."""
        several = len(sets) > 1
        compiled, extracted, collected, _ = statement._compile_w_cache(
            _DIALECT,
            compiled_cache=self._texts,
            column_keys=sorted(sets[0]) if sets else [],
            for_executemany=several,
        )
        if not isinstance(compiled, SQLCompiler):
            raise TypeError("only queries and changes run in a transaction; migrations define tables")
        if compiled.insert_prefetch or compiled.update_prefetch:
            raise TypeError("a default of a column is computed by the database (server_default) or by the store")
        values = [
            compiled.construct_params(
                one, extracted_parameters=extracted, escape_names=False, _collected_params=collected
            )
            for one in sets or (None,)
        ]
        text, converters = compiled.string, compiled._bind_processors
        names: Sequence[str] = compiled.positiontup or ()
        if compiled.post_compile_params or compiled.literal_execute_params:  # an IN list
            if several:
                raise TypeError("a statement with an IN list takes one parameter set")
            expanded = compiled._process_parameters_for_postcompile(values[0])
            text, names, values = expanded.statement, expanded.positiontup or (), [dict(expanded.parameters)]
            converters = {**converters, **expanded.processors}
        if not converters:
            return compiled, text, [tuple(one[name] for name in names) for one in values]
        convert = [(name, converters.get(name, _unchanged)) for name in names]  # a Boolean may be given as 0 or 1
        return compiled, text, [tuple(to_driver(one[name]) for name, to_driver in convert) for one in values]


def changed_rows(status: str) -> int:
    """Return the number of rows in a command status of PostgreSQL: 3 for "UPDATE 3" or "INSERT 0 3", -1 for a status
    without a number."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else -1


def _returns_rows(compiled: SQLCompiler) -> bool:
    """Return whether the caller gets rows. SQLAlchemy itself adds RETURNING of the key to an INSERT of one row."""
    return bool(compiled._result_columns) and not compiled.implicit_returning


def _rows(found: Sequence[Any]) -> list[AnyRow]:
    """Return records of asyncpg as rows of SQLAlchemy, whose columns are attributes, as on SQLite."""
    if not found:
        return []
    row = _row_maker(tuple(found[0].keys()))
    return [row(record) for record in found]


@lru_cache(maxsize=COMPILED_MAX)
def _row_maker(names: tuple[str, ...]) -> Callable[[Any], AnyRow]:
    return result_tuple(names)


def _unchanged(value: Any) -> Any:
    return value
