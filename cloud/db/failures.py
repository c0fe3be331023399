"""Turn what a driver raises into our own errors, without the row it happened to quote."""

import re
import sqlite3

import asyncpg
from sqlalchemy.exc import DBAPIError

from cloud.db.errors import CommitLost, ConstraintViolated, DatabaseAbsent, DatabaseRefused, DatabaseUnavailable
from cloud.errors import DomainError

# "UNIQUE constraint failed: devices.id, devices.tenant_id" and "CHECK constraint failed: ck_name": names, never values.
_SQLITE_CONSTRAINT = re.compile(r"constraint failed: (?P<names>[\w., ]+)")
# PostgreSQL classes 08 (connection), 53 (resources), 57 (operator intervention), 40 (rollback: deadlock,
# serialisation), 55 (lock).
_POSTGRESQL_PASSING = ("08", "53", "57", "40", "55")

_ASYNCPG = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

DRIVER_ERRORS = (DBAPIError, sqlite3.Error, *_ASYNCPG, OSError)
"""What an execution may raise besides our own errors and plain bugs."""


def _driver_error(error: BaseException) -> BaseException:
    """The driver's own exception under SQLAlchemy's and its adapter's wrapping."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    under = error.__cause__
    return under if isinstance(under, _ASYNCPG) else error


def translated(error: BaseException) -> DomainError | None:
    """Our error for it; None for what is a bug of ours and should be seen as it is (bad SQL, a wrong type)."""
    raw = _driver_error(error)
    if isinstance(raw, asyncpg.IntegrityConstraintViolationError):
        return ConstraintViolated(raw.constraint_name or raw.column_name or "")
    if isinstance(raw, sqlite3.IntegrityError):
        found = _SQLITE_CONSTRAINT.search(str(raw))
        return ConstraintViolated(found["names"] if found else "")
    if isinstance(raw, asyncpg.PostgresError):
        state = raw.sqlstate or ""
        return DatabaseUnavailable(f"({type(raw).__name__})") if state.startswith(_POSTGRESQL_PASSING) else None
    if isinstance(raw, sqlite3.OperationalError | sqlite3.DatabaseError):
        name = getattr(raw, "sqlite_errorname", "")
        # SQLITE_ERROR is bad SQL and SQLITE_READONLY a change inside a read: both ours.
        if name and not name.startswith(("SQLITE_ERROR", "SQLITE_READONLY")):
            return DatabaseUnavailable(f"({name})")
        return None
    # asyncpg's InterfaceError is also what it says to a wrong argument; only the lost connection passes.
    # Its InternalClientError is how it stumbles when the server ends the connection between two statements.
    if isinstance(raw, OSError | asyncpg.InternalClientError) or (
        isinstance(raw, asyncpg.InterfaceError) and "closed" in str(raw)
    ):
        return DatabaseUnavailable(f"({type(raw).__name__})")
    return None


def connect_failure(error: BaseException) -> DomainError:
    """What somebody is told who cannot get at a PostgreSQL database at all."""
    raw = _driver_error(error)
    name = f"({type(raw).__name__})"
    if isinstance(raw, asyncpg.InvalidCatalogNameError):
        return DatabaseAbsent("(The server has no database of that name; create it with createdb.)")
    if isinstance(raw, asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InsufficientPrivilegeError):
        return DatabaseRefused(name)
    return DatabaseUnavailable(name)


def commit_failure(error: BaseException) -> CommitLost:
    """What the members of a group are told when their commit failed."""
    raw = _driver_error(error)
    return CommitLost(f"({getattr(raw, 'sqlite_errorname', None) or type(raw).__name__})")
