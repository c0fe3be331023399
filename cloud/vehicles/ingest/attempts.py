"""Retry work of ingest while the database or the object store is unavailable."""

import asyncio
import random

import structlog

from cloud.foundation.db import DatabaseUnavailable, DatabaseUnusable
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ObjectStoreUnavailable
from cloud.vehicles.ingest.limits import IngestSettings
from protocols.waits import doubled_s

log = structlog.get_logger()

AWAY = (DatabaseUnavailable, DatabaseUnusable, ObjectStoreUnavailable)
"""Errors of the database, not of the content. `DatabaseUnusable` in a running process means that an account, a database
or a table was removed; it may be restored."""


async def wait_for_next(settings: IngestSettings, attempt: int, error: DomainError) -> int:
    """Wait a random time up to a limit that doubles with each attempt (full jitter), so that workers do not retry at
    the same time; return the number of the next attempt."""
    most_s = doubled_s(settings.retry_least_s, attempt, settings.retry_most_s)
    log.warning("ingest.database_unavailable", code=error.code, attempt=attempt)
    await asyncio.sleep(random.uniform(0, most_s))  # noqa: S311  spreads attempts, protects nothing
    return attempt + 1
