"""Health and readiness: does the process run, and can it do its work (and if not, why not).

`/health/live` answers as long as the event loop turns: a supervisor restarts what does not. `/health/ready` asks each
part; a load balancer sends no requests to what is not ready. Reasons name parts and codes, never addresses, users or
secrets.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from cloud.foundation.db import Database
from cloud.foundation.db.revisions import check_current
from cloud.foundation.errors import DomainError
from cloud.foundation.http import EVERY_HOST, PUBLIC, Answer, Audience, Json, RateClass, Request, Route

# A part that does not answer within this time is not ready; balancers themselves wait only a few seconds.
CHECK_S_MAX = 2.0


class Check(Protocol):
    """One part that must work."""

    @property
    def part(self) -> str: ...

    async def why_not(self) -> str | None:
        """Why the part does not work, None when it does."""
        ...


class DatabaseCheck:
    """Reachable, and at the revision that this program needs."""

    part = "database"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def why_not(self) -> str | None:
        try:
            check_current(await self._database.revision())
        except DomainError as error:
            return error.sentence
        return None


class BrokerCheck:
    """Ingest has its connection to the broker."""

    part = "broker"

    def __init__(self, connected: Callable[[], bool]) -> None:
        self._connected = connected

    async def why_not(self) -> str | None:
        return (
            None
            if self._connected()
            else "The broker is not connected. Batches are queued in the broker and in the vehicles."
        )


class StoppingCheck:
    """Once a stop was asked for, nothing new should come."""

    part = "process"

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping

    async def why_not(self) -> str | None:
        return "The process is stopping." if self._stopping.is_set() else None


async def reasons_against(checks: Sequence[Check], patience_s: float) -> Mapping[str, str]:
    """Each part that does not work, and why."""
    answers = await asyncio.gather(*(_ask(check, patience_s) for check in checks))
    return {check.part: why for check, why in zip(checks, answers, strict=True) if why is not None}


async def _ask(check: Check, patience_s: float) -> str | None:
    try:
        async with asyncio.timeout(patience_s):
            return await check.why_not()
    except TimeoutError:
        return "The check timed out."
    except Exception as error:
        return f"The check itself failed ({type(error).__name__})."


class HealthHandlers:
    """The two answers, the same on every host."""

    def __init__(self, checks: Sequence[Check], *, patience_s: float = CHECK_S_MAX) -> None:
        self._checks = checks
        self._patience_s = patience_s

    async def live(self, _request: Request) -> Answer:
        return Json({"status": "alive"})

    async def ready(self, _request: Request) -> Answer:
        status, document = await self.readiness()
        return Json(document, status=status, headers={"Retry-After": "5"} if status == 503 else {})

    async def readiness(self) -> tuple[int, Mapping[str, object]]:
        """Status and document of `/health/ready`."""
        reasons = await reasons_against(self._checks, self._patience_s)
        parts = {check.part: reasons.get(check.part, "ok") for check in self._checks}
        return 503 if reasons else 200, {"status": "unready" if reasons else "ready", "parts": parts}


def routes(handlers: HealthHandlers) -> tuple[Route, ...]:
    """On every host, for supervisors and load balancers; no part of the public contract."""
    rows = (
        ("/health/live", handlers.live, "Check that the process runs", {200: "It runs."}),
        (
            "/health/ready",
            handlers.ready,
            "Check that every part works",
            {200: "Ready.", 503: "Unready: a part fails."},
        ),
    )
    return tuple(
        Route(
            method="GET",
            path=path,
            handler=handler,
            host=EVERY_HOST,
            scopes=PUBLIC,
            rate_class=RateClass.HEALTH,
            answers=answers,
            summary=summary,
            tag="health",
            audience=Audience.OPERATORS,
            in_contract=False,
        )
        for path, handler, summary, answers in rows
    )
