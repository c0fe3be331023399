"""Unsent batches of a set-aside store, kept in `<set-aside file>.unsent` until the cloud has them.

The file is a second store beside the open one, with the epoch of the set-aside store (`recovery.py`). Nothing is
appended. The file is deleted when the cloud has acknowledged all its batches; the set-aside store itself stays.
"""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

import structlog

from gateway.buffer.errors import BufferUnusable
from gateway.buffer.lanes import LaneMarks
from gateway.buffer.rows import LANE_NUMBERS
from gateway.buffer.statements import OUTBOX
from gateway.buffer.store_reader import StoreReader
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch
from protocols.uplink.lanes import Lane
from protocols.uplink.status import StoreState

ENDING = ".unsent"

log = structlog.get_logger()


def unsent_paths(store: Path) -> list[Path]:
    """List the recovered stores beside `store`, oldest first."""
    try:
        return sorted(
            each
            for each in store.parent.iterdir()
            if each.name.startswith(store.name + ".") and each.name.endswith(ENDING)
        )
    except OSError:
        return []


class RecoveredStore:
    """The unsent batches of a set-aside store, open from construction until `settle` or `close`. A lock admits one
    reading task at a time."""

    def __init__(self, path: Path, *, gateway: str, key: bytes) -> None:
        """Open the store at `path`. Raises BufferUnusable."""
        self.path = path
        self._reader = StoreReader(path, gateway=gateway, key=key)
        self._lock = asyncio.Lock()
        self._never = asyncio.Event()
        self.settled = False
        last, acked = self._reader.last(), self._reader.acked()
        self._marks = {lane: LaneMarks(last=last[lane], acked=min(acked.get(lane, 0), last[lane])) for lane in Lane}

    @property
    def epoch(self) -> str:
        return self._reader.about.epoch

    @property
    def store_state(self) -> StoreState:
        return StoreState.OK

    @property
    def all_acknowledged(self) -> bool:
        return all(mark.acked >= mark.last for mark in self._marks.values())

    def marks(self) -> Mapping[Lane, LaneMarks]:
        return self._marks

    async def next_batches(self, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int) -> list[Batch]:
        """Return the batches of `lane` above the sequence number `after`, at most `limit_batches` and about
        `limit_bytes`. A batch that cannot be read ends the sending of its lane; the set-aside store keeps the unsent
        batches."""
        async with self._lock:
            if self.settled:
                return []
            try:
                batches, _ = await asyncio.to_thread(self._read, lane, after, limit_batches, limit_bytes)
            except BufferUnusable:
                batches = []
        if not batches and after < self._marks[lane].last:
            log.error("uplink.recovered_unreadable", file=self.path.name, lane=lane.value, after=after)
            self.give_up(lane)
        return batches

    def _read(self, lane: Lane, after: int, limit_batches: int, limit_bytes: int) -> tuple[list[Batch], object]:
        last = self._marks[lane].last
        return self._reader.next_batches(
            lane, after=after, last=last, limit_batches=limit_batches, limit_bytes=limit_bytes
        )

    async def acknowledge(self, ack: Ack) -> None:
        """Record an acknowledgement of the cloud. A failed write is ignored; its only effect is that some batches are
        sent twice after a restart."""
        mark = self._marks[ack.lane]
        if ack.epoch == self.epoch and ack.through_sequence > mark.acked:
            self._marks[ack.lane] = LaneMarks(last=mark.last, acked=min(ack.through_sequence, mark.last))
            async with self._lock:
                await asyncio.to_thread(self._write_mark, ack.lane)

    def give_up(self, lane: Lane) -> None:
        """Stop sending a lane, because the cloud holds another history of the lane or the lane's next batch cannot be
        read."""
        self._marks[lane] = LaneMarks(last=self._marks[lane].acked, acked=self._marks[lane].acked)

    async def rewind(self, lane: Lane, through: int) -> None:
        """Ignore a request to resend acknowledged batches of `lane`, because the recovered file holds only
        unacknowledged batches."""

    def wait_for_commit(self) -> asyncio.Event:
        return self._never

    def _write_mark(self, lane: Lane) -> None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute(OUTBOX["put_acked"], (LANE_NUMBERS[lane], self._marks[lane].acked))

    async def settle(self) -> None:
        """Delete the file of the recovered store, because the cloud has every batch of it that can be sent."""
        log.info("buffer.recovered_sent", file=self.path.name, epoch=self.epoch)
        await self.close()
        await asyncio.to_thread(self._delete)

    async def close(self) -> None:
        if not self.settled:
            self.settled = True
            async with self._lock:
                await asyncio.to_thread(self._reader.close)

    def _delete(self) -> None:
        for name in (self.path.name, self.path.name + "-wal", self.path.name + "-shm"):
            with suppress(OSError):
                self.path.with_name(name).unlink(missing_ok=True)
