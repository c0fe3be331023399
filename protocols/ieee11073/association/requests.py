"""Queue of a manager's requests: one is outstanding at a time, and a limited number is queued.

Most agents allow one outstanding request (reference 20601 §4), and some respond only to a Get of the MDS. A timeout
aborts the association (20601 row 8.4) unless the request has an `overdue` callback, because an oximeter that does not
implement Set-Time still measures. A response that arrives after its timeout is ignored.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.dim.notes import Notes

PENDING_MAX = 64
"""Limit of queued requests. The services send one request after the other, so the queue stays far below it."""
_RESPONSES = {
    MessageTag.GET: frozenset({MessageTag.GET_RESULT, MessageTag.ERROR, MessageTag.REJECT}),
    MessageTag.CONFIRMED_SET: frozenset({MessageTag.SET_RESULT, MessageTag.ERROR, MessageTag.REJECT}),
    MessageTag.CONFIRMED_ACTION: frozenset({MessageTag.ACTION_RESULT, MessageTag.ERROR, MessageTag.REJECT}),
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has no response yet. After the deadline the callback `overdue` is called. If `overdue` is None,
    the association is aborted."""

    answers: frozenset[MessageTag]
    deadline_s: float
    done: Callable[[Received], None]
    overdue: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class AtSending:
    """A request body that `make(now_s)` creates when the request is sent, so that a clock time in it is not stale."""

    make: Callable[[float], object]


@dataclass(frozen=True, slots=True)
class _Pending:
    message: MessageTag
    body: object
    to_s: float
    done: Callable[[Received], None]
    overdue: Callable[[], None] | None


class Requests:
    """Interface through which services use the manager's association."""

    def __init__(
        self,
        *,
        send: Callable[[MessageTag, object, Request], int],
        emit: Callable[[Event], None],
        now_s: Callable[[], float],
        set_now: Callable[[float], None],
        operating: Callable[[], bool],
        notes: Notes,
    ) -> None:
        self.notes = notes
        self.emit = emit
        self.set_now = set_now
        """Sets the time of a command; each command calls it first."""
        self._send = send
        self._now_s = now_s
        self._operating = operating
        self._pending: deque[_Pending] = deque()
        self._under_way = False
        self._completing = False
        """True while a response is being processed."""

    @property
    def now_s(self) -> float:
        """Monotonic time in seconds of the event that the association is processing."""
        return self._now_s()

    def enqueue(
        self,
        message: MessageTag,
        body: object,
        *,
        to_s: float,
        done: Callable[[Received], None],
        overdue: Callable[[], None] | None = None,
        ahead: bool = False,
    ) -> None:
        """Send a request when all earlier requests have their response.

        With `ahead` the request is sent before all queued requests; this is for a request that depends on the response
        just received. `body` may be an `AtSending`. `done` gets the response, which may be an ErrorResult or a
        RejectResult; `overdue` is called if no response arrives within `to_s` seconds of the sending. Raises
        `LocalProtocolError` outside Operating, and when too many requests are queued. During a release, a request made
        in reaction to a response is dropped without an error.
        """
        if not self._operating():
            if self._completing:
                return
            raise LocalProtocolError("no association operates that could be asked")
        if len(self._pending) >= PENDING_MAX:
            raise LocalProtocolError(f"{PENDING_MAX} requests wait already")
        pending = _Pending(message, body, to_s, done, overdue)
        if ahead:
            self._pending.appendleft(pending)
        else:
            self._pending.append(pending)
        self._send_next()

    def forget(self) -> None:
        """Drop all requests, since the association has ended."""
        self._pending.clear()
        self._under_way = False

    def _send_next(self) -> None:
        if self._under_way or not self._pending or not self._operating():
            return
        pending = self._pending.popleft()
        overdue = None if pending.overdue is None else self._then_next(pending.overdue)
        deadline_s = self._now_s() + pending.to_s
        body = pending.body.make(self._now_s()) if isinstance(pending.body, AtSending) else pending.body
        request = Request(_RESPONSES[pending.message], deadline_s, self._then_next_after(pending.done), overdue)
        self._send(pending.message, body, request)
        self._under_way = True  # not before: a body that cannot be encoded is our error and blocks nothing

    def _then_next_after(self, done: Callable[[Received], None]) -> Callable[[Received], None]:
        def take(received: Received) -> None:
            self._complete(lambda: done(received))

        return take

    def _then_next(self, overdue: Callable[[], None]) -> Callable[[], None]:
        def given_up() -> None:
            self._complete(overdue)

        return given_up

    def _complete(self, call: Callable[[], None]) -> None:
        self._under_way, self._completing = False, True
        try:
            call()
        finally:
            self._completing = False
        self._send_next()
