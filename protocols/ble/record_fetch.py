"""Fetch new records from a record store, and delete fetched records, without I/O (reference BLE §6).

The mark is the number of the last record that the gateway has stored. As long as the numbers of a device increase, one
request for records above the mark returns all new records. But a meter may restart at 1 after a change of battery, and
a counter of 16 bits wraps; new records are then below the mark. So if the device has no record above the mark, the
newest record alone is requested. If the newest record has the number of the mark, there is nothing new. If it has
another number, all records are fetched. Fetching a record again is harmless, since the cloud recognises stored records
by their content. If the device cannot compare numbers, all records are requested.

The session stores the mark in one transaction with the records.
"""

from collections.abc import Sequence
from enum import Enum

from protocols.ble.interpretation import RecordNumbering
from protocols.ble.record_access import Opcode, Operator, Result, number_max, request
from protocols.ble.record_procedure import ANSWER_S, FetchDone, FetchEvent, FetchRefused, RecordProcedure, words_of

_NOT_COMPARED = frozenset(
    {
        Result.INVALID_OPERATOR,
        Result.OPERATOR_NOT_SUPPORTED,
        Result.INVALID_OPERAND,
        Result.OPERAND_NOT_SUPPORTED,
    }
)
"""Results of servers that cannot compare record numbers or do not support the operator."""


class _Selection(Enum):
    NEWER = "newer than the mark"
    NEWEST = "the newest, to see whether the mark still means anything"
    ALL = "all"


class RecordFetch(RecordProcedure):
    """One fetch of new records. The session passes in each record and each indication of the control point."""

    def __init__(self, numbering: RecordNumbering, after: int | None = None) -> None:
        """Prepare a fetch of the records above `after`, the highest record number that the gateway has already stored
        (None: no record)."""
        super().__init__(Opcode.REPORT)
        self._numbering = numbering
        self._after = None if numbering is RecordNumbering.NONE else after
        self._selection = self._first()
        self._highest: int | None = None
        self._last: int | None = None
        self._newest: int | None = None
        self._ascending = True
        self._done = False
        self._newer_twice = False

    @property
    def through(self) -> int | None:
        """Return the record number up to which all records have arrived; the session stores this number with the
        records. Return None where no number is certain: no record arrived, or records of an incomplete fetch arrived
        out of order."""
        if self._ascending:
            return self._last
        return self._highest if self._done else None

    def record(self, number: int | None, now_s: float) -> None:
        """Count a received record (`number` None: without a number) and restart the response timeout. Records during an
        abort do not restart it. A record that arrives late, after the end of the fetch, counts too."""
        self.count += 1
        if self.awaits_response:
            self.deadline_s = now_s + ANSWER_S
        if number is None:
            return
        if self._selection is _Selection.NEWEST:
            self._newest = number
            return
        self._ascending = self._ascending and (self._last is None or self._follows(self._last, number))
        self._last = number
        self._highest = number if self._highest is None else max(self._highest, number)

    def _follows(self, earlier: int, later: int) -> bool:
        """Return whether `later` was recorded after `earlier`. A number that falls by more than half of the number
        range is a wrap of the counter, and counts as later."""
        return later >= earlier or earlier - later > number_max(self._numbering) // 2

    def _first(self) -> _Selection:
        # Just below its highest number a counter may have wrapped already, and a request for newer records would miss
        # those after the wrap.
        if self._after is None or not 0 <= self._after < number_max(self._numbering) - 1:
            return _Selection.ALL
        return _Selection.NEWER

    def _request(self) -> bytes:
        match self._selection:
            case _Selection.NEWER:
                assert self._after is not None
                return request(Opcode.REPORT, Operator.AT_LEAST, self._after + 1, numbering=self._numbering)
            case _Selection.NEWEST:
                return request(Opcode.REPORT, Operator.LAST, numbering=self._numbering)
            case _Selection.ALL:
                # The records of this request start at the oldest, so numbers received before do not count.
                self._highest = self._last = None
                self._ascending = True
                return request(Opcode.REPORT, Operator.ALL, numbering=self._numbering)

    def _interrupted(self) -> None:
        """Restrict the next request to records after the last received one, if the records arrived in order."""
        comparable = self._last is not None and self._last < number_max(self._numbering) - 1
        if self._selection is not _Selection.NEWEST and self._ascending and comparable:
            self._after = self._last
            self._selection = _Selection.NEWER

    def _settled(self, result: int, now_s: float) -> Sequence[FetchEvent]:
        if self._selection is _Selection.NEWEST:
            return self._compared(result, now_s)
        if result == Result.SUCCESS:
            return self._complete()
        if result == Result.NO_RECORDS_FOUND:
            return self._turn(_Selection.NEWEST, now_s) if self._selection is _Selection.NEWER else self._complete()
        if result in _NOT_COMPARED and self._selection is _Selection.NEWER:
            return self._turn(_Selection.ALL, now_s)
        return self._end(FetchRefused(words_of(result)))

    def _compared(self, result: int, now_s: float) -> Sequence[FetchEvent]:
        """Process the result of the request for the newest record: compare the number of this record with the highest
        record number already stored."""
        assert self._after is not None
        if result == Result.NO_RECORDS_FOUND or (result == Result.SUCCESS and self._newest in (None, self._after)):
            return self._complete()
        if result in _NOT_COMPARED or result == Result.SUCCESS:
            if self._newest is not None and self._newest > self._after and not self._newer_twice:
                self._newer_twice = True  # the record was measured between the two requests
                return self._turn(_Selection.NEWER, now_s)
            return self._turn(_Selection.ALL, now_s)
        return self._end(FetchRefused(words_of(result)))

    def _turn(self, selection: _Selection, now_s: float) -> Sequence[FetchEvent]:
        self._selection = selection
        return self._repeat_request(now_s)

    def _complete(self) -> Sequence[FetchEvent]:
        self._done = True
        return self._end(FetchDone(self.count))


class RecordDelete(RecordProcedure):
    """Deletion of a device's records up to a record number; the gateway must have stored all of them durably. The
    service must have record numbers, since "delete all" would also delete records measured after the fetch. `FetchDone`
    reports success."""

    def __init__(self, numbering: RecordNumbering, through: int) -> None:
        """Prepare the deletion of the records up to and including number `through`. Raises LocalProtocolError where the
        service has no record numbers, or `through` is above the highest possible record number."""
        super().__init__(Opcode.DELETE)
        self._bytes = request(Opcode.DELETE, Operator.AT_MOST, through, numbering=numbering)

    def _request(self) -> bytes:
        return self._bytes

    def _settled(self, result: int, now_s: float) -> Sequence[FetchEvent]:
        if result in (Result.SUCCESS, Result.NO_RECORDS_FOUND):
            return self._end(FetchDone(0))
        return self._end(FetchRefused(words_of(result)))
