"""Errors of the database, without the values of the statement.

A driver's message may quote a row, so it is never passed on. An error contains only the name of the constraint or of
the driver's error class.
"""

from cloud.foundation.errors import DomainError, PrivateError


class DatabaseUnusable(PrivateError, code="database_unusable", status=503):
    """The database cannot be used."""


class DatabaseAddressUnknown(DatabaseUnusable, code="database_address_unknown"):
    """A database address reads sqlite:///path/to/file or postgresql://user@host/name."""


class DatabaseAbsent(DatabaseUnusable, code="database_absent"):
    """There is no database at this address. Check address and disk, restore a backup, or create one with `argus-cloud
    init`."""


class DatabaseRefused(DatabaseUnusable, code="database_refused"):
    """The database server denied access to this account. Check the user, the password and the privileges."""


class DatabaseUnmigrated(DatabaseUnusable, code="database_unmigrated"):
    """The database is older than this program. Run `argus-cloud migrate` first."""


class DatabaseNewer(DatabaseUnusable, code="database_newer"):
    """The database was migrated by a newer Argus, with which this one is not compatible. Run the newer version, or
    restore the copy from before the upgrade."""


class StepsUnfinished(DatabaseUnusable, code="steps_unfinished"):
    """This version needs a background step of the release before to have ended. Nothing was changed. Start the release
    before again, wait until `argus-cloud doctor` reports no unfinished step, then upgrade."""


class TablesInUse(DatabaseUnusable, code="tables_in_use"):
    """Long statements of other connections kept the tables locked, so the migration was not applied. End them
    (pg_stat_activity lists them), then run `argus-cloud migrate` again."""


class DatabaseForeign(DatabaseUnusable, code="database_foreign"):
    """The database belongs to another program and was not changed. Give Argus a database of its own."""


class DatabaseMoved(DatabaseUnusable, code="database_moved"):
    """This SQLite database was copied to PostgreSQL, and what is stored here now would be missing there. Use the
    settings of the PostgreSQL database."""


class DatabaseInUse(DatabaseUnusable, code="database_in_use"):
    """A program has the SQLite database open, so it was not copied. Stop the service and all other commands first."""


class DatabaseNotEmpty(DatabaseUnusable, code="database_not_empty"):
    """A copy needs an empty database; this one was not changed. Create a new one with createdb, and name it in the
    settings."""


class RowNotCopied(DatabaseUnusable, code="row_not_copied"):
    """PostgreSQL refused a value of the SQLite database, so nothing was copied. `argus-cloud doctor` examines the
    SQLite database."""


class DatabaseUnavailable(DomainError, code="database_unavailable", status=503):
    """The database does not respond. Try again shortly."""


class DatabaseDamaged(DatabaseUnavailable, code="database_damaged"):
    """The database is damaged, so the change was not made. The operator finds the damaged parts with `argus-cloud
    doctor`."""


class CommitLost(DatabaseUnavailable, code="commit_lost"):
    """The database could not make the change durable, so it was not made. Try again shortly."""


class CommitUnknown(DatabaseUnavailable, code="commit_unknown"):
    """The database did not confirm the change, so it may have been made. Repeat it with the same Idempotency-Key."""


class TransactionTooSlow(DatabaseUnavailable, code="transaction_too_slow"):
    """The change took too long and was not made. Try again shortly."""


class WriterBusy(DatabaseUnavailable):
    """Too many changes are queued. Try again shortly."""


class ValueRefused(DomainError, code="value_refused", status=422):
    """The database cannot store a value."""


class RowsMissing(PrivateError, code="rows_missing", status=409):
    """A statement found fewer or more rows than it must change, so the change was not made."""


class ConstraintViolated(DomainError, code="constraint_violated", status=409):
    """The change conflicts with stored data."""

    def __init__(self, constraint: str = "") -> None:
        """`constraint`: the name of the constraint (PostgreSQL) or `table.column` (SQLite), never a value."""
        self.constraint = constraint
        super().__init__(f"({constraint})" if constraint else "")
