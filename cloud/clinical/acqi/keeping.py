"""The loop that keeps the sums of indicators up to date.

It is no chore, since a chore works in one transaction that writes, and the scores are computed outside of one.
"""

import asyncio

import structlog

from cloud.clinical.acqi.scoring import Scoring
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.stopping import pause

EVERY_S = 10.0
"""Seconds between two runs: the sums follow a change at most this much later."""
REST_S = 0.02
"""Seconds between two chunks, for other work."""

log = structlog.get_logger()


class ScoreKeeper:
    """Scores the marked encounters every `EVERY_S` seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._scoring = Scoring()

    async def run(self, stopping: asyncio.Event) -> None:
        """Score until a stop is requested. After an error of the database, the next run continues."""
        while not stopping.is_set():
            try:
                while not stopping.is_set() and await self._scoring.score_next(self._database):
                    await pause(stopping, REST_S)
            except DomainError as error:
                log.warning("acqi.scoring_interrupted", code=error.code)
            await pause(stopping, EVERY_S)
