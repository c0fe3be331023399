"""The periods in which the ingest processes of one database stage batches, and requests to write their rows.

A reader needs the rows of all batches that any process acknowledged before. The process that staged them has them in
memory and writes them best, so a reader in another process requests that, and writes them itself only if the process is
ended. For this each process records, in one row, the period in which it stages: a period begins before the first of its
batches is acknowledged, and ends when the rows of all are written. So a reader finds out with one look-up in a table of
a few rows that nothing is staged.

The numerics of a period may be written before its waveforms, which need the object store: most readers request only
them, and an outage does not delay these.
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import BigInteger, Text, bindparam, delete, select, update

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Prepared, Transaction, insert
from cloud.foundation.ids import Ids
from cloud.foundation.retention import DAY_US
from cloud.vehicles.ingest.tables import staging_processes

FORGET_US = 7 * DAY_US
"""Time after which the row of a process that has ended is deleted. One that only staged nothing adds its row again."""

_rows = staging_processes.c
_WANTED = {False: _rows.wanted_numerics, True: _rows.wanted_period}
"""For `waveforms`: the period up to which a reader needs the rows."""
_WRITTEN = {False: _rows.written_numerics, True: _rows.written_period}
"""For `waveforms`: the period up to which all rows are written, or those of numerics."""
_process = bindparam("process", type_=Text)
_period = bindparam("period", type_=BigInteger)
_BEGIN = insert(staging_processes).values(
    process=_process,
    period=_period,
    wanted_period=0,
    written_period=0,
    at_us=bindparam("at_us", type_=BigInteger),
)
_PENDING = {
    waveforms: Prepared(
        select(_rows.process, _rows.period, written, _rows.beats).where(
            _rows.process != _process, _rows.period > written
        )
    )
    for waveforms, written in _WRITTEN.items()
}
_STATE = Prepared(
    select(_rows.wanted_numerics, _rows.wanted_period, _rows.written_period).where(_rows.process == _process)
)


class Pending(NamedTuple):
    """The state of a process that stages: its present period, and the last one whose rows are written. `beats` grows
    while it writes rows for a reader."""

    number: int
    written: int
    beats: int


class State(NamedTuple):
    """The periods up to which readers need the numerics of a process and all its rows, and up to which all are
    written."""

    wanted_numerics: int = 0
    wanted: int = 0
    written: int = 0


class StagingPeriods:
    """SQL statements on the periods of processes. Their numbers begin with 1. Without `waveforms`, only the rows of
    numerics count."""

    async def begin(self, tx: Transaction, process: str, number: int, now_us: int) -> None:
        """Record that a process stages batches from now on."""
        changed = {name: _BEGIN.excluded[name] for name in ("period", "at_us")}
        statement = _BEGIN.on_conflict_do_update(index_elements=[_rows.process], set_=changed)
        await tx.execute(statement, {"process": process, "period": number, "at_us": now_us})

    async def end(self, tx: Transaction, periods: Mapping[str, int], *, waveforms: bool = True) -> None:
        """Record that the rows of these processes are written up to these periods."""
        for process, number in sorted(periods.items()):
            for written in _WRITTEN.values() if waveforms else [_WRITTEN[False]]:
                mine = (_rows.process == process, written < number)
                await tx.execute(update(staging_processes).where(*mine).values({written.name: number}))

    async def request(self, tx: Transaction, periods: Mapping[str, int], *, waveforms: bool = True) -> None:
        """Request the rows of these processes up to these periods."""
        wanted = _WANTED[waveforms]
        for process, number in sorted(periods.items()):
            mine = (_rows.process == process, wanted < number)
            await tx.execute(update(staging_processes).where(*mine).values({wanted.name: number}))

    async def beat(self, tx: Transaction, process: str) -> None:
        """Record that a process is writing rows."""
        mine = _rows.process == process
        await tx.execute(update(staging_processes).where(mine).values(beats=_rows.beats + 1))

    async def pending(self, tx: Transaction, but: str, *, waveforms: bool = True) -> dict[str, Pending]:
        """Return what each process has staged whose rows are not written. The process `but` is left out."""
        found = await tx.driver.rows(_PENDING[waveforms], {"process": but})
        return {process: Pending(*counts) for process, *counts in found}

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
        self._begun = 0
        self._ended = {False: 0, True: 0}
        """For `waveforms`: the period up to which all rows are written, or those of numerics."""
        self._open = asyncio.Event()

    async def begin(self) -> None:
        """Record that this process stages batches. Without effect if the present period has begun."""
        while self._begun < (number := self._number):
            async with self._database.transaction() as tx:
                await self._periods.begin(tx, self.process, number, self._clock.now_us())
            self._begun = number
            self._open.set()

    async def begin_unrequested(self) -> None:
        """Record that this process stages batches in a period whose rows no reader has requested yet. A reader that did
        may count this process as ended and not see an object that was stored later, so a batch is acknowledged in such
        a period only: another request follows."""
        state = await self._read()
        if max(state.wanted, state.wanted_numerics) >= self._begun:
            self.close()
        await self.begin()

    def close(self) -> int:
        """Let what is staged from now on belong to another period, and return the last one before it."""
        self._number = self._begun + 1
        return self._begun

    async def end(self, number: int, *, waveforms: bool = True) -> None:
        """Record that all rows up to this period are written; without `waveforms`, those of numerics."""
        if number > self._ended[waveforms]:
            async with self._database.transaction() as tx:
                await self._periods.end(tx, {self.process: number}, waveforms=waveforms)
            self._end(number, waveforms=waveforms)

    def _end(self, number: int, *, waveforms: bool) -> None:
        for each in {False, waveforms}:
            self._ended[each] = max(number, self._ended[each])
        if self._ended[True] >= self._begun:
            self._open.clear()

    async def wait_until_open(self) -> None:
        """Wait until a period has begun whose rows are not all known to be written."""
        await self._open.wait()

    async def wanted(self) -> set[bool]:
        """Return what readers in other processes wait for: False for the rows of numerics, True for all rows. If this
        process did not respond in time and counts as ended for one, what it had staged before is written."""
        state = await self._read()
        if state.written > self._ended[True]:
            self._end(state.written, waveforms=True)
        wanted = {False: state.wanted_numerics, True: state.wanted}
        return {waveforms for waveforms, number in wanted.items() if number > self._ended[waveforms]}

    async def beat(self) -> None:
        """Show readers in other processes that this one is writing rows."""
        async with self._database.transaction() as tx:
            await self._periods.beat(tx, self.process)

    async def leave(self) -> None:
        """Delete the row of this process, which ends."""
        if self._begun:
            async with self._database.transaction() as tx:
                await self._periods.leave(tx, self.process)

    async def _read(self) -> State:
        # Without a transaction, since this is read ten times a second.
        for row in await self._database.peek(_STATE, {"process": self.process}):
            return State(*row)
        return State()
