"""Fetch new records from a record store, and delete fetched ones, without I/O (reference BLE §6).

A record is new if its number is higher than that of the last stored one, so one request suffices as long as the numbers
of a device increase. They do not always: a meter restarts at 1 after a change of battery, a counter of 16 bits wraps,
and an empty result then hides every new record. So when no newer record is found, the newest record alone is requested,
which costs one record. If it is the known one, there is nothing new; if it is another, all records have to be fetched.
Fetching a record again adds nothing to the patient's record, since the cloud recognises stored records by their
content.

Fallbacks: a device that cannot compare gets a request for all records; a busy one gets a retry later; one that did not
finish a request gets a request for the rest (`record_procedure`).

The session stores the mark, in one transaction with the records. This module does not decode records.
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
"""Results with which servers refuse to compare record numbers, or to use this operator."""


class _Selection(Enum):
    NEWER = "newer than the mark"
    NEWEST = "the newest, to see whether the mark still means anything"
    ALL = "all"


class RecordFetch(RecordProcedure):
    """One fetch. The session passes each record to `record` and each indication of the control point to `receive`."""

    def __init__(self, numbering: RecordNumbering, after: int | None = None) -> None:
        """Prepare a fetch. `after`: the highest record number that is stored already; None: none is."""
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
        """Return the number up to which all records arrived; it may become the mark together with them. During a fetch
        it is valid only while records arrive in order. None where nothing arrived that moves the mark."""
        if self._ascending:
            return self._last
        return self._highest if self._done else None

    def record(self, number: int | None, now_s: float) -> None:
        """Note a record, with its number where it has one: the server is alive. A record after the end is not counted,
        and a record during an abort does not extend its deadline."""
        if self.ended:
            return
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
        """Return whether `later` follows `earlier` in the order of recording: a fall by more than half of the range of
        numbers is the counter's wrap."""
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
                # The records of this request begin at the oldest, whatever the earlier numbers were.
                self._highest = self._last = None
                self._ascending = True
                return request(Opcode.REPORT, Operator.ALL, numbering=self._numbering)

    def _interrupted(self) -> None:
        """Return the request for the rest: records that arrived in order need not be sent again."""
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
        """Decide after the newest record, which was requested because none newer than the mark was found."""
        assert self._after is not None
        if result == Result.NO_RECORDS_FOUND or (result == Result.SUCCESS and self._newest in (None, self._after)):
            return self._complete()
        if result in _NOT_COMPARED or result == Result.SUCCESS:
            if self._newest is not None and self._newest > self._after and not self._newer_twice:
                self._newer_twice = True  # it was measured between the two requests
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
    """Deletion of the records up to a number, all of which must be durable already. A service without record numbers
    gets no such request: "all" would delete records measured meanwhile. `FetchDone` reports success."""

    def __init__(self, numbering: RecordNumbering, through: int) -> None:
        """Prepare a delete. Raises LocalProtocolError where the service has no record numbers, or none so high."""
        super().__init__(Opcode.DELETE)
        self._bytes = request(Opcode.DELETE, Operator.AT_MOST, through, numbering=numbering)

    def _request(self) -> bytes:
        return self._bytes

    def _settled(self, result: int, now_s: float) -> Sequence[FetchEvent]:
        if result in (Result.SUCCESS, Result.NO_RECORDS_FOUND):
            return self._end(FetchDone(0))
        return self._end(FetchRefused(words_of(result)))
