"""Pass many rows to a statement as one parameter, so that one execution changes all of them.

A statement that is repeated for each row (`Driver.run_many`) costs one message and one plan per row on PostgreSQL. On
SQLite it releases the interpreter lock at each row, and when the event loop is busy, the thread waits up to 5 ms to get
the lock back. Here the rows are one JSON text that the statement itself unpacks. Both databases unpack a row faster
than they run a statement.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Text, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine


class GivenRows:
    """The rows of one statement parameter, with their columns, for use in the statement.

    Example: `GivenRows("rows", id=Text(), count=Integer())` declares the parameter `rows`, and `.c("id")` is its first
    column. The function `given` makes the value of the parameter. Texts must not contain NUL, which PostgreSQL refuses
    in JSON.
    """

    def __init__(self, parameter: str, **columns: TypeEngine[Any]) -> None:
        each: FunctionElement[Any] = _each_row(bindparam(parameter, type_=Text()))
        self.source = each.table_valued("value", name=f"given_{parameter}")
        value = self.source.c.value
        self._columns = {name: _field(value, at, type_) for at, (name, type_) in enumerate(columns.items())}

    def c(self, name: str) -> ColumnElement[Any]:
        """Return a column of the given rows by its name."""
        return self._columns[name]

    def among(self, wanted: ColumnElement[Any], found: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that `wanted`, a column of a table, has one of the values of `found` in these rows.

        With this condition PostgreSQL looks up each value. With a join it would read the whole table unless the table
        is very long, since it always estimates a hundred given rows.
        """
        return _among(wanted, select(found).select_from(self.source).scalar_subquery())


def given(rows: Sequence[tuple[Any, ...]]) -> str:
    """Return rows as the value of a `GivenRows` parameter. A row's fields are in column order; each is int, str or
    None."""
    return orjson.dumps(rows).decode()


class _each_row(FunctionElement[Any]):  # noqa: N801  named as a function of SQL
    inherit_cache = True


class _field(FunctionElement[Any]):  # noqa: N801  named as a function of SQL
    inherit_cache = False  # its index is not in a cache key; these statements are compiled only once anyway

    def __init__(self, value: ColumnElement[Any], at: int, type_: TypeEngine[Any]) -> None:
        super().__init__(value)
        self.at = at
        self.type = type_


class _among(FunctionElement[Any]):  # noqa: N801  named as a function of SQL
    inherit_cache = True
    type = NullType()  # a Boolean is compared with 1 on SQLite, which then uses no index


@compiles(_among, "sqlite")
def _among_of_sqlite(element: _among, compiler: SQLCompiler, **how: Any) -> str:
    wanted, found = element.clauses
    return f"{compiler.process(wanted, **how)} IN {compiler.process(found, **how)}"


@compiles(_among, "postgresql")
def _among_of_postgresql(element: _among, compiler: SQLCompiler, **how: Any) -> str:
    wanted, found = element.clauses
    return f"{compiler.process(wanted, **how)} = ANY (ARRAY{compiler.process(found, **how)})"


@compiles(_each_row, "sqlite")
def _each_row_of_sqlite(element: _each_row, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **how)})"


@compiles(_each_row, "postgresql")
def _each_row_of_postgresql(element: _each_row, compiler: SQLCompiler, **how: Any) -> str:
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **how)} AS JSONB))"


@compiles(_field, "sqlite")
def _field_of_sqlite(element: _field, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_extract({compiler.process(element.clauses, **how)}, '$[{element.at}]')"


@compiles(_field, "postgresql")
def _field_of_postgresql(element: _field, compiler: SQLCompiler, **how: Any) -> str:
    type_ = compiler.dialect.type_compiler_instance.process(element.type)
    return f"CAST({compiler.process(element.clauses, **how)} ->> {element.at} AS {type_})"
