"""Errors of the database, without the values of the statement.

A driver's own message may quote a row, so none is passed on: only the name of the constraint or the driver's error
class.
"""

from cloud.foundation.errors import DomainError, PrivateError


class DatabaseUnusable(PrivateError):
    """The database cannot be used."""

    code = "database_unusable"
    status = 503


class DatabaseAddressUnknown(DatabaseUnusable):
    """A database address reads sqlite:///path/to/file or postgresql://user@host/name."""

    code = "database_address_unknown"


class DatabaseAbsent(DatabaseUnusable):
    """There is no database at this address. Check address and disk, restore a backup, or create one with `argus-cloud
    init`."""

    code = "database_absent"


class DatabaseRefused(DatabaseUnusable):
    """The database server denied access to this account. Check the user, the password and the privileges."""

    code = "database_refused"


class DatabaseUnmigrated(DatabaseUnusable):
    """The database is older than this program. Run `argus-cloud migrate` first."""

    code = "database_unmigrated"


class DatabaseNewer(DatabaseUnusable):
    """The database was migrated by a newer Argus. Run that version, or restore the copy from before the upgrade."""

    code = "database_newer"


class DatabaseForeign(DatabaseUnusable):
    """The database belongs to another program and was not changed. Give Argus a database of its own."""

    code = "database_foreign"


class DatabaseUnavailable(DomainError):
    """The database does not respond. Try again shortly."""

    code = "database_unavailable"
    status = 503


class DatabaseDamaged(DatabaseUnavailable):
    """The database is damaged, so the change was not made. The operator finds the damaged parts with `argus-cloud
    doctor`."""

    code = "database_damaged"


class CommitLost(DatabaseUnavailable):
    """The database could not make the change durable, so it was not made. Try again shortly."""

    code = "commit_lost"


class CommitUnknown(DatabaseUnavailable):
    """The database did not confirm the change, so it may have been made. Repeat it with the same Idempotency-Key."""

    code = "commit_unknown"


class TransactionTooSlow(DatabaseUnavailable):
    """The change took too long and was not made. Try again shortly."""

    code = "transaction_too_slow"


class WriterBusy(DatabaseUnavailable):
    """Too many changes are queued. Try again shortly."""


class ValueRefused(DomainError):
    """The database cannot store a value."""

    code = "value_refused"
    status = 422


class ConstraintViolated(DomainError):
    """The change conflicts with stored data."""

    code = "constraint_violated"
    status = 409

    def __init__(self, constraint: str = "") -> None:
        """`constraint`: the name the database gives (PostgreSQL) or `table.column` (SQLite); never a value."""
        self.constraint = constraint
        super().__init__(f"({constraint})" if constraint else "")
