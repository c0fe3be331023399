"""Count statements that met damaged data. The database's error names no table. So `IntegrityWatch` searches for the
damaged part.
"""

import structlog

from cloud.foundation.db.errors import DatabaseDamaged

log = structlog.get_logger()


class DamageNotes:
    """Counts the `DatabaseDamaged` errors that blocks of `with notes:` raise, and logs the first error. No error is
    suppressed. All requests share one `DamageNotes` object, so several blocks may run at once. `pending` is the number
    of errors since the last examination by `IntegrityWatch`."""

    def __init__(self, database: str) -> None:
        """Start with no damage. `database` names the database in the log: its file, or `postgresql`."""
        self._database = database
        self.pending = 0

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DatabaseDamaged):
            if not self.pending:  # log once until it is examined, since every request may meet the same damaged table
                log.error("database.damaged", database=self._database, part="unknown yet", finding=error.detail)
            self.pending += 1
