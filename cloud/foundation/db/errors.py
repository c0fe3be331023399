"""What can go wrong between us and a database, told without the values that were being written.

A driver's own message may quote a row, so none is passed on: only the name of the constraint or the driver's error
class.
"""

from cloud.foundation.errors import DomainError


class DatabaseUnusable(DomainError):
    """The database cannot be used."""

    code = "database_unusable"
    status = 503


class DatabaseAddressUnknown(DatabaseUnusable):
    """A database address reads sqlite:///path/to/file or postgresql://user@host/name."""

    code = "database_address_unknown"


class DatabaseAbsent(DatabaseUnusable):
    """There is no database here; check address and disk, restore a backup, or create one with `argus-cloud init`."""

    code = "database_absent"


class DatabaseRefused(DatabaseUnusable):
    """The database server does not let this account do that; check the user, its password and its rights."""

    code = "database_refused"


class DatabaseUnmigrated(DatabaseUnusable):
    """The database is older than this program; run `argus-cloud migrate` first."""

    code = "database_unmigrated"


class DatabaseNewer(DatabaseUnusable):
    """The database was migrated by a newer Argus; run that version, or restore the copy made before the upgrade."""

    code = "database_newer"


class DatabaseForeign(DatabaseUnusable):
    """This database belongs to something else and was left untouched; give Argus one of its own."""

    code = "database_foreign"


class DatabaseUnavailable(DomainError):
    """The database does not answer at the moment; try again shortly."""

    code = "database_unavailable"
    status = 503


class DatabaseDamaged(DatabaseUnavailable):
    """The database is damaged, so this was not done; `argus-cloud doctor` names the damaged parts."""

    code = "database_damaged"


class CommitLost(DatabaseUnavailable):
    """The database could not make this change durable, so it did not happen; try again shortly."""

    code = "commit_lost"


class CommitUnknown(DatabaseUnavailable):
    """The database did not confirm this change, so it may have happened; repeat it with the same Idempotency-Key."""

    code = "commit_unknown"


class TransactionTooSlow(DatabaseUnavailable):
    """A change took too long and was undone, so that it does not hold up the others."""

    code = "transaction_too_slow"


class WriterBusy(DatabaseUnavailable):
    """Too many changes are queued at the moment; try again shortly."""


class ValueRefused(DomainError):
    """A value cannot be stored in this database."""

    code = "value_refused"
    status = 422


class ConstraintViolated(DomainError):
    """The change contradicts what is stored."""

    code = "constraint_violated"
    status = 409

    def __init__(self, constraint: str = "") -> None:
        """`constraint`: the name the database gives (PostgreSQL) or `table.column` (SQLite); never a value."""
        self.constraint = constraint
        super().__init__(f"({constraint})" if constraint else "")
