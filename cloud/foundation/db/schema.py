"""The MetaData on which every slice declares its tables, and column types that work the same on both databases.

Times are whole microseconds since 1970 UTC in columns named `*_us`, since SQLite has no time-zone type. Constraint
names follow one convention, so that a migration can name a constraint on either database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, TextClause, text
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

FILLED_BY_MIGRATION = "filled_by_migration"
"""Key in the `info` of a table that has rows in a new database. A copy of another database replaces them."""

_SEALED = "sealed"
"""Key in the `info` of a column that holds sealed values."""


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of values that are sealed under the master key. `name_column` has the unique name of the row, to which
    each value is bound."""

    column: Column[Any]
    name_column: Column[Any]
    purpose: str


def sealed_for(purpose: str, bound_to: str) -> dict[Any, Any]:
    """Return the `info` of a column whose values `MasterKey.seal(purpose, name, …)` made. `bound_to` is the column of
    the same table that holds `name`, which no other row has. After a rotation of the master key the worker seals the
    values again, and finds them by this declaration."""
    return {_SEALED: (purpose, bound_to)}


def sealed_columns() -> Iterator[SealedColumn]:
    """Yield every column of sealed values of the tables that are loaded."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            if _SEALED in column.info:
                purpose, bound_to = column.info[_SEALED]
                yield SealedColumn(column, table.c[bound_to], purpose)


def row_number() -> TypeEngine[int]:
    """Return the type of a primary key that the database itself increments. On SQLite this must be INTEGER."""
    return BigInteger().with_variant(Integer, "sqlite")


def partial_index(name: str | None, *columns: str | TextClause, where: str, unique: bool = False) -> Index:
    """Return an index of only the rows that meet `where`. With `name` None, the naming convention makes the name."""
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
