"""Read the setting `database_url`: the kind of database and its address."""

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
        return self.url.render_as_string(hide_password=True)

    def driver_url(self) -> str:
        """Return the address with its password, as asyncpg reads it. SQLAlchemy's forms of two options are accepted
        too: `ssl` for `sslmode`, and several `host`."""
        options = {
            "sslmode" if name == "ssl" else name: value if isinstance(value, str) else ",".join(value)
            for name, value in self.url.query.items()
        }
        return self.url.set(query=options).render_as_string(hide_password=False)


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
        return PostgresqlAddress(parsed.set(drivername="postgresql"))
    raise DatabaseAddressUnknown
