"""Map the exceptions of sqlite3 to our own errors, without the row that their text may quote.

A fault of the values becomes `ConstraintViolated` or `ValueRefused`, a fault of the database's state becomes
`DatabaseUnavailable`, and a programming error is raised unchanged. `postgresql_failures` does the same for PostgreSQL.
"""

import re
import sqlite3

from sqlalchemy.exc import DBAPIError

from cloud.foundation.db.errors import (
    CommitLost,
    ConstraintViolated,
    DatabaseDamaged,
    DatabaseUnavailable,
    ValueRefused,
)
from cloud.foundation.errors import DomainError

# "UNIQUE constraint failed: devices.id, devices.tenant_id" and "CHECK constraint failed: ck_name": names, never values.
_CONSTRAINT = re.compile(r"constraint failed: (?P<names>[\w., ]+)")
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
# The error of sqlite3 for a text with damaged bytes. It has no code, and its message quotes the text.
_NOT_UTF8 = "Could not decode to UTF-8"
_VALUE = ("SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE")
# SQLITE_ERROR is invalid SQL, and SQLITE_READONLY without a suffix is a change inside a read: both are programming
# errors.
_OURS = ("SQLITE_ERROR", "SQLITE_READONLY", "SQLITE_MISUSE")

# The errors of sqlite3 for an integer beyond 64 bits, and for a text that cannot be encoded as UTF-8.
_VALUES = (OverflowError, UnicodeEncodeError)

DRIVER_ERRORS = (DBAPIError, sqlite3.Error, *_VALUES)
"""The exceptions that an execution may raise, besides our own errors and programming errors."""


def translated(error: BaseException) -> DomainError | None:
    """Return our error for a driver's exception; None for a programming error (invalid SQL, a wrong type)."""
    raw = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(raw, sqlite3.IntegrityError):
        found = _CONSTRAINT.search(str(raw))
        return ConstraintViolated(found["names"] if found else "")
    if isinstance(raw, _VALUES):
        return ValueRefused(f"({type(raw).__name__})")
    if not isinstance(raw, sqlite3.DatabaseError):
        return None
    code = getattr(raw, "sqlite_errorname", "")
    if code.startswith(_DAMAGE):
        return DatabaseDamaged(f"({code})")
    if not code and str(raw).startswith(_NOT_UTF8):
        return DatabaseDamaged("(a text is no UTF-8)")
    if code in _VALUE:
        return ValueRefused(f"({code})")
    return DatabaseUnavailable(f"({code})") if code and code not in _OURS else None


def commit_failure(error: sqlite3.Error) -> CommitLost | DatabaseDamaged:
    """Return our error for a failed COMMIT. SQLite always reports the outcome: the change was not made."""
    code = str(getattr(error, "sqlite_errorname", None) or "")
    if code.startswith(_DAMAGE):
        return DatabaseDamaged(f"({code})")
    return CommitLost(f"({code or type(error).__name__})")
