"""Marks of the record stores of Bluetooth devices (number of the last durable record), and pauses after timeouts.

All sessions of one gateway share the marks. A mark changes here only after the change is durable in the buffer.
"""

from collections.abc import Sequence

from gateway.buffer.record_marks import FetchedRecords

TIMEOUTS_MAX = 3
"""Number of timeouts in a row after which a store is not requested for `TIMED_OUT_S`: each timeout ends the link."""
TIMED_OUT_S = 600.0


class RecordMarks:
    """The mark (last durable record) of each record store. A system id and a service identify a record store."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, int], FetchedRecords] = {}
        self._timeouts: dict[tuple[str, int], tuple[int, float]] = {}

    def load(self, rows: Sequence[FetchedRecords]) -> None:
        """Load the marks (last durable record of each record store) that were durable when the gateway started."""
        for mark in rows:
            self.note(mark)

    def find(self, system_id: str, service: int) -> FetchedRecords | None:
        """Return the mark (last durable record) of a device's record store, or None if there is no mark."""
        return self._marks.get((system_id, service))

    def note(self, mark: FetchedRecords) -> None:
        """Set the mark of a record store after the mark became durable. If `mark` has no record number, remove the
        previous mark."""
        key = mark.system_id, mark.service
        if mark.through is None:
            self._marks.pop(key, None)
        else:
            self._marks[key] = mark

    def add_timeout(self, system_id: str, service: int, now_s: float) -> None:
        count, _ = self._timeouts.get((system_id, service), (0, 0.0))
        self._timeouts[system_id, service] = count + 1, now_s

    def clear_timeouts(self, system_id: str, service: int) -> None:
        self._timeouts.pop((system_id, service), None)

    def due_s(self, system_id: str, service: int) -> float:
        """Return the monotonic time from which the record store of `service` may be requested again;
        0 means at once."""
        count, at_s = self._timeouts.get((system_id, service), (0, 0.0))
        return at_s + TIMED_OUT_S if count >= TIMEOUTS_MAX else 0.0


def last_known_record(mark: FetchedRecords | None) -> int | None:
    """Return the number after which records are fetched: one below the mark (last durable record), so that the record
    of the mark is fetched again. Return None if no record is known; all records are then fetched."""
    return None if mark is None or not mark.through else mark.through - 1


def is_advance(mark: FetchedRecords, known: FetchedRecords | None) -> bool:
    """Return whether `mark` (last durable record of a record store) must replace the stored mark `known`."""
    return mark != known and not (mark.through is None and known is None)
