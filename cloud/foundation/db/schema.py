"""The MetaData on which every slice declares its tables, and column types that work the same on both databases.

Times are whole microseconds since 1970 UTC in columns named `*_us`, since SQLite has no time-zone type. Constraint
names follow one convention, so that a migration can name a constraint on either database.
"""

from sqlalchemy import BigInteger, Index, Integer, MetaData, TextClause, text
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


def row_number() -> TypeEngine[int]:
    """Return the type of a primary key that the database itself increments. On SQLite this must be INTEGER."""
    return BigInteger().with_variant(Integer, "sqlite")


def partial_index(name: str | None, *columns: str | TextClause, where: str, unique: bool = False) -> Index:
    """Return an index of only the rows that meet `where`. With `name` None, the naming convention makes the name."""
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
