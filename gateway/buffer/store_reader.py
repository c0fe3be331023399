"""Reads the store while the writer works: for the uplink, the command line and the crew page.

The reader has its own read-only connection and thread. So a backlog of days is read without delaying a commit, and the
command line can read while the gateway runs. The seal of every row is checked. A row that does not open is reported as
`Damaged`; the writer repairs it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.buffer import care_logs
from gateway.buffer.database import check_structure, open_reader
from gateway.buffer.device_reports import device_reports
from gateway.buffer.high_water import HighWater, marks_path
from gateway.buffer.refusals import check_marks, unusable
from gateway.buffer.rows import KIND_NUMBERS, LANES, Misread, Row, batch_of, position_of, span_of
from gateway.buffer.sealing import Sealer, Unsealable
from gateway.buffer.statements import DEVICES, OUTBOX, RETENTION
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import Batch, BatchKind
from protocols.uplink.gaps import Gap, decode_gap
from protocols.uplink.lanes import Lane

_GAP = KIND_NUMBERS[BatchKind.GAP]


@dataclass(frozen=True, slots=True)
class Damaged:
    """The sequence number at which a lane cannot be read."""

    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneGap:
    lane: Lane
    gap: Gap


class StoreReader:
    """All queries of a store. Only one thread at a time may use it."""

    def __init__(self, path: Path, *, gateway: str, key: bytes) -> None:
        self._path = path
        self._connection, self.about = open_reader(path, gateway=gateway, key=key)
        self._sealer = Sealer(key, gateway=self.about.gateway, epoch=self.about.epoch)

    def close(self) -> None:
        self._connection.close()

    def next_batches(
        self, lane: Lane, *, after: int, last: int, limit_batches: int, limit_bytes: int
    ) -> tuple[list[Batch], Damaged | None]:
        """Return the batches that cover the sequence numbers from `after` + 1 to `last`, in order and without a hole,
        and the place where damage ended the reading (None: no damage). At most `limit_batches` batches and about
        `limit_bytes` bytes are read, but at least one batch where there is one."""
        batches: list[Batch] = []
        octets = 0
        due = after + 1
        try:
            for columns in self._rows_covering(lane, due, last):
                sequence = columns[0] - position_of(lane, 0)
                if sequence > due:
                    return batches, Damaged(due)
                opened = self._open(columns)
                if opened is None:
                    return batches, Damaged(sequence)
                row, payload = opened
                if row.through < due:  # only the first row can end before `due`
                    continue
                octets += len(payload)
                if batches and octets > limit_bytes:
                    return batches, None
                batches.append(batch_of(row, payload, self.about))
                due = row.through + 1
                # No batch follows `last`, and looking for one would be another query.
                if len(batches) >= limit_batches or due > last:
                    return batches, None
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error
        return batches, Damaged(due) if due <= last else None

    def blocks(
        self,
        lane: Lane,
        *,
        after: int,
        since_us: int | None,
        limit: int,
        kind: BatchKind = BatchKind.OBSERVATIONS,
    ) -> list[tuple[Row, bytes]]:
        """Return up to `limit` readable rows of `kind` in a lane above the sequence number `after`, each with its
        opened payload. `since_us`: only rows committed at or after this wall time."""
        found: list[tuple[Row, bytes]] = []
        try:
            cursor = self._connection.execute(OUTBOX["rows_from"], span_of(lane, after + 1))
            for columns in cursor:
                if since_us is not None and isinstance(columns[4], int) and columns[4] < since_us:
                    continue
                opened = self._open(columns)
                if opened is not None and opened[0].kind is kind:
                    found.append(opened)
                if len(found) >= limit:
                    break
            cursor.close()
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error
        return found

    def through_before(self, lane: Lane, wall_us: int) -> int:
        """Return the last sequence number of a lane that was committed before a wall time; 0 where all were later."""
        rows = self._fetch(OUTBOX["row_before_time"], (*span_of(lane, 0), wall_us))
        return max(rows[0][0] - position_of(lane, 0), rows[0][1]) if rows else 0

    def gaps(self) -> list[LaneGap]:
        """Return every readable gap record, including those of delivered batches (RETENTION), lane by lane, oldest
        first."""
        found = []
        for lane in Lane:
            for columns in self._fetch(OUTBOX["gap_rows"], span_of(lane, 0)):
                opened = self._open(columns)
                if opened is not None:
                    found.append(LaneGap(lane=lane, gap=decode_gap(opened[1])))
        return found

    def state(self, name: str) -> str | None:
        """Return the small value stored under `name`, or None."""
        rows = self._fetch(DEVICES["state_get"], (name,))
        return str(rows[0][0]) if rows else None

    def care_logs(self, encounters: Sequence[str]) -> dict[str, care_logs.CareLog]:
        """Return what is known of the logs of these encounters; an unknown one is left out."""
        try:
            found = {each: care_logs.find(self._connection, self._sealer, each) for each in encounters}
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error
        return {each: log for each, log in found.items() if log is not None}

    def device_reports(self) -> list[bytes]:
        """Return the stored device histories; one that cannot be opened is left out."""
        try:
            return device_reports(self._connection, self._sealer)
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error

    def check(self, check_s: float) -> None:
        """Check the file's structure for at most `check_s` seconds, and check that the store is not a restored older
        copy. Raises BufferUnusable."""
        try:
            check_structure(self._connection, self._path, check_s)
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error
        check_marks(
            self._path,
            HighWater.read(marks_path(self._path)),
            self.about.epoch,
            self.last(),
            self._observations_of_batches(),
        )

    def last(self) -> dict[Lane, int]:
        return {lane: self._last(lane) for lane in Lane}

    def acked(self) -> dict[Lane, int]:
        """Return the acknowledged sequence number of each lane for which the file stores one."""
        return {LANES[number]: acked for number, acked in self._fetch(OUTBOX["acked_marks"], ()) if number in LANES}

    def _last(self, lane: Lane) -> int:
        rows = self._fetch(OUTBOX["row_covering"], span_of(lane, 0))
        return max(rows[0][0] - position_of(lane, 0), rows[0][1]) if rows else 0

    def _observations_of_batches(self) -> dict[Lane, int]:
        rows = {lane: self._fetch(OUTBOX["row_covering"], span_of(lane, 0)) for lane in Lane}
        return {lane: found[0][6] for lane, found in rows.items() if found and found[0][2] != _GAP}

    def quarantined(self) -> int:
        return int(self._fetch(RETENTION["quarantine_count"], ())[0][0])

    def _fetch(self, statement: str, parameters: tuple[object, ...]) -> list[Any]:
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error

    def _rows_covering(self, lane: Lane, due: int, last: int) -> Iterator[Sequence[Any]]:
        """Yield the row whose range contains the sequence number `due`, and the following rows of the lane up to
        `last`. The first row may begin below `due`."""
        if due > last:
            return
        cursor = self._connection.cursor()
        try:
            columns = cursor.execute(OUTBOX["row_covering"], span_of(lane, 0, due)).fetchone()
            if columns is not None:
                yield columns
            yield from cursor.execute(OUTBOX["rows_from"], span_of(lane, due + 1, last))
        finally:
            cursor.close()  # an open read would keep the log from being written back

    def _open(self, columns: Sequence[Any]) -> tuple[Row, bytes] | None:
        try:
            row = Row.of(columns)
            payload = self._sealer.open(row.nonce, row.sealed, row)
            if row.kind is BatchKind.GAP:
                decode_gap(payload)
            return row, payload
        except (Misread, Unsealable, RemoteProtocolError):
            return None
