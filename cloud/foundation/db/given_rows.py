"""Many rows as one parameter of a statement, so that one execution changes them all.

A change repeated for each row (`Driver.run_many`) costs PostgreSQL a message and a plan each, and on SQLite gives the
interpreter lock away each time: beside a busy event loop its thread waits up to 5 ms to get it back. Here the rows
travel as one JSON text that the statement takes apart; both databases do so faster than they run a statement.
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
    """The rows to name in a statement: `GivenRows("rows", id=Text(), count=Integer())`, then `.c("id")`.

    The parameter `rows` is what `given` makes of them. Texts must be free of NUL, which JSON in PostgreSQL refuses.
    """

    def __init__(self, parameter: str, **columns: TypeEngine[Any]) -> None:
        each: FunctionElement[Any] = _each_row(bindparam(parameter, type_=Text()))
        self.source = each.table_valued("value", name=f"given_{parameter}")
        value = self.source.c.value
        self._columns = {name: _field(value, at, type_) for at, (name, type_) in enumerate(columns.items())}

    def c(self, name: str) -> ColumnElement[Any]:
        """A column, by its name."""
        return self._columns[name]

    def among(self, wanted: ColumnElement[Any], found: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a column of a table is one of what an expression over each of these rows comes to.

        Written so that PostgreSQL looks each of them up: of a join it would take the whole table for the shorter way,
        as long as that is not very long, since it reckons with a hundred rows whatever there are.
        """
        return _among(wanted, select(found).select_from(self.source).scalar_subquery())


def given(rows: Sequence[tuple[Any, ...]]) -> str:
    """The parameter's value: each row's fields in the order of the columns; int, str or None."""
    return orjson.dumps(rows).decode()


class _each_row(FunctionElement[Any]):  # noqa: N801  named as a function of SQL
    inherit_cache = True


class _field(FunctionElement[Any]):  # noqa: N801  named as a function of SQL
    inherit_cache = False  # its place in the row is no part of a cache key; these statements are compiled once anyhow

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
