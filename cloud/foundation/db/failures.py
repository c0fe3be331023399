"""Map the exceptions of a database driver to our own errors, without the row that their text may quote.

A fault of the values becomes `ConstraintViolated` or `ValueRefused`, a fault of the database's state becomes
`DatabaseUnavailable`, and a programming error is raised unchanged.
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
# PostgreSQL classes 08 (connection), 28 (the account, at a new connection), 40 (rollback: deadlock, serialisation), 53
# (resources: a full disk), 55 (lock), 57 (operator intervention, a time limit), 58 (the operating system), XX (damage);
# 25P03 and 25P04 are time limits, 25006 is a server that has become a standby.
_POSTGRESQL_STATE = ("08", "28", "40", "53", "55", "57", "58", "XX", "25P03", "25P04")
_POSTGRESQL_VALUE = ("22",)
# data_corrupted and index_corrupted; their texts contain a block and a relation, and no value.
_POSTGRESQL_DAMAGE = ("XX001", "XX002")
_SQLITE_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
# The error of sqlite3 for a text with damaged bytes. It has no code, and its message quotes the text.
_SQLITE_NOT_UTF8 = "Could not decode to UTF-8"
_SQLITE_VALUE = ("SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE")
# SQLITE_ERROR is invalid SQL, and SQLITE_READONLY without a suffix is a change inside a read: both are programming
# errors.
_SQLITE_OURS = ("SQLITE_ERROR", "SQLITE_READONLY", "SQLITE_MISUSE")

_ASYNCPG = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

# The errors of sqlite3 for an integer beyond 64 bits, and of any driver for a text that cannot be encoded as UTF-8.
_VALUES = (OverflowError, UnicodeEncodeError)

# The connection or its server process ended (class 08 too): the statement may have taken effect.
_UNREACHABLE = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_ENDED_BY_OPERATOR = ("57P01", "57P02", "57P03")

DRIVER_ERRORS = (DBAPIError, sqlite3.Error, *_ASYNCPG, OSError, *_VALUES)
"""The exceptions that an execution may raise, besides our own errors and programming errors."""


def _driver_error(error: BaseException) -> BaseException:
    """Return the driver's own exception, without the wrappers that SQLAlchemy and its asyncpg adapter put around it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    under = error.__cause__
    return under if isinstance(under, _ASYNCPG) else error


def translated(error: BaseException) -> DomainError | None:
    """Return our error for a driver's exception; None for a programming error (invalid SQL, a wrong type)."""
    raw = _driver_error(error)
    if isinstance(raw, asyncpg.IntegrityConstraintViolationError):
        return ConstraintViolated(raw.constraint_name or raw.column_name or "")
    if isinstance(raw, sqlite3.IntegrityError):
        found = _SQLITE_CONSTRAINT.search(str(raw))
        return ConstraintViolated(found["names"] if found else "")
    name = type(raw).__name__
    # asyncpg itself refuses a value with an InterfaceError that is also a ValueError.
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
    # asyncpg also raises InterfaceError for a wrong argument; only the lost connection is mapped. It raises
    # InternalClientError when the server ends the connection between two statements.
    if isinstance(raw, OSError | asyncpg.InternalClientError) or (
        isinstance(raw, asyncpg.InterfaceError) and "closed" in str(raw)
    ):
        return DatabaseUnavailable(f"({name})")
    return None


def connect_failure(error: BaseException) -> DomainError:
    """Return our error for a failure to connect to a PostgreSQL database."""
    raw = _driver_error(error)
    name = f"({type(raw).__name__})"
    if isinstance(raw, asyncpg.InvalidCatalogNameError):
        return DatabaseAbsent("(The server has no database of that name; create it with createdb.)")
    if isinstance(raw, asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InsufficientPrivilegeError):
        return DatabaseRefused(name)
    return DatabaseUnavailable(name)


def commit_failure(error: BaseException) -> CommitLost | CommitUnknown | DatabaseDamaged:
    """Return our error for a failed COMMIT. If the PostgreSQL server stopped or the connection to the server broke, the
    commit may have succeeded before, and the error is `CommitUnknown`. SQLite always reports the outcome."""
    raw = _driver_error(error)
    if isinstance(raw, _UNREACHABLE) or getattr(raw, "sqlstate", None) in _ENDED_BY_OPERATOR:
        return CommitUnknown(f"({type(raw).__name__})")
    if str(getattr(raw, "sqlite_errorname", "")).startswith(_SQLITE_DAMAGE):
        return DatabaseDamaged(f"({getattr(raw, 'sqlite_errorname', '')})")
    return CommitLost(f"({getattr(raw, 'sqlite_errorname', None) or type(raw).__name__})")
