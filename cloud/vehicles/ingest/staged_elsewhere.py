"""Have the rows written of batches that other ingest processes have staged."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.vehicles.ingest.staging_periods import Pending, StagingPeriods

log = structlog.get_logger()

ANSWER_S = 3.0
"""Time in which a process must write its rows after a request, or show that it is writing them. It looks for requests
ten times a second. After this time it counts as ended."""
WRITING_S_MAX = 30.0
"""Time after which a process counts as ended that only shows that it is writing."""
LOOK_S = 0.05
"""Time between two looks whether it has."""
ENDED_S = 10.0
"""Time for which nothing is expected of a process that seems to have ended. If it has not, it begins another period."""


class StagedElsewhere:
    """Requests the rows of other processes, and writes those of processes that have ended by `write_left`, which reads
    the objects. Without `waveforms` it waits for the rows of numerics only. `ends`: this process removes these objects,
    so nothing is left of the processes that have ended."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        process: str,
        write_left: Callable[[], Awaitable[None]],
        *,
        ends: bool,
        waveforms: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._process = process
        self._write_left = write_left
        self._ends = ends
        self._waveforms = waveforms
        self._periods = StagingPeriods()
        self._ended: dict[str, tuple[int, float]] = {}
        """Processes that have ended: the period up to which this process has written their rows, and when."""

    async def settle(self) -> None:
        """Wait until the rows of all batches are written that other processes have acknowledged before the call. Raises
        the errors of a database or an object store that is not available."""
        pending = await self._pending()
        now_s = asyncio.get_running_loop().time()
        known = {
            name for name, (period, _) in self._ended.items() if name in pending and pending[name].number == period
        }
        self._ended = {name: self._ended[name] for name in known}
        due = {name: one for name, one in pending.items() if name not in known}
        ended = await self._request(due) if due else {}
        if ended or any(now_s >= since_s + ENDED_S for _, since_s in self._ended.values()):
            await self._end({**ended, **{name: period for name, (period, _) in self._ended.items()}})

    async def settle_left(self) -> None:
        """Wait as `settle`, and also write the rows of the objects that are left, of whatever process."""
        due = await self._pending()
        await self._end(await self._request(due) if due else {})

    async def _end(self, ended: Mapping[str, int]) -> None:
        """Write the rows of the objects that are left, and note that these processes have ended. Each was requested to
        write the rows of these periods before, so that it acknowledges nothing in them any more."""
        await self._write_left()
        if self._ends:
            async with self._database.transaction() as tx:
                await self._periods.end(tx, ended)
                await self._periods.forget(tx, self._clock.now_us())
        else:
            now_s = asyncio.get_running_loop().time()
            self._ended = {name: (period, now_s) for name, period in ended.items()}

    async def _request(self, due: Mapping[str, Pending]) -> dict[str, int]:
        """Request the rows of these processes; return the periods of those that have not written them in time."""
        left = {name: one.number for name, one in due.items()}
        async with self._database.transaction() as tx:
            await self._periods.request(tx, left, waveforms=self._waveforms)
        begin_s = asyncio.get_running_loop().time()
        signs = {name: (one.beats, begin_s) for name, one in due.items()}
        while True:
            pending = await self._pending()
            now_s = asyncio.get_running_loop().time()
            left = {name: period for name, period in left.items() if name in pending and pending[name].written < period}
            for name in left:
                if pending[name].beats != signs[name][0]:
                    signs[name] = pending[name].beats, now_s
            ended = {name: period for name, period in left.items() if now_s - signs[name][1] > ANSWER_S}
            if left == ended or now_s >= begin_s + WRITING_S_MAX:
                if left:
                    log.warning("ingest.stagers_ended", processes=len(left))
                return left
            await asyncio.sleep(LOOK_S)

    async def _pending(self) -> Mapping[str, Pending]:
        async with self._database.read() as tx:
            return await self._periods.pending(tx, self._process, waveforms=self._waveforms)
