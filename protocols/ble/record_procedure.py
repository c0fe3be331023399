"""One request to a Record Access Control Point and its response, without I/O (reference BLE §6).

Fetch and delete (`record_fetch`) send different requests and end differently. They share the base class
`RecordProcedure`, which handles timeouts, a busy server, aborts, and a procedure that an earlier client left running. A
procedure reports its end once. Input after the end has no effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from protocols.ble.record_access import (
    CLAUSE,
    Opcode,
    Operator,
    RecordAccess,
    Result,
    decode_record_access,
    response_of,
)
from protocols.ble.record_access import encode_record_access as encoded
from protocols.deviation import Deviation
from protocols.errors import LocalProtocolError

ANSWER_S: Final = 30.0
"""Timeout of the response. Each received record restarts it."""
BUSY_PAUSES_S: Final = (5.0, 10.0, 20.0, 40.0)
"""Pauses before the retries with a busy server. Most are busy with a measurement; a cuff needs less than a minute."""
AGAIN_MAX: Final = 2
"""Limit of retries after the result "procedure not completed"."""
ASKED_MAX: Final = 12
"""Limit of requests in one procedure, independent of the responses."""

CCCD_IMPROPERLY_CONFIGURED: Final = (0xFD, 0x81)
PROCEDURE_ALREADY_IN_PROGRESS: Final = (0xFE, 0x80)
"""ATT errors of the write: the code of the specification, and that of older servers."""

ABORT: Final = encoded(RecordAccess(Opcode.ABORT, Operator.NULL))


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """Event: the session has to write `octets` to the control point now."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class FetchDone:
    """Event: the procedure succeeded with `count` received records; 0 if the store has no matching record."""

    count: int


@dataclass(frozen=True, slots=True)
class FetchAborted:
    """Event: the procedure was aborted after `count` records, which are valid."""

    count: int


@dataclass(frozen=True, slots=True)
class FetchRefused:
    """Event: the server rejected the request, or the retries are exhausted. Records that arrived are valid."""

    why: str


@dataclass(frozen=True, slots=True)
class FetchTimedOut:
    """Event: the server was silent for `ANSWER_S`. The session must disconnect, since no other procedure may begin on
    this connection."""


FetchEvent: TypeAlias = FetchRequest | FetchDone | FetchAborted | FetchRefused | FetchTimedOut | Deviation


class _State(Enum):
    NEW = "new"
    ASKED = "asked"
    PUT_OFF = "put off"
    """The server was busy; the deadline is the time of the retry."""
    CLEARING = "clearing"
    """The procedure of an earlier client is being aborted. After the response our request is sent again."""
    ABORTING = "aborting"
    ENDED = "ended"


_RESULTS: Final = {
    Result.OPCODE_NOT_SUPPORTED: "the device does not support this procedure",
    Result.INVALID_OPERATOR: "the device calls the operator invalid",
    Result.OPERATOR_NOT_SUPPORTED: "the device does not support the operator",
    Result.INVALID_OPERAND: "the device calls the operand invalid",
    Result.ABORT_UNSUCCESSFUL: "the device could not abort",
    Result.PROCEDURE_NOT_COMPLETED: "the device could not complete the procedure",
    Result.OPERAND_NOT_SUPPORTED: "the device does not support the operand",
    Result.SERVER_BUSY: "the device was busy each time it was asked",
}


def words_of(result: int) -> str:
    """Describe a result code other than success, for log lines and status pages."""
    try:
        return _RESULTS[Result(result)]
    except (KeyError, ValueError):
        return f"the device answered with result {result}, which has no meaning here"


