"""The periods in which the ingest processes of one database stage batches, and requests to write their rows.

A reader needs the rows of all batches that any process acknowledged before. The process that staged them has them in
memory and writes them best, so a reader in another process requests that, and writes them itself only if the process is
ended. For this each process records, in one row, the period in which it stages: a period begins before the first of its
batches is acknowledged, and ends when the rows of all are written. So a reader finds out with one look-up in a table of
a few rows that nothing is staged.
"""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Text, bindparam, delete, select, update

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Prepared, Transaction, insert
from cloud.foundation.ids import Ids
from cloud.foundation.retention import DAY_US
from cloud.vehicles.ingest.tables import staging_processes

FORGET_US = 7 * DAY_US
"""Time after which the row of a process that has ended is deleted. One that only staged nothing adds its row again."""

_rows = staging_processes.c
_process = bindparam("process", type_=Text)
_period = bindparam("period", type_=BigInteger)
_BEGIN = insert(staging_processes).values(
    process=_process,
    period=_period,
    wanted_period=0,
    written_period=0,
    at_us=bindparam("at_us", type_=BigInteger),
)
_PENDING = Prepared(
    select(_rows.process, _rows.period, _rows.written_period).where(
        _rows.process != _process, _rows.period > _rows.written_period
    )
)
_STATE = Prepared(select(_rows.wanted_period, _rows.written_period).where(_rows.process == _process))


class StagingPeriods:
    """SQL statements on the periods of processes. Their numbers begin with 1."""

    async def begin(self, tx: Transaction, process: str, number: int, now_us: int) -> None:
        """Record that a process stages batches from now on."""
        changed = {name: _BEGIN.excluded[name] for name in ("period", "at_us")}
        statement = _BEGIN.on_conflict_do_update(index_elements=[_rows.process], set_=changed)
        await tx.execute(statement, {"process": process, "period": number, "at_us": now_us})

    async def end(self, tx: Transaction, periods: Mapping[str, int]) -> None:
        """Record that all rows of these processes are written up to these periods."""
        for process, number in sorted(periods.items()):
            mine = (_rows.process == process, _rows.written_period < number)
            await tx.execute(update(staging_processes).where(*mine).values(written_period=number))

    async def request(self, tx: Transaction, periods: Mapping[str, int]) -> None:
        """Request the rows of these processes up to these periods."""
        for process, number in sorted(periods.items()):
            mine = (_rows.process == process, _rows.wanted_period < number)
            await tx.execute(update(staging_processes).where(*mine).values(wanted_period=number))

    async def pending(self, tx: Transaction, but: str) -> dict[str, tuple[int, int]]:
        """Return, for each process that has staged batches, the present period and the last one whose rows are all
        written. The process `but` is left out."""
        found = await tx.driver.rows(_PENDING, {"process": but})
        return {process: (number, written) for process, number, written in found}

    async def state(self, tx: Transaction, process: str) -> tuple[int, int]:
        """Return the periods up to which the rows of a process are wanted, and written."""
        for wanted, written in await tx.driver.rows(_STATE, {"process": process}):
            return wanted, written
        return 0, 0

    async def leave(self, tx: Transaction, process: str) -> None:
        """Delete the row of a process that ends, if its rows are written."""
        mine = (_rows.process == process, _rows.period <= _rows.written_period)
        await tx.execute(delete(staging_processes).where(*mine))

    async def forget(self, tx: Transaction, now_us: int) -> None:
        """Delete the rows of processes that ended long ago."""
        await tx.execute(delete(staging_processes).where(_rows.at_us < now_us - FORGET_US))


class OwnPeriod:
    """The present period of this process."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._periods = StagingPeriods()
        self.process = ids.new("")
        self._number = 1
        self._begun = self._ended = 0

    async def begin(self) -> None:
        """Record that this process stages batches. Without effect if the present period has begun."""
        while self._begun < (number := self._number):
            async with self._database.transaction() as tx:
                await self._periods.begin(tx, self.process, number, self._clock.now_us())
            self._begun = number

    def close(self) -> int:
        """Let what is staged from now on belong to another period, and return the last one before it."""
        self._number = self._begun + 1
        return self._begun

    async def end(self, number: int) -> None:
        """Record that all rows up to this period are written."""
        if number > self._ended:
            async with self._database.transaction() as tx:
                await self._periods.end(tx, {self.process: number})
            self._ended = number

    async def is_wanted(self) -> bool:
        """Return whether a reader in another process waits for rows. If this process did not respond in
        time, and counts as ended for another one, the next batches begin another period."""
        async with self._database.read() as tx:
            wanted, written = await self._periods.state(tx, self.process)
        if written > self._ended:
            self._ended = written
            self.close()
        return wanted > self._ended

    async def leave(self) -> None:
        """Delete the row of this process, which ends."""
        if self._begun:
            async with self._database.transaction() as tx:
                await self._periods.leave(tx, self.process)
