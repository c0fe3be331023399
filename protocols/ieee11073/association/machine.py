"""The association engine: one state machine for both roles, driven by the state table of its role.

A role adds its table, the classification of its inputs, and its actions. Nothing here reads a clock or a connection:
the caller passes received bytes to `receive` with the time `now_s` (monotonic, seconds), calls `expire` at
`deadline_s`, and writes the bytes that `to_send` returns.

A peer's bytes lead to events and responses, never to an exception. When the next APDU header cannot be found, or an
APDU is not completed in time, the association is aborted (ABRT) and the connection is `closed`. With `resynchronise`,
for a line that cannot be closed, all bytes up to the next association request are ignored after the abort.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from protocols.deviation import Deviation
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.framing.apdu_stream import ApduStream, ApduTooLong
from protocols.ieee11073.apdu import MessageTag, encode_apdu, encode_data
from protocols.ieee11073.apdu.association import (
    Aare,
    Aarq,
    AbortReason,
    Abrt,
    ReleaseRequestReason,
    ReleaseResponseReason,
    Rlre,
    Rlrq,
)
from protocols.ieee11073.apdu.data import ErrorResult, ErrorValue, RejectProblem, RejectResult
from protocols.ieee11073.association.events import Aborted, Event, LinkLost, Released
from protocols.ieee11073.association.received import CONFIRMED, NOTHING_RECEIVED, Received, read_apdu
from protocols.ieee11073.association.requests import Request
from protocols.ieee11073.association.settings import AgentSettings, ManagerSettings
from protocols.ieee11073.association.states import Action, Input, Row, State
from protocols.ieee11073.association.timers import STATE_TIMEOUTS, timeout_reason
from protocols.ieee11073.dim.notes import BYTES_KEPT, Notes
from protocols.ieee11073.tolerances import Oddity

_INVOKE_IDS = 0x10000
_GIVEN_UP_MAX = 16
"""Requests that timed out and whose late responses are ignored."""


def do_nothing(row: Row, received: Received) -> None:
    """Do nothing: the action of transitions that change at most the state."""


Handler: TypeAlias = Callable[[Row, Received], None]
"""Method that runs the action of a row of the table."""


class Association(ABC):
    """Base of both roles. A subclass passes its state table to the constructor and adds its actions to `_actions`."""

    def __init__(
        self,
        table: tuple[Row, ...],
        settings: ManagerSettings | AgentSettings,
        *,
        malformed_max: int,
        resynchronise: bool = False,
    ) -> None:
        self._rows = {(row.state, row.input): row for row in table}
        self._timeouts_s = {state: getattr(settings, name, None) for state, name in STATE_TIMEOUTS.items()}
        self._malformed_max = malformed_max
        self._apdu_bytes_max = settings.apdu_bytes_max
        self._to_apdu_s = settings.to_apdu_s
        self._resynchronise = resynchronise
        self._stream = ApduStream(settings.apdu_bytes_max)
        self._notes = Notes()
        self._events: list[Event] = []
        self._out: list[bytes] = []
        self._held: list[bytes] = []
        self._gate: set[int] = set()
        """Tickets of the reports whose responses are sent before the held bytes."""
        self._requests: dict[int, Request] = {}
        self._given_up: deque[int] = deque(maxlen=_GIVEN_UP_MAX)
        self._invoke_id = -1  # the first request has invoke-id 0
        self._malformed = 0
        self._now_s = 0.0
        self._state_deadline_s: float | None = None
        self._apdu_deadline_s: float | None = None
        self._abort_reason = AbortReason.UNDEFINED
        self._release_reason = ReleaseRequestReason.NORMAL
        self._why = ""
        self._actions: dict[Action, Handler] = {
            Action.NOTHING: do_nothing,
            Action.IGNORE: do_nothing,
            Action.LOSE_LINK: self._lose_link,
            Action.SEND_ABRT: self._send_abrt,
            Action.TAKE_ABRT: self._take_abrt,
            Action.SEND_RLRQ: self._send_rlrq,
            Action.SEND_RLRE: self._send_rlre,
            Action.SEND_RLRE_AND_WAIT: self._send_rlre_and_wait,
            Action.FINISH_RELEASE: self._finish_release,
            Action.REFUSE_NO_SUCH_OBJECT: self._refuse_no_such_object,
            Action.REFUSE_UNREADABLE: self._refuse_unreadable,
        }
        self.state = State.DISCONNECTED
        self.closed = False
        """True when this link can carry nothing more: it ended, or its framing is lost."""
        self._step(Input.LINK_UP)

    @property
    def deadline_s(self) -> float | None:
        """Time at which `expire` has to be called, on the clock of `now_s`; None: no timer runs."""
        due_s, apdu_s = self._state_or_request_deadline_s(), self._apdu_deadline_s
        return due_s if apdu_s is None else apdu_s if due_s is None else min(due_s, apdu_s)

    def _state_or_request_deadline_s(self) -> float | None:
        deadlines = [] if self._state_deadline_s is None else [self._state_deadline_s]
        if self.state is State.OPERATING:
            deadlines += [request.deadline_s for request in self._requests.values()]
        return min(deadlines, default=None)

    def receive(self, data: bytes, now_s: float) -> list[Event]:
        """Process received bytes, which may begin and end anywhere in the stream. Never raises because of their
        content. `b""` means that the connection ended."""
        self._now_s = now_s
        if self.closed:
            return []
        if not data:
            self.closed = True
            self._stream.clear()  # the rest of a partial APDU will not arrive
            self._apdu_deadline_s = None
            self._step(Input.LINK_DOWN)
            return self._taken()
        self._stream.append(data)
        self._read_stream()
        return self._taken()

    def expire(self, now_s: float) -> list[Event]:
        """Process the timers that expired by `now_s`, as the standard defines."""
        self._now_s = now_s
        if self._apdu_deadline_s is not None and self._apdu_deadline_s <= now_s:
            self._lose_framing(RemoteProtocolError("an APDU began and did not go on", clause="20601 §11 APDU header"))
            self._read_stream()
        self._give_up_overdue()
        deadline_s = self._state_or_request_deadline_s()
        if deadline_s is not None and deadline_s <= now_s:
            self._step(Input.TIMEOUT)
        return self._taken()

    def _give_up_overdue(self) -> None:
        """Drop each timed-out request that has an `overdue` callback, and call the callback. The timeout of any other
        request aborts the association (20601 row 8.4)."""
        if self.state is not State.OPERATING:
            return
        for invoke_id, request in list(self._requests.items()):
            if request.deadline_s <= self._now_s and request.overdue is not None:
                del self._requests[invoke_id]
                self._given_up.append(invoke_id)
                request.overdue()

    def to_send(self) -> bytes:
        """Return the bytes that have to be written now. Each byte is returned once."""
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def release(self, now_s: float, reason: ReleaseRequestReason = ReleaseRequestReason.NORMAL) -> list[Event]:
        """Request the release of the association, if there is one; `Released` is emitted at the end."""
        self._now_s = now_s
        self._release_reason = reason
        if self.state is not State.DISCONNECTED:
            self._step(Input.REQ_RELEASE)
        return self._taken()

    def abort(self, reason: AbortReason = AbortReason.UNDEFINED, why: str = "") -> list[Event]:
        """Abort the association at once. `why` is an explanation for people."""
        self._abort_now(reason, why)
        return self._taken()

    # Hooks of the roles.

    def _receive_known_layout(self) -> bool:
        """Process the next reports if their layout is known. Return False if the next APDU needs full decoding."""
        return False

    @abstractmethod
    def _input_of_aarq(self, aarq: Aarq) -> Input: ...

    @abstractmethod
    def _input_of_aare(self, aare: Aare) -> Input: ...

    @abstractmethod
    def _input_of_response(self, request: Request, received: Received) -> Input: ...

    def _end_association(self) -> None:
        """Drop the state of the association, which has ended."""
        self._notes.restart()
        self._requests.clear()
        self._given_up.clear()
        self._malformed = 0

    def _owed_tickets(self) -> set[int]:
        """Return the tickets (event numbers) of the confirmed reports whose response is still to be sent."""
        return set()

    def _forget_responses(self) -> None:
        """Drop the responses that are still to be sent, since they can no longer reach the peer."""
        self._held.clear()
        self._gate.clear()

    # The machine.

    def _step(self, given: Input, received: Received = NOTHING_RECEIVED) -> None:
        row = self._rows[self.state, given]
        if row.next is not self.state:
            self._enter(row.next)
        self._actions[row.action](row, received)

    def _enter(self, state: State) -> None:
        before, self.state = self.state, state
        self._start_state_timer()
        if state in (State.UNASSOCIATED, State.DISCONNECTED) and before is not State.DISCONNECTED:
            self._end_association()

    def _start_state_timer(self) -> None:
        timeout_s = self._timeouts_s.get(self.state)
        self._state_deadline_s = None if timeout_s is None else self._now_s + timeout_s

    def _taken(self) -> list[Event]:
        self._emit_notes()
        events, self._events = self._events, []
        return events

    def _emit(self, event: Event) -> None:
        """Add an event for each deviation noted since the last call, then add `event`."""
        self._emit_notes()
        self._events.append(event)

    def _emit_notes(self) -> None:
        if self._notes.pending:
            self._events += [
                Deviation(note.sentence, note.clause, note.octets, note.oddity.key) for note in self._notes.drain()
            ]

    def _read_stream(self) -> None:
        """Process every whole APDU in the stream. If an incomplete APDU is left, start its deadline."""
        while not self.closed:
            try:
                self._read_apdus()
                break
            except RemoteProtocolError as error:  # only the framing raises: every APDU's own errors get a response
                self._lose_framing(error)
        unfinished = self._stream.in_apdu and not self.closed
        self._apdu_deadline_s = self._now_s + self._to_apdu_s if unfinished else None

    def _read_apdus(self) -> None:
        while self._stream.pending_bytes and not self.closed:
            if self._receive_known_layout():
                continue
            apdu = self._stream.next_apdu()
            if apdu is None:
                break
            self._receive_apdu(apdu)

    def _receive_apdu(self, data: bytes) -> None:
        messages_are_due = self.state not in (State.UNASSOCIATED, State.ASSOCIATING)
        given, received = read_apdu(data, self._notes, messages_are_due=messages_are_due)
        match given, received.apdu:
            case Input.RX_AARQ, Aarq() as aarq:
                given = self._input_of_aarq(aarq)
            case Input.RX_AARE, Aare() as aare:
                given = self._input_of_aare(aare)
            case Input.RX_RESPONSE_KNOWN, _:
                if received.invoke_id in self._given_up:
                    self._notes.add(Oddity.ANSWER_LATE, received.octets)
                    return
                given = self._input_of_any_response(received)
        self._step(given, received)

    def _input_of_any_response(self, received: Received) -> Input:
        assert received.data is not None
        request = self._requests.get(received.data.invoke_id)
        if request is None or received.data.message not in request.answers:
            return Input.RX_RESPONSE_UNKNOWN
        return self._input_of_response(request, received)

    def _lose_framing(self, error: RemoteProtocolError) -> None:
        reason = AbortReason.BUFFER_OVERFLOW if isinstance(error, ApduTooLong) else AbortReason.UNDEFINED
        self.closed = not self._resynchronise
        front = bytes(self._stream.front()[:BYTES_KEPT])
        self._notes.add(Oddity.STREAM_LOST, front, clause=error.clause, reason=error.reason)
        if self.state is State.UNASSOCIATED:
            self._send(encode_apdu(Abrt(reason)))
        else:
            self._abort_now(reason, error.reason)
        if self._resynchronise:
            self._stream.seek_request()
        else:
            self._stream.clear()

    def _abort_now(self, reason: AbortReason, why: str) -> None:
        if self.state is State.DISCONNECTED:
            return
        self._abort_reason, self._why = reason, why
        self._step(Input.REQ_ABORT)

    # The outbox.

    def _send(self, data: bytes) -> None:
        (self._held if self._held else self._out).append(data)

    def _send_after_responses(self, data: bytes) -> None:
        """Send a release message after all responses owed at this moment, since the peer accepts no response after the
        release message. All other bytes follow the release message."""
        if not self._held:
            self._gate = self._owed_tickets()
        (self._held if self._gate else self._out).append(data)

    def _send_response(self, ticket: int, data: bytes) -> None:
        """Send a response. A response that was owed when a release began is sent before the release message. Any other
        response is sent after all earlier bytes."""
        if ticket not in self._gate:
            self._send(data)
            return
        self._out.append(data)
        self._gate.remove(ticket)
        if not self._gate:
            self._out += self._held
            self._held.clear()

    def _send_message(self, invoke_id: int, message: MessageTag, body: object) -> None:
        self._send(self._encoded(invoke_id, message, body))

    def _encoded(self, invoke_id: int, message: MessageTag, body: object) -> bytes:
        data = encode_data(invoke_id, message, body)
        if len(data) > self._apdu_bytes_max:
            raise LocalProtocolError(f"an APDU of {len(data)} bytes is over the limit")
        return data

    def _request(self, message: MessageTag, body: object, request: Request) -> int:
        """Send a request with a free invoke-id, and return the invoke-id."""
        invoke_id = (self._invoke_id + 1) % _INVOKE_IDS
        while invoke_id in self._requests or invoke_id in self._given_up:
            invoke_id = (invoke_id + 1) % _INVOKE_IDS
        data = self._encoded(invoke_id, message, body)
        self._invoke_id = invoke_id
        self._requests[invoke_id] = request
        self._send(data)
        return invoke_id

    def _refuse(self, received: Received, error: ErrorValue) -> None:
        """Respond with ROER to a confirmed request; an unconfirmed one gets no response."""
        if received.data is not None and received.data.message in CONFIRMED:
            self._send_message(received.data.invoke_id, MessageTag.ERROR, ErrorResult(error, b""))

    def _reject(self, received: Received, problem: RejectProblem) -> None:
        """Respond with RORJ to a confirmed request; an unconfirmed one gets no response."""
        if received.data is not None and received.data.message in CONFIRMED:
            self._send_message(received.data.invoke_id, MessageTag.REJECT, RejectResult(problem))

    # Actions that both roles have.

    def _lose_link(self, row: Row, received: Received) -> None:
        self._forget_responses()
        self._out.clear()
        self._emit(LinkLost())

    def _send_abrt(self, row: Row, received: Received) -> None:
        reason, why = self._abort_reason, self._why or received.why
        self._abort_reason, self._why = AbortReason.UNDEFINED, ""
        if row.input is Input.TIMEOUT:
            reason, why = timeout_reason(row.state), f"no answer in time in state {row.state.name}"
        elif not why:
            why = f"row {row.number}: {row.input.name} in state {row.state.name}"
        self._forget_responses()
        self._send(encode_apdu(Abrt(reason)))
        if row.state is State.UNASSOCIATED:
            self._notes.add(Oddity.OUTSIDE_ASSOCIATION, received.octets, what=row.input.name, row=row.number)
        else:
            self._emit(Aborted(reason, by_us=True, why=why))

    def _take_abrt(self, row: Row, received: Received) -> None:
        self._forget_responses()
        assert isinstance(received.apdu, Abrt)
        self._emit(Aborted(received.apdu.reason, by_us=False, why="the peer ended the association"))

    def _send_rlrq(self, row: Row, received: Received) -> None:
        self._send_after_responses(encode_apdu(Rlrq(self._release_reason)))

    def _send_rlre(self, row: Row, received: Received) -> None:
        self._send_after_responses(encode_apdu(Rlre(ReleaseResponseReason.NORMAL)))
        self._emit(Released())

    def _send_rlre_and_wait(self, row: Row, received: Received) -> None:
        self._send(encode_apdu(Rlre(ReleaseResponseReason.NORMAL)))

    def _finish_release(self, row: Row, received: Received) -> None:
        self._emit(Released())

    def _refuse_no_such_object(self, row: Row, received: Received) -> None:
        self._refuse(received, ErrorValue.NO_SUCH_OBJECT_INSTANCE)

    def _refuse_unreadable(self, row: Row, received: Received) -> None:
        """Reject a malformed APDU with RORJ (20601 §9.4 rule 1). Abort the association instead if the APDU has no
        invoke-id, or if more than `malformed_max` APDUs were malformed."""
        self._malformed += 1
        if received.invoke_id is None or self._malformed > self._malformed_max:
            self._abort_now(AbortReason.UNDEFINED, received.why)
        else:
            self._send_message(received.invoke_id, MessageTag.REJECT, RejectResult(received.problem))
