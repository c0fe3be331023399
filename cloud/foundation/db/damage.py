"""Record that a statement met damaged data in the database.

The driver's error does not name the damaged table. So the damage is only counted here, and `IntegrityWatch` examines
the database to find the damaged part.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from cloud.foundation.db.errors import DatabaseDamaged

log = structlog.get_logger()


class DamageNotes:
    """Counts the errors of statements that met damaged data in one database.

    `pending` is the number of errors that `IntegrityWatch` has not examined yet.
    """

    def __init__(self, database: str) -> None:
        """Start with no damage. `database` names the database in the log: its file, or `postgresql`."""
        self._database = database
        self.pending = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count a `DatabaseDamaged` error that the block raises, and log the first one. The error is raised again."""
        try:
            yield
        except DatabaseDamaged as error:
            if not self.pending:  # log once until it is examined, since every request may meet the same damaged table
                log.error("database.damaged", database=self._database, part="unknown yet", finding=error.detail)
            self.pending += 1
            raise
