"""Marks of the record stores of Bluetooth devices (number of the last durable record), and their timeouts.

All sessions of one gateway share them. A mark changes here only after it is durable in the buffer. A store that timed
out too often is not requested for a while.
"""

from collections.abc import Sequence

from gateway.buffer.record_marks import FetchedRecords

TIMEOUTS_MAX = 3
"""Number of transfers in a row that a store may leave unfinished. It is then not requested for `TIMED_OUT_S`, since
each timeout ends the link."""
TIMED_OUT_S = 600.0


class RecordMarks:
    """The last fetched record of each device's record store, by system id and service."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, int], FetchedRecords] = {}
        self._timeouts: dict[tuple[str, int], tuple[int, float]] = {}

    def load(self, rows: Sequence[FetchedRecords]) -> None:
        """Load the marks that were durable when the gateway started."""
        for mark in rows:
            self.note(mark)

    def find(self, system_id: str, service: int) -> FetchedRecords | None:
        """Return the durable mark of a store; None where it has none."""
        return self._marks.get((system_id, service))

    def note(self, mark: FetchedRecords) -> None:
        """Set a mark that became durable. A mark without a record number removes the previous mark."""
        key = mark.system_id, mark.service
        if mark.through is None:
            self._marks.pop(key, None)
        else:
            self._marks[key] = mark

    def add_timeout(self, system_id: str, service: int, now_s: float) -> None:
        """Count a transfer that the store did not finish."""
        count, _ = self._timeouts.get((system_id, service), (0, 0.0))
        self._timeouts[system_id, service] = count + 1, now_s

    def clear_timeouts(self, system_id: str, service: int) -> None:
        """Reset the number of timeouts, because the store responded."""
        self._timeouts.pop((system_id, service), None)

    def due_s(self, system_id: str, service: int) -> float:
        """Return the monotonic time from which the store may be requested again; 0: at once."""
        count, at_s = self._timeouts.get((system_id, service), (0, 0.0))
        return at_s + TIMED_OUT_S if count >= TIMEOUTS_MAX else 0.0


def last_known_record(mark: FetchedRecords | None) -> int | None:
    """Return the number before the mark's. A fetch of all records above this number repeats the record of the mark,
    which proves that the numbers still have the same meaning. None: no record is known, and all are fetched."""
    return None if mark is None or not mark.through else mark.through - 1


def is_advance(mark: FetchedRecords, known: FetchedRecords | None) -> bool:
    """Return whether `mark` differs from the stored mark `known` and must replace it."""
    return mark != known and not (mark.through is None and known is None)