class RecordProcedure:
    """Base class of the procedures that fetch and delete records. Each method that processes an input returns the
    resulting events in order. The session has to call `expire` at `deadline_s` (monotonic time; None: no deadline)."""

    def __init__(self, opcode: Opcode) -> None:
        self._opcode = opcode
        self._state = _State.NEW
        self._asked = 0
        self._put_off = 0
        self._again = 0
        self._told_stray = False
        self.deadline_s: float | None = None
        self.count = 0
        """Number of records that arrived."""

    @property
    def awaits_response(self) -> bool:
        return self._state is _State.ASKED

    @property
    def ended(self) -> bool:
        return self._state is _State.ENDED

    def start(self, now_s: float) -> bytes:
        """Return the first request to write to the Record Access Control Point. Call `start` after all subscriptions
        are made."""
        if self._state is not _State.NEW:
            raise LocalProtocolError("a procedure starts once")
        return self._send_request(now_s)

    def receive(self, data: bytes, now_s: float) -> Sequence[FetchEvent]:
        """Process an indication of the Record Access Control Point. A malformed indication raises RemoteProtocolError
        and changes neither state nor deadline."""
        access = decode_record_access(data)
        if self._state in (_State.NEW, _State.ENDED):
            return ()
        found = response_of(access)
        if found is None:
            return self._stray(data)
        if found.request == Opcode.ABORT and self._state is _State.CLEARING:
            return self._repeat_request(now_s)
        if found.request == Opcode.ABORT and self._state is _State.ABORTING:
            return self._end(FetchAborted(self.count))
        if found.request == self._opcode and self._state is _State.ASKED:
            return self._take_result(found.result, now_s)
        if found.request == self._opcode and self._state is _State.ABORTING:
            return ()  # result sent before our abort arrived; the response to the abort follows
        return self._stray(data)

    def not_written(self, error: int | None, now_s: float) -> Sequence[FetchEvent]:
        """Process a failed write to the Record Access Control Point. `error` is the server's ATT error number; None:
        the failure has no number."""
        if self._state in (_State.NEW, _State.ENDED):
            return ()
        if self._state is _State.ABORTING:
            return self._end(FetchAborted(self.count))
        if error in PROCEDURE_ALREADY_IN_PROGRESS and self._state is _State.ASKED and self._asked < ASKED_MAX:
            self._state = _State.CLEARING
            return (self._write(ABORT, now_s),)
        if error in CCCD_IMPROPERLY_CONFIGURED:
            return self._end(FetchRefused("the device says that its control point is not subscribed"))
        number = "" if error is None else f" with ATT error 0x{error:02X}"
        return self._end(FetchRefused(f"the device refused the request{number}"))

    def expire(self, now_s: float) -> Sequence[FetchEvent]:
        """Process an expired deadline: repeat the request if the server was busy, else end the procedure with a
        timeout. No effect before `deadline_s`."""
        if self.deadline_s is None or now_s < self.deadline_s:
            return ()
        if self._state is _State.PUT_OFF:
            return self._repeat_request(now_s)
        return self._end(FetchTimedOut())

    def abort(self, now_s: float) -> Sequence[FetchEvent]:
        """Abort the running record procedure. Return no events if no procedure is running or an abort is already
        pending."""
        match self._state:
            case _State.ASKED:
                self._state = _State.ABORTING
                return (self._write(ABORT, now_s),)
            case _State.PUT_OFF:
                return self._end(FetchAborted(self.count))
            case _State.CLEARING:  # an abort is pending already
                self._state = _State.ABORTING
        return ()

    def lost(self) -> None:
        """End the record procedure because the link was lost. The server also ends its side of the procedure."""
        self._end()

    def _request(self) -> bytes:
        raise NotImplementedError

    def _interrupted(self) -> None:
        """Prepare the retry of a request that the server did not complete. Override to change the request."""

    def _settled(self, result: int, now_s: float) -> Sequence[FetchEvent]:
        """Process the result code `result` of a record request that is not retried."""
        raise NotImplementedError

    def _take_result(self, result: int, now_s: float) -> Sequence[FetchEvent]:
        if result == Result.SERVER_BUSY and self._put_off < len(BUSY_PAUSES_S):
            self.deadline_s = now_s + BUSY_PAUSES_S[self._put_off]
            self._put_off += 1
            self._state = _State.PUT_OFF
            return ()
        if result == Result.PROCEDURE_NOT_COMPLETED and self._again < AGAIN_MAX:
            self._again += 1
            self._interrupted()
            return self._repeat_request(now_s)
        return self._settled(result, now_s)

    def _send_request(self, now_s: float) -> bytes:
        self._asked += 1
        self._state = _State.ASKED
        return self._write(self._request(), now_s).octets

    def _repeat_request(self, now_s: float) -> Sequence[FetchEvent]:
        if self._asked >= ASKED_MAX:
            return self._end(FetchRefused(f"the device was asked {self._asked} times and came to no end"))
        return (FetchRequest(self._send_request(now_s)),)

    def _write(self, data: bytes, now_s: float) -> FetchRequest:
        self.deadline_s = now_s + ANSWER_S
        return FetchRequest(data)

    def _end(self, *events: FetchEvent) -> Sequence[FetchEvent]:
        self._state = _State.ENDED
        self.deadline_s = None
        return events

    def _stray(self, data: bytes) -> Sequence[FetchEvent]:
        """Return a deviation for a response that belongs to no pending request: a duplicate, or a response for an
        earlier client. Only the first such response is reported."""
        if self._told_stray:
            return ()
        self._told_stray = True
        return (Deviation("the record access control point answered what was not asked", CLAUSE, data),)
