"""The open store, for one thread: the hash chain of each lane, and the transaction that a group of appends shares.

Order of durability: One transaction writes the rows of all lanes. SQLite flushes its log (`synchronous=FULL`) before
COMMIT returns. Then the witness file, a test instrument, is flushed. Only then is a caller notified. A crash leaves all
of the group or nothing. The sequence numbers and hashes in memory advance after the commit, so a failed group leaves no
hole. A COMMIT that fails with an I/O error ends the work on the store: after a failed flush the kernel may regard its
pages as written, so a retry could report success for data that is not on the disk.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.buffer.blocks import Block
from gateway.buffer.database import StoreRow
from gateway.buffer.errors import StoreFull
from gateway.buffer.high_water import MarksFile
from gateway.buffer.lanes import LaneHead, LaneMarks
from gateway.buffer.recent_batches import RecentBatches, append, observations_at
from gateway.buffer.reserve import Reserve
from gateway.buffer.rows import LANE_NUMBERS, SEQUENCE_MASK, Misread, Row, position_of, span_of
from gateway.buffer.sealing import SEAL_OVERHEAD_BYTES, Sealer
from gateway.buffer.settings import BufferSettings
from gateway.buffer.statements import OUTBOX
from gateway.buffer.witness import Witness
from gateway.transports.clock import Clock
from protocols.provenance.hash_chain import genesis
from protocols.uplink.envelope import Batch, BatchKind
from protocols.uplink.events import EventField, GatewayEvent, encode_event
from protocols.uplink.lanes import Lane
from protocols.uplink.status import StoreState

PAUSE_CREDIT_US_MAX = 24 * 3600 * 1_000_000

ACKS_EVERY_S = 10.0
"""Interval at which acknowledged sequence numbers are written. Each time costs a page of the disk. A number that is
lost in a crash costs nothing while the cloud is reachable, because the two exchange their marks at each connection."""


class StoreTime:
    """The running time of one store, by which retention measures age. No jump of the wall clock moves it.

    A gateway without an RTC battery starts in 1970, and its clock jumps by decades when it learns the time (DESIGN D5).
    Rows written a minute before the jump would look older than 72 hours. So the running time advances with the
    monotonic clock. While the gateway is off, it advances by the difference of the wall clock, but at most by a day per
    start: a wrong date uses up only a part of the retention time. The time continues from `last_kept_us`, which was
    written when the wall clock showed `last_wall_us`.
    """

    def __init__(self, clock: Clock, *, last_kept_us: int, last_wall_us: int) -> None:
        pause_us = min(max(clock.wall_us() - last_wall_us, 0), PAUSE_CREDIT_US_MAX)
        self._begun_us = last_kept_us + pause_us
        self._begun_s = clock.monotonic_s()
        self._clock = clock

    def now_us(self) -> int:
        return self._begun_us + int((self._clock.monotonic_s() - self._begun_s) * 1_000_000)


class Store:
    """A store's connection and state, for the thread that writes. `heads` are the ends of the lanes."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        about: StoreRow,
        *,
        path: Path,
        key: bytes,
        settings: BufferSettings,
        clock: Clock,
        witness: Witness | None,
        marks_file: MarksFile | None = None,
    ) -> None:
        self.connection = connection
        self.about = about
        self.settings = settings
        self.clock = clock
        self.sealer = Sealer(key, gateway=about.gateway, epoch=about.epoch)
        self.reserve = Reserve(path, settings.reserve_bytes)
        self.time = StoreTime(clock, last_kept_us=0, last_wall_us=clock.wall_us())
        self.state = StoreState.OK
        self.acks_unwritten: set[Lane] = set()
        self._acks_written_s = clock.monotonic_s()
        self.recent: Mapping[Lane, RecentBatches] = {}
        """The batches that were committed last in a lane. Any transaction that may change stored batches empties the
        mapping."""
        self.gap_revision = 0
        """A number that grows with each commit that adds, widens or joins gap records."""
        self._gap_writes = 0
        self._witness = witness
        self._marks_file = marks_file
        self.heads = {lane: self._read_head(lane) for lane in Lane}

    def resume(self) -> None:
        """Load the ends of the lanes, the running time and the acknowledged numbers from the file. Call it after
        `damage.heal_ends` has checked the ends of the lanes."""
        newest: Row | None = None
        for lane in Lane:
            self.heads[lane] = self._read_head(lane)
            columns = self._end(lane)
            row = Row.of(columns) if columns else None
            if row is not None and (newest is None or row.kept_us > newest.kept_us):
                newest = row
        if newest is not None:
            self.time = StoreTime(self.clock, last_kept_us=newest.kept_us, last_wall_us=newest.created_at_us)
        numbers = {number: lane for lane, number in LANE_NUMBERS.items()}
        for number, acked in self.connection.execute(OUTBOX["acked_marks"]).fetchall():
            if number in numbers:
                self.set_acked(numbers[number], acked)
        self.acks_unwritten.clear()

    # ---- the heads

    def _end(self, lane: Lane) -> Sequence[Any] | None:
        columns: Sequence[Any] | None = self.connection.execute(OUTBOX["row_covering"], span_of(lane, 0)).fetchone()
        return columns

    def _read_head(self, lane: Lane) -> LaneHead:
        head = LaneHead(lane=lane, tip=genesis(self.about.gateway, self.about.epoch, lane.value))
        columns = self._end(lane)
        if columns is None:
            return head
        try:
            row = Row.of(columns)
        except Misread:
            head.last = columns[0] & SEQUENCE_MASK
            return head
        head.last, head.tip = row.through, row.row_hash
        head.observations_total, head.bytes_total = row.observations_total, row.bytes_total
        self.refresh_first(head)
        return head

    def observations_of_batches(self) -> dict[Lane, int]:
        """Return the number of observations so far of each lane that ends with a batch and not with a gap record."""
        ends = {lane: Row.of(columns) for lane in Lane if (columns := self._end(lane)) is not None}
        return {lane: row.observations_total for lane, row in ends.items() if row.kind is not BatchKind.GAP}

    def last_before(self, lane: Lane, statement: str, at_us: int) -> int:
        """Return the sequence number of the last row of a lane before a time; 0 where there is none. `statement`: the
        query that compares the times."""
        row = self.connection.execute(OUTBOX[statement], (*span_of(lane, 0), at_us)).fetchone()
        return max(row[0] - position_of(lane, 0), row[1]) if row else 0

    def refresh_first(self, head: LaneHead) -> None:
        """Update the oldest batch and the number of dropped bytes in `head`, the state of a lane, after rows of the
        lane were dropped."""
        first = self.connection.execute(OUTBOX["first_batch"], span_of(head.lane, head.first)).fetchone()
        head.first = first[0] - position_of(head.lane, 0) if first else 0
        end = head.first - 1 if head.first else head.last
        gone = self.connection.execute(OUTBOX["bytes_before"], span_of(head.lane, 0, end)).fetchone()
        head.bytes_dropped = gone[0] if gone else 0

    def marks(self) -> dict[Lane, LaneMarks]:
        return {lane: head.marks() for lane, head in self.heads.items()}

    def set_acked(self, lane: Lane, through: int) -> None:
        """Set the acknowledged sequence number of a lane in memory. The next transaction writes it to the file."""
        head = self.heads[lane]
        head.acked = max(0, min(through, head.complete))  # more was never sent
        if head.acked == head.last:
            head.acked_observations = head.observations_total
        else:
            head.acked_observations = self._observations_at(lane, head.acked)
        self.acks_unwritten.add(lane)

    def _observations_at(self, lane: Lane, sequence: int) -> int:
        """Return the number of observations of a lane up to a sequence number."""
        if not sequence:
            return 0
        known = observations_at(self.recent.get(lane, ()), sequence)
        if known is not None:
            return known
        row = self.connection.execute(OUTBOX["totals_at"], span_of(lane, 0, sequence)).fetchone()
        return row[0] if row else 0

    # ---- transactions

    @contextmanager
    def transaction(self, *, acks: bool = False) -> Iterator[None]:
        """Run the body of the `with` statement in one transaction, which is durable when the statement ends.
        Acknowledgements in memory are written with it when they are due, or if `acks` is True.

        Raises StoreFull when the disk has no room or the file has reached its size limit. After an error nothing is
        changed.
        """
        connection = self.connection
        self.recent = {}
        try:
            # IMMEDIATE: the lock is taken at once, so no statement inside can fail for lack of it.
            connection.execute("BEGIN IMMEDIATE")
            yield
            acks_due = self.acks_unwritten if acks or self.acks_due else set()
            for lane in acks_due:
                connection.execute(OUTBOX["put_acked"], (LANE_NUMBERS[lane], self.heads[lane].acked))
            connection.execute("COMMIT")
            self.gap_revision = self._gap_writes
            if acks_due:
                self.acks_unwritten.clear()
                self._acks_written_s = self.clock.monotonic_s()
                self._write_marks_file()
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise StoreFull("the disk has no room left for the store") from None
            raise

    @property
    def acks_due(self) -> bool:
        """True when acknowledged sequence numbers have been only in memory for `ACKS_EVERY_S`."""
        return bool(self.acks_unwritten) and self.clock.monotonic_s() - self._acks_written_s >= ACKS_EVERY_S

    def write_acks(self) -> None:
        """Write to the file the acknowledged sequence numbers that are still only in memory. Raises StoreFull."""
        if self.acks_unwritten:
            with self.transaction(acks=True):
                pass

    def commit(self, blocks: Sequence[Block], along: Sequence[Callable[["Store"], None]] = ()) -> Mapping[Lane, Row]:
        """Append `blocks` and call each function of `along`, in one durable transaction. Return the last row of each
        lane that has blocks; the open batches of these lanes are complete then. Raises StoreFull, and changes nothing
        then."""
        ends: dict[Lane, Row] = {}
        if not blocks:
            return ends
        recent = dict(self.recent)
        placed = [(*self._place(block, ends), block.grows) for block in blocks]
        with self.transaction():
            for row, batch, grows in placed:
                self.write(row, batch.payload, "replace_batch" if grows else "insert_batch")
                recent[batch.lane] = append(recent.get(batch.lane, ()), batch, row.observations_total)
            for write in along:
                write(self)
        self.advance(ends)
        self.recent = recent
        return ends

    def advance(self, ends: dict[Lane, Row]) -> None:
        """Set `heads` to `ends`, the last committed row of each lane. Write the witness file (for tests) and the file
        of sequence numbers. Call `advance` before notifying a caller."""
        for lane, row in ends.items():
            head = self.heads[lane]
            if not head.first and row.kind is not BatchKind.GAP:
                head.first = head.last + 1
            if row.kind is BatchKind.GAP and not head.first:
                head.bytes_dropped = row.bytes_total
            first = head.last + 1
            head.last, head.tip, head.open_batch = row.through, row.row_hash, None
            head.observations_total, head.bytes_total = row.observations_total, row.bytes_total
            if self._witness is not None:
                self._witness.note(self.about.epoch, lane, first, row.through)
        if self._witness is not None:
            self._witness.flush()
        self._write_marks_file()

    def _write_marks_file(self) -> None:
        if self._marks_file is not None:
            marks = {lane: (head.last, head.acked, head.observations_total) for lane, head in self.heads.items()}
            self._marks_file.write(self.about.epoch, marks)

    def write(self, row: Row, payload: bytes, statement: str = "insert_batch") -> None:
        """Seal (encrypt) `payload` and write it together with the fields of `row`, inside a transaction."""
        self._gap_writes += row.kind is BatchKind.GAP
        self.connection.execute(OUTBOX[statement], row.columns(*self.sealer.seal(payload, row)))

    def _place(self, block: Block, ends: dict[Lane, Row]) -> tuple[Row, Batch]:
        """Return the row and the batch of `block`. The row continues the hash chain of its lane after the lane's row in
        `ends` (rows of this commit), or else after the last stored row. A block that grows takes the place of the
        lane's open batch. Add the new row to `ends`."""
        head = self.heads[block.lane]
        end: Row | LaneHead = ends.get(block.lane) or head
        previous, last = (end.row_hash, end.through) if isinstance(end, Row) else (end.tip, end.last)
        observations_before, bytes_before = end.observations_total, end.bytes_total
        if block.grows:
            grown = head.open_batch
            assert end is head, "only the first block of a lane grows its open batch"
            assert grown is not None
            previous, last = grown.row.previous_hash, grown.row.sequence - 1
            observations_before -= grown.row.count
            bytes_before -= grown.payload_bytes + SEAL_OVERHEAD_BYTES
        batch = Batch(
            gateway=self.about.gateway,
            epoch=self.about.epoch,
            lane=block.lane,
            sequence=last + 1,
            kind=block.kind,
            count=block.count,
            created_at_us=self.clock.wall_us(),
            boot_id=self.clock.boot_id,
            previous_hash=previous,
            payload=block.payload,
        )
        row = Row(
            lane=batch.lane,
            sequence=batch.sequence,
            through=batch.sequence,
            kind=batch.kind,
            count=batch.count,
            created_at_us=batch.created_at_us,
            kept_us=self.time.now_us(),
            observations_total=observations_before + (block.count if block.kind is BatchKind.OBSERVATIONS else 0),
            bytes_total=bytes_before + len(block.payload) + SEAL_OVERHEAD_BYTES,
            boot_id=batch.boot_id,
            previous_hash=previous,
            row_hash=batch.hash,
        )
        ends[block.lane] = row
        return row, batch

    # ---- events of the store itself

    def event(self, name: str, **fields: EventField) -> Block:
        """Return a block with an event about the store itself, for the lane that is never dropped."""
        now = GatewayEvent(
            name=name, at_us=self.clock.wall_us(), boot_id=self.clock.boot_id, device=None, fields=fields
        )
        return event_block(now)


def event_block(event: GatewayEvent) -> Block:
    return Block(Lane.EVENT, BatchKind.EVENT, 1, encode_event(event))
