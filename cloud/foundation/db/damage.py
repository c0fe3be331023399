"""Record that a statement met damaged data in the database.

The driver's error does not name the damaged table. So the damage is only counted here, and `IntegrityWatch` examines
the database to find the damaged part.
"""

import structlog

from cloud.foundation.db.errors import DatabaseDamaged

log = structlog.get_logger()


class DamageNotes:
    """Counts the errors of statements that met damaged data in one database.

    It is a context manager: `with notes:` counts a `DatabaseDamaged` error that the block raises, and logs the first
    one. The error is raised again. Every request enters it, so it keeps no state of a block.

    `pending` is the number of errors that `IntegrityWatch` has not examined yet.
    """

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
