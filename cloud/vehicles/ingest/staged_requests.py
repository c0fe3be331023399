"""Write the rows of staged batches when readers in other processes request them."""

import asyncio
from contextlib import suppress
from typing import Protocol

import structlog

from cloud.foundation.errors import DomainError
from cloud.vehicles.ingest.staging_periods import OwnPeriod

log = structlog.get_logger()

REQUESTS_S = 0.1
"""Time between two looks for requests of other processes. Their readers wait for it."""
BEAT_S = 1.0
"""Time between two signs to these readers that this process is writing: a third of what they wait for one."""
RETRY_S = 5.0
"""Delay after the object store or the database was not available."""


class FlushOwn(Protocol):
    """A function that writes the rows of all batches that this process has staged; without `waveforms`, those of
    numerics."""

    async def __call__(self, *, waveforms: bool) -> None: ...


class StagedRequests:
    """Serves the requests for the rows of one process. Those for numerics do not wait for those for waveforms. `flush`
    writes the rows of all batches that this process has staged before; without `waveforms`, those of numerics."""

    def __init__(self, period: OwnPeriod, flush: FlushOwn) -> None:
        self._period = period
        self._flush = flush
        self._served: set[bool] = set()

    async def run(self) -> None:
        """Write the rows whenever a reader needs them, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._period.wait_until_open()
                await asyncio.sleep(REQUESTS_S)
                try:
                    wanted = await self._period.wanted()
                except DomainError as error:
                    log.warning("ingest.staged_not_written", code=error.code)
                    await asyncio.sleep(RETRY_S)
                    continue
                for waveforms in wanted - self._served:
                    self._served.add(waveforms)
                    tasks.create_task(self._serve_or_log(waveforms), name="ingest-serve-staged")

    async def serve_wanted(self) -> None:
        """Write the rows that readers need now. Raises the errors of a database or an object store that is not
        available."""
        for waveforms in sorted(await self._period.wanted()):
            await self._serve(waveforms)

    async def _serve_or_log(self, waveforms: bool) -> None:
        try:
            await self._serve(waveforms)
        except DomainError as error:
            log.warning("ingest.staged_not_written", code=error.code)
            await asyncio.sleep(RETRY_S)
        finally:
            self._served.discard(waveforms)

    async def _serve(self, waveforms: bool) -> None:
        beating = asyncio.ensure_future(self._beat())
        try:
            await self._flush(waveforms=waveforms)
        finally:
            beating.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            with suppress(DomainError):
                await self._period.beat()
