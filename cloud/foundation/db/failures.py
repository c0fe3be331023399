"""Turn what a driver raises into our own errors, without the row it happened to quote.

Three kinds, because callers act on them: something about what is being written (`ConstraintViolated`, `ValueRefused`),
something about the state of the database (`DatabaseUnavailable`), and mistakes of ours, which stay what they are.
"""

import re
import sqlite3

import asyncpg
from sqlalchemy.exc import DBAPIError

from cloud.foundation.db.errors import (
    CommitLost,
    CommitUnknown,
    ConstraintViolated,
    DatabaseAbsent,
    DatabaseDamaged,
    DatabaseRefused,
    DatabaseUnavailable,
    ValueRefused,
)
from cloud.foundation.errors import DomainError

# "UNIQUE constraint failed: devices.id, devices.tenant_id" and "CHECK constraint failed: ck_name": names, never values.
_SQLITE_CONSTRAINT = re.compile(r"constraint failed: (?P<names>[\w., ]+)")
# PostgreSQL classes 08 (connection), 28 (the account, at a new connection), 40 (rollback: deadlock, serialisation),
# 53 (resources: a full disk), 55 (lock), 57 (operator intervention, a time limit), 58 (the system under it), XX
# (damage); 25P03 and 25P04 are time limits, 25006 is a server that has become a standby.
_POSTGRESQL_STATE = ("08", "28", "40", "53", "55", "57", "58", "XX", "25P03", "25P04")
_POSTGRESQL_VALUE = ("22",)
# data_corrupted and index_corrupted; their texts name a block and a relation, and no value.
_POSTGRESQL_DAMAGE = ("XX001", "XX002")
_SQLITE_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
# What sqlite3 says, without a code, to a text whose bytes were changed. Its message quotes the text.
_SQLITE_NOT_UTF8 = "Could not decode to UTF-8"
_SQLITE_VALUE = ("SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE")
# SQLITE_ERROR is bad SQL, and SQLITE_READONLY without an ending a change inside a read: both ours.
_SQLITE_OURS = ("SQLITE_ERROR", "SQLITE_READONLY", "SQLITE_MISUSE")

_ASYNCPG = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

# What sqlite3 says to an integer beyond 64 bits, and any driver to a text that has no UTF-8.
_VALUES = (OverflowError, UnicodeEncodeError)

# The connection ended (class 08 too), or its server process did: what it was doing may have been done.
_UNANSWERED = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_ENDED_BY_OPERATOR = ("57P01", "57P02", "57P03")

DRIVER_ERRORS = (DBAPIError, sqlite3.Error, *_ASYNCPG, OSError, *_VALUES)
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
    name = type(raw).__name__
    # asyncpg refuses a value itself with an InterfaceError that is a ValueError too.
    if isinstance(raw, _VALUES) or (isinstance(raw, asyncpg.InterfaceError) and isinstance(raw, ValueError)):
        return ValueRefused(f"({name})")
    if isinstance(raw, asyncpg.PostgresError):
        state = raw.sqlstate or ""
        if state in _POSTGRESQL_DAMAGE:
            return DatabaseDamaged(f"({name})")
        if state.startswith(_POSTGRESQL_VALUE):
            return ValueRefused(f"({name})")
        return DatabaseUnavailable(f"({name})") if state.startswith(_POSTGRESQL_STATE) else None
    if isinstance(raw, sqlite3.DatabaseError):
        code = getattr(raw, "sqlite_errorname", "")
        if code.startswith(_SQLITE_DAMAGE):
            return DatabaseDamaged(f"({code})")
        if not code and str(raw).startswith(_SQLITE_NOT_UTF8):
            return DatabaseDamaged("(a text is no UTF-8)")
        if code in _SQLITE_VALUE:
            return ValueRefused(f"({code})")
        return DatabaseUnavailable(f"({code})") if code and code not in _SQLITE_OURS else None
    # asyncpg's InterfaceError is also what it says to a wrong argument; only the lost connection passes.
    # Its InternalClientError is how it stumbles when the server ends the connection between two statements.
    if isinstance(raw, OSError | asyncpg.InternalClientError) or (
        isinstance(raw, asyncpg.InterfaceError) and "closed" in str(raw)
    ):
        return DatabaseUnavailable(f"({name})")
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


def commit_failure(error: BaseException) -> CommitLost | CommitUnknown | DatabaseDamaged:
    """Map a failed COMMIT to our error: lost when the database refused it, unknown when its response did not come.

    A PostgreSQL server that is stopped, or whose connection breaks, may have committed before; SQLite always says.
    """
    raw = _driver_error(error)
    if isinstance(raw, _UNANSWERED) or getattr(raw, "sqlstate", None) in _ENDED_BY_OPERATOR:
        return CommitUnknown(f"({type(raw).__name__})")
    if str(getattr(raw, "sqlite_errorname", "")).startswith(_SQLITE_DAMAGE):
        return DatabaseDamaged(f"({getattr(raw, 'sqlite_errorname', '')})")
    return CommitLost(f"({getattr(raw, 'sqlite_errorname', None) or type(raw).__name__})")
