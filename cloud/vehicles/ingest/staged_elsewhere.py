"""Have the rows written of batches that other ingest processes have staged."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.vehicles.ingest.staging_periods import StagingPeriods

log = structlog.get_logger()

ANSWER_S = 3.0
"""Time in which a process must write its rows after a request. It looks for requests ten times a second, and the
largest amount takes about a second. After this time it counts as ended."""
LOOK_S = 0.05
"""Time between two looks whether it has."""
ENDED_S = 10.0
"""Time for which nothing is expected of a process that seems to have ended. If it has not, it begins another period."""


class StagedElsewhere:
    """Requests the rows of other processes, and writes those of processes that have ended by `write_left`, which reads
    the objects. `ends`: this process removes these objects, so nothing is left of the processes that have ended."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        process: str,
        write_left: Callable[[], Awaitable[None]],
        *,
        ends: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._process = process
        self._write_left = write_left
        self._ends = ends
        self._periods = StagingPeriods()
        self._ended: dict[str, tuple[int, float]] = {}
        """Processes that have ended: the period up to which this process has written their rows, and when."""

    async def settle(self) -> None:
        """Wait until the rows of all batches are written that other processes have acknowledged before the call. Raises
        the errors of a database or an object store that is not available."""
        pending = {name: period for name, (period, _) in (await self._pending()).items()}
        now_s = asyncio.get_running_loop().time()
        known = {name for name, (period, _) in self._ended.items() if pending.get(name) == period}
        self._ended = {name: self._ended[name] for name in known}
        due = {name: period for name, period in pending.items() if name not in known}
        if due:
            due = await self._request(due)
        if due or any(now_s >= since_s + ENDED_S for _, since_s in self._ended.values()):
            if due:
                log.warning("ingest.stagers_ended", processes=len(due))
            await self.write_left({**due, **{name: period for name, (period, _) in self._ended.items()}})

    async def write_left(self, ended: Mapping[str, int] | None = None) -> None:
        """Write the rows of all staged objects of other processes, of which `ended` have ended. None: all count as
        ended, since this process has just started."""
        if ended is None:
            ended = {name: period for name, (period, _) in (await self._pending()).items()}
        await self._write_left()
        if self._ends:
            async with self._database.transaction() as tx:
                await self._periods.end(tx, ended)
                await self._periods.forget(tx, self._clock.now_us())
        else:
            now_s = asyncio.get_running_loop().time()
            self._ended = {name: (period, now_s) for name, period in ended.items()}

    async def _request(self, periods: Mapping[str, int]) -> dict[str, int]:
        """Request the rows of these processes; return those that have not written them in time."""
        async with self._database.transaction() as tx:
            await self._periods.request(tx, periods)
        end_s = asyncio.get_running_loop().time() + ANSWER_S
        while True:
            pending = await self._pending()
            left = {name: period for name, period in periods.items() if name in pending and pending[name][1] < period}
            if not left or asyncio.get_running_loop().time() >= end_s:
                return left
            await asyncio.sleep(LOOK_S)

    async def _pending(self) -> dict[str, tuple[int, int]]:
        async with self._database.read() as tx:
            return await self._periods.pending(tx, self._process)
