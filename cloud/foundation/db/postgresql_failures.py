"""Map the exceptions of asyncpg to our own errors, without the row that their text may quote.

A fault of the values becomes `ConstraintViolated` or `ValueRefused`, a fault of the database's state becomes
`DatabaseUnavailable`, and a programming error is raised unchanged. `sqlite_failures` does the same for SQLite.
"""

import asyncpg
from sqlalchemy.exc import DBAPIError

from cloud.foundation.db.errors import (
    CommitLost,
    CommitUnknown,
    ConstraintViolated,
    DatabaseAbsent,
    DatabaseAddressUnknown,
    DatabaseDamaged,
    DatabaseRefused,
    DatabaseUnavailable,
    ValueRefused,
)
from cloud.foundation.errors import DomainError

# PostgreSQL classes 08 (connection), 28 (the account, at a new connection), 40 (rollback: deadlock, serialisation), 53
# (resources: a full disk), 55 (lock), 57 (operator intervention, a time limit), 58 (the operating system), XX (damage);
# 25P03 and 25P04 are time limits, 25006 is a server that has become a standby.
_STATE = ("08", "28", "40", "53", "55", "57", "58", "XX", "25P03", "25P04")
_READ_ONLY = "25006"
_DENIED = "42501"
_VALUE = ("22",)
# data_corrupted and index_corrupted; their texts contain a block and a relation, and no value.
_DAMAGE = ("XX001", "XX002")

_ASYNCPG = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

# The errors of Python for an integer that is too large, and for a text that cannot be encoded as UTF-8.
_VALUES = (OverflowError, UnicodeEncodeError)

# The connection or its server process ended (class 08 too): the statement may have taken effect.
_UNREACHABLE = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_ENDED_BY_OPERATOR = ("57P01", "57P02", "57P03")

# Errors for an option of the address that the driver or the server does not know.
_ADDRESS = (asyncpg.ClientConfigurationError, asyncpg.UndefinedObjectError, asyncpg.CantChangeRuntimeParamError)

DRIVER_ERRORS = (DBAPIError, *_ASYNCPG, OSError, *_VALUES)
"""The exceptions that an execution may raise, besides our own errors and programming errors."""


def _driver_error(error: BaseException) -> BaseException:
    """Return the exception of asyncpg. In a migration, SQLAlchemy and its asyncpg adapter put wrappers around it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    under = error.__cause__
    return under if isinstance(under, _ASYNCPG) else error


def translated(error: BaseException) -> DomainError | None:
    """Return our error for a driver's exception; None for a programming error (invalid SQL, a wrong type)."""
    raw = _driver_error(error)
    name = type(raw).__name__
    if isinstance(raw, asyncpg.IntegrityConstraintViolationError):
        return ConstraintViolated(raw.constraint_name or raw.column_name or "")
    # asyncpg itself refuses a value with an InterfaceError that is also a ValueError.
    if isinstance(raw, _VALUES) or (isinstance(raw, asyncpg.InterfaceError) and isinstance(raw, ValueError)):
        return ValueRefused(f"({name})")
    # A migration by another process changed a table. asyncpg prepares the statement again at its next use.
    if isinstance(raw, asyncpg.InvalidCachedStatementError):
        return DatabaseUnavailable(f"({name})")
    if isinstance(raw, asyncpg.PostgresError):
        state = raw.sqlstate or ""
        if state in _DAMAGE:
            return DatabaseDamaged(f"({name})")
        if state.startswith(_VALUE):
            return ValueRefused(f"({name})")
        if state == _DENIED:
            return DatabaseRefused(f"({name})")
        if state == _READ_ONLY:
            return DatabaseUnavailable("(It is read-only.)")
        return DatabaseUnavailable(f"({name})") if state.startswith(_STATE) else None
    # asyncpg also raises InterfaceError for a wrong argument; only the lost connection is mapped: closed, or closed and
    # taken back by the pool. It raises InternalClientError when the server ends the connection between two statements.
    if isinstance(raw, OSError | asyncpg.InternalClientError) or (
        isinstance(raw, asyncpg.InterfaceError) and ("closed" in str(raw) or "released" in str(raw))
    ):
        return DatabaseUnavailable(f"({name})")
    return None


def is_lock_refused(error: BaseException) -> bool:
    """Return whether a statement did not get a lock: it waited longer than `lock_timeout`, or for a transaction that
    waited for this one."""
    return isinstance(_driver_error(error), asyncpg.LockNotAvailableError | asyncpg.DeadlockDetectedError)


def connect_failure(error: BaseException) -> DomainError:
    """Return our error for a failure to connect to a PostgreSQL database."""
    raw = _driver_error(error)
    name = f"({type(raw).__name__})"
    if isinstance(raw, asyncpg.InvalidCatalogNameError):
        return DatabaseAbsent("(The server has no database of that name; create it with createdb.)")
    if isinstance(raw, asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InsufficientPrivilegeError):
        return DatabaseRefused(name)
    if isinstance(raw, _ADDRESS):
        return DatabaseAddressUnknown(f"(An option after the question mark is unknown: {type(raw).__name__}.)")
    return DatabaseUnavailable(name)


def commit_failure(error: BaseException) -> CommitLost | CommitUnknown:
    """Return our error for a failed COMMIT. If the server stopped or the connection to the server broke, the commit may
    have succeeded before, and the error is `CommitUnknown`."""
    raw = _driver_error(error)
    if isinstance(raw, _UNREACHABLE) or getattr(raw, "sqlstate", None) in _ENDED_BY_OPERATOR:
        return CommitUnknown(f"({type(raw).__name__})")
    return CommitLost(f"({type(raw).__name__})")
