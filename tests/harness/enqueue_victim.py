"""A process that serves the routes of jobs, and is killed between the commit of a new job and the response.

    python -m tests.harness.enqueue_victim DATABASE_URL KEY

It sends itself the request of the caller `north` for a job, with the Idempotency-Key KEY. The tenants of `job_desk`
must be in the database.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.db import open_database
from cloud.foundation.db.transaction import Transaction
from cloud.work.jobs.routes import routes
from tests.builders.cloud_people import HandClock
from tests.builders.http_surface import BASES, KnownTokens, surface
from tests.builders.job_desk import BODY, CALLERS
from tests.builders.parts import make_parts
from tests.builders.statement_count import CountingDatabase
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN


class KilledAtCommit(CountingDatabase):
    """A database whose process is killed when its first transaction has committed."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as tx:
            yield tx
        os.kill(os.getpid(), signal.SIGKILL)


async def live(url: str, key: str) -> None:
    clock = HandClock()
    parts = make_parts(KilledAtCommit(await open_database(url)), clock, bases=BASES)
    headers = {"Authorization": "Bearer north", "Idempotency-Key": key}
    async with (
        surface(*routes(parts), tokens=KnownTokens(CALLERS), clock=clock) as served,
        httpx.AsyncClient(base_url=served.url(""), verify=PLAIN, timeout=WITHIN_S) as client,
    ):
        await client.post("/v1/jobs", json=dict(BODY), headers=headers)


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1], sys.argv[2]))
