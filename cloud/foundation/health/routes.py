"""Health and readiness: whether the process runs, and whether it can do its work, with the reasons if it cannot.

`/health/live` responds while the event loop runs; a supervisor restarts a process that does not respond.
`/health/ready` checks each part; a load balancer sends no requests to a process that is not ready. It also reports how
far the background steps of an upgrade are, which have no influence on readiness.
"""

import asyncio
from collections.abc import Mapping, Sequence

from cloud.foundation.checks import CHECK_S_MAX, CHECKS, Check, reasons_against
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.http import EVERY_HOST, PUBLIC, Audience, Json, Parts, RateClass, Request, Response, Route
from cloud.foundation.steps import StepStore


class HealthHandlers:
    """Handlers of the two endpoints, the same on every host."""

    def __init__(
        self, checks: Sequence[Check], database: Database | None = None, *, patience_s: float = CHECK_S_MAX
    ) -> None:
        self._checks = checks
        self._database = database
        self._patience_s = patience_s

    async def live(self, _request: Request) -> Response:
        return Json({"status": "alive"})

    async def ready(self, _request: Request) -> Response:
        status, document = await self.readiness()
        return Json(document, status=status, headers={"Retry-After": "5"} if status == 503 else {})

    async def readiness(self) -> tuple[int, Mapping[str, object]]:
        """Return the HTTP status and the document of `/health/ready`."""
        reasons = await reasons_against(self._checks, self._patience_s)
        parts = {check.part: reasons.get(check.part, "ok") for check in self._checks}
        document = {"status": "unready" if reasons else "ready", "parts": parts, **await self._steps()}
        return 503 if reasons else 200, document

    async def _steps(self) -> Mapping[str, object]:
        """Return the unfinished background steps that have handled rows or failed, as a part of the document; nothing
        if there are none. A new service registers its steps, and most of them find nothing to do."""
        if self._database is None:
            return {}
        try:
            async with asyncio.timeout(self._patience_s), self._database.read() as tx:
                unfinished = await StepStore().unfinished(tx)
        except (DomainError, TimeoutError):
            return {}  # the check of the database has the reason
        steps = [
            {"name": state.name, "percent": state.percent, "failing": state.failure is not None}
            for state in unfinished
            if state.rows_done or state.failure is not None
        ]
        return {"background_steps": steps} if steps else {}


def routes(parts: Parts) -> tuple[Route, ...]:
    return health_rows(HealthHandlers(parts.supplies[CHECKS], parts.database))


def health_rows(handlers: HealthHandlers) -> tuple[Route, ...]:
    """Return the routes, for supervisors and load balancers. They are on every host and not in the public contract."""
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
            responses=responses,
            summary=summary,
            tag="health",
            audience=Audience.OPERATORS,
            in_contract=False,
        )
        for path, handler, summary, responses in rows
    )
