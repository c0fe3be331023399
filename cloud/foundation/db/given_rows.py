"""Pass many rows to a statement as one parameter, so that one execution changes all of them.

The rows are one JSON text that the statement unpacks. A statement for each row (`Driver.run_many`) would cost a message
and a plan on PostgreSQL. On SQLite, each such statement would release the interpreter lock, and getting the lock back
takes up to 5 ms.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, Text, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine


class GivenRows:
    """The rows of one statement parameter. `GivenRows("rows", id=Text(), count=Integer())` declares the parameter
    `rows`, and `.c("id")` is its first column. Texts must not contain NUL, which PostgreSQL refuses in JSON."""

    def __init__(self, parameter: str, **columns: TypeEngine[Any]) -> None:
        each: FunctionElement[Any] = _each_row(bindparam(parameter, type_=Text()))
        self.source = each.table_valued("value", name=f"given_{parameter}")
        value = self.source.c.value
        self._columns = {name: _field(value, at, type_) for at, (name, type_) in enumerate(columns.items())}

    def c(self, name: str) -> ColumnElement[Any]:
        return self._columns[name]

    def rows(self, *names: str) -> Select[Any]:
        """Return the SELECT of these columns of the given rows, for `tuple_(…).in_(…)`."""
        return select(*(self._columns[name] for name in names)).select_from(self.source)

    def among(self, wanted: ColumnElement[Any], found: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that the table column `wanted` equals the column `found` of one of the given rows.
        PostgreSQL then looks up each value, however few rows the table has."""
        return among(wanted, select(found).select_from(self.source))


def among(wanted: ColumnElement[Any], found: Select[Any]) -> ColumnElement[bool]:
    """Return the condition that a table column equals one of the values of a query, which finds few. PostgreSQL then
    looks up each of them; given `IN`, it would read the whole table if it estimates many."""
    return _among(wanted, found.scalar_subquery())


def given(rows: Sequence[tuple[Any, ...]]) -> str:
    """Return rows as the value of a `GivenRows` parameter. Fields are int, str, bool or None, in the order of the
    columns."""
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
    # PostgreSQL estimates 100 rows of `jsonb_array_elements` and 10 of an array, and for 100 rows it would rather read
    # a table of some thousand rows than look them up in its index, with a plan that it keeps while the table grows.
    rows = f"jsonb_array_elements(CAST({compiler.process(element.clauses, **how)} AS JSONB))"
    return f"(SELECT one AS value FROM unnest(ARRAY(SELECT {rows})) AS one)"  # noqa: S608  the argument is a parameter


@compiles(_field, "sqlite")
def _field_of_sqlite(element: _field, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_extract({compiler.process(element.clauses, **how)}, '$[{element.at}]')"


@compiles(_field, "postgresql")
def _field_of_postgresql(element: _field, compiler: SQLCompiler, **how: Any) -> str:
    type_ = compiler.dialect.type_compiler_instance.process(element.type)
    return f"CAST({compiler.process(element.clauses, **how)} ->> {element.at} AS {type_})"
