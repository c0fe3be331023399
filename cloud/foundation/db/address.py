"""Read the setting `database_url`: the kind of database and its address.

The address always names asyncpg: for a bare `postgresql://`, SQLAlchemy 2.1 selects psycopg, which is not installed.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from cloud.foundation.db.errors import DatabaseAddressUnknown


@dataclass(frozen=True, slots=True)
class SqliteAddress:
    """The path of a SQLite file on this machine."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True)
class PostgresqlAddress:
    """The address of a database on a PostgreSQL server. Its text form hides the password."""

    url: URL

    def __str__(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=True)


def read_address(url: str) -> SqliteAddress | PostgresqlAddress:
    """Parse `sqlite:///relative`, `sqlite:////absolute` or `postgresql://…`. Raises `DatabaseAddressUnknown`."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseAddressUnknown from None  # the text may contain a password
    kind = parsed.get_backend_name()
    if kind == "sqlite" and parsed.database and parsed.database != ":memory:":
        return SqliteAddress(Path(parsed.database))
    if kind in ("postgresql", "postgres") and parsed.database:
        return PostgresqlAddress(parsed.set(drivername="postgresql+asyncpg"))
    raise DatabaseAddressUnknown
