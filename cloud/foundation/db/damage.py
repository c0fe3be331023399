"""Note that a database met damaged data while it worked.

The error that a request gets names no table, because the driver does not. So the database notes it here, and
`IntegrityWatch` examines what is behind it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from cloud.foundation.db.errors import DatabaseDamaged

log = structlog.get_logger()


class DamageNotes:
    """Damage that statements on one database have met. `pending` counts errors that were not examined yet."""

    def __init__(self, database: str) -> None:
        """`database`: its file or the word `postgresql`, for the log."""
        self._database = database
        self.pending = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note damage that the block meets."""
        try:
            yield
        except DatabaseDamaged as error:
            if not self.pending:  # once, until it was examined: a damaged table is met by every request
                log.error("database.damaged", database=self._database, part="unknown yet", finding=error.detail)
            self.pending += 1
            raise
