"""Fetch new records from a record store, and delete fetched ones, without I/O (reference BLE §6).

What is new is what has a higher record number than the last that was kept, so one request suffices as long as a device
counts on. Devices do not: a meter begins again at 1 when its battery was changed, a counter of 16 bits wraps, and
"nothing newer" then hides everything. So when nothing newer is found, the newest record alone is requested, which costs
one record: the known one means that there is nothing new, another one that all have to be fetched. Fetching a record
again adds nothing to the record of the patient, since the cloud knows stored records by their content.

Fallbacks: a device that cannot compare gets a request for all records; a busy one a retry later; one that did not
finish a request for the rest (`record_procedure`).

Does not keep the mark (the session does, in one transaction with the records) nor read records.
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
"""How servers say that they cannot compare record numbers, or not with this operator."""


class _Asked(Enum):
    NEWER = "newer than the mark"
    NEWEST = "the newest, to see whether the mark still means anything"
    ALL = "all"


class RecordFetch(RecordProcedure):
    """One fetch. The session passes each record to `record` and each indication of the control point to `receive`."""

    def __init__(self, numbering: RecordNumbering, after: int | None = None) -> None:
        """`after`: the highest record number that is kept already, None: nothing is."""
        super().__init__(Opcode.REPORT)
        self._numbering = numbering
        self._after = None if numbering is RecordNumbering.NONE else after
        self._asking = self._first()
        self._highest: int | None = None
        self._last: int | None = None
        self._newest: int | None = None
        self._ascending = True
        self._done = False
        self._newer_twice = False

    @property
    def through(self) -> int | None:
        """All records up to this number came, so it may become the mark together with them. While a fetch runs only as
        long as they come in order; None where nothing came that moves the mark."""
        if self._ascending:
            return self._last
        return self._highest if self._done else None

    def record(self, number: int | None, now_s: float) -> None:
        """A record came, with its number where it has one: the server is alive. What comes after the end counts for
        nothing here, and what comes while an abort is under way gives it no more time."""
        if self.ended:
            return
        self.count += 1
        if self.awaits_answer:
            self.deadline_s = now_s + ANSWER_S
        if number is None:
            return
        if self._asking is _Asked.NEWEST:
            self._newest = number
            return
        self._ascending = self._ascending and (self._last is None or self._follows(self._last, number))
        self._last = number
        self._highest = number if self._highest is None else max(self._highest, number)

    def _follows(self, earlier: int, later: int) -> bool:
        """Return whether records come oldest first: a fall by more than half of all numbers is the counter's wrap."""
        return later >= earlier or earlier - later > number_max(self._numbering) // 2

    def _first(self) -> _Asked:
        # Just below its highest number a counter may have wrapped already, and "newer" would hide what came after.
        if self._after is None or not 0 <= self._after < number_max(self._numbering) - 1:
            return _Asked.ALL
        return _Asked.NEWER

    def _request(self) -> bytes:
        match self._asking:
            case _Asked.NEWER:
                assert self._after is not None
                return request(Opcode.REPORT, Operator.AT_LEAST, self._after + 1, numbering=self._numbering)
            case _Asked.NEWEST:
                return request(Opcode.REPORT, Operator.LAST, numbering=self._numbering)
            case _Asked.ALL:
                # What comes now begins at the oldest, wherever the numbers stood before.
                self._highest = self._last = None
                self._ascending = True
                return request(Opcode.REPORT, Operator.ALL, numbering=self._numbering)

    def _interrupted(self) -> None:
        """Return the request for the rest: what came in order need not come again."""
        comparable = self._last is not None and self._last < number_max(self._numbering) - 1
        if self._asking is not _Asked.NEWEST and self._ascending and comparable:
            self._after = self._last
            self._asking = _Asked.NEWER

    def _settled(self, result: int, now_s: float) -> Sequence[FetchEvent]:
        if self._asking is _Asked.NEWEST:
            return self._compared(result, now_s)
        if result == Result.SUCCESS:
            return self._complete()
        if result == Result.NO_RECORDS_FOUND:
            return self._turn(_Asked.NEWEST, now_s) if self._asking is _Asked.NEWER else self._complete()
        if result in _NOT_COMPARED and self._asking is _Asked.NEWER:
            return self._turn(_Asked.ALL, now_s)
        return self._end(FetchRefused(words_of(result)))

    def _compared(self, result: int, now_s: float) -> Sequence[FetchEvent]:
        """Decide after the newest record, which was requested because none newer than the mark was found."""
        assert self._after is not None
        if result == Result.NO_RECORDS_FOUND or (result == Result.SUCCESS and self._newest in (None, self._after)):
            return self._complete()
        if result in _NOT_COMPARED or result == Result.SUCCESS:
            if self._newest is not None and self._newest > self._after and not self._newer_twice:
                self._newer_twice = True  # it was measured between the two questions
                return self._turn(_Asked.NEWER, now_s)
            return self._turn(_Asked.ALL, now_s)
        return self._end(FetchRefused(words_of(result)))

    def _turn(self, asking: _Asked, now_s: float) -> Sequence[FetchEvent]:
        self._asking = asking
        return self._ask_again(now_s)

    def _complete(self) -> Sequence[FetchEvent]:
        self._done = True
        return self._end(FetchDone(self.count))


class RecordDelete(RecordProcedure):
    """Deletes records up to a number, all of which must be durable already. Services without record numbers are never
    asked: "all" would take what was measured meanwhile. `FetchDone` is its good end."""

    def __init__(self, numbering: RecordNumbering, through: int) -> None:
        """LocalProtocolError where the service has no record numbers, or none so high."""
        super().__init__(Opcode.DELETE)
        self._bytes = request(Opcode.DELETE, Operator.AT_MOST, through, numbering=numbering)

    def _request(self) -> bytes:
        return self._bytes

    def _settled(self, result: int, now_s: float) -> Sequence[FetchEvent]:
        if result in (Result.SUCCESS, Result.NO_RECORDS_FOUND):
            return self._end(FetchDone(0))
        return self._end(FetchRefused(words_of(result)))
