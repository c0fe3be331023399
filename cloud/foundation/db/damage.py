"""Record that statements on a database met damaged data.

The error of a request does not name the table, because the driver does not. So the damage is recorded here, and
`IntegrityWatch` examines the database to find it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from cloud.foundation.db.errors import DatabaseDamaged

log = structlog.get_logger()


class DamageNotes:
    """Damage that statements on one database have met. `pending` counts the errors that are not examined yet."""

    def __init__(self, database: str) -> None:
        """Start without damage. `database`: its file or the word `postgresql`, for the log."""
        self._database = database
        self.pending = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record damage that the block meets."""
        try:
            yield
        except DatabaseDamaged as error:
            if not self.pending:  # log once until it is examined, since every request may meet the same damaged table
                log.error("database.damaged", database=self._database, part="unknown yet", finding=error.detail)
            self.pending += 1
            raise
