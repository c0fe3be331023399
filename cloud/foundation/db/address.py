"""Read `database_url`: which database, where.

SQLAlchemy 2.1 takes a bare `postgresql://` to mean psycopg, which we do not have, so the driver is always named here.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from cloud.foundation.db.errors import DatabaseAddressUnknown


@dataclass(frozen=True, slots=True)
class SqliteAddress:
    """A file on this machine."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True)
class PostgresqlAddress:
    """A PostgreSQL server and the database on it. Its text hides the password."""

    url: URL

    def __str__(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=True)


def read_address(url: str) -> SqliteAddress | PostgresqlAddress:
    """`sqlite:///relative`, `sqlite:////absolute` or `postgresql://…`; raises `DatabaseAddressUnknown`."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseAddressUnknown from None  # the text may hold a password
    kind = parsed.get_backend_name()
    if kind == "sqlite" and parsed.database and parsed.database != ":memory:":
        return SqliteAddress(Path(parsed.database))
    if kind in ("postgresql", "postgres") and parsed.database:
        return PostgresqlAddress(parsed.set(drivername="postgresql+asyncpg"))
    raise DatabaseAddressUnknown
