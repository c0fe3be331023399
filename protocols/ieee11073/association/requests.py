"""Queue of a manager's requests: one is outstanding at a time, and a limited number is queued.

Most agents allow one outstanding request (reference 20601 §4), and some respond only to a Get of the MDS. So each
request defines what happens after a timeout. Without `overdue` the association is aborted (20601 row 8.4). With
`overdue` the timeout is reported and the association continues, because an oximeter that does not implement Set-Time
still measures. A response that arrives after its timeout is ignored.

The services decide what to request and how to use a response (`service`).
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
"""The messages that respond to each request."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has no response yet. `done` is called with the response. After the deadline `overdue` is called;
    if it is None, the association is aborted (20601 row 8.4)."""

    answers: frozenset[MessageTag]
    deadline_s: float
    done: Callable[[Received], None]
    overdue: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class AtSending:
    """A request body that `make(now_s)` creates when the request is sent. A new time for a clock must not become stale
    in a queue, and a round trip is measured from the sending."""

    make: Callable[[float], object]


@dataclass(frozen=True, slots=True)
class _Pending:
    message: MessageTag
    body: object
    to_s: float
    done: Callable[[Received], None]
    overdue: Callable[[], None] | None


class Requests:
    """Interface through which services use the manager's association. There is one for each association object."""

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
        """Emits an event."""
        self.set_now = set_now
        """Set the time of a command of the caller; each command calls it first."""
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
        """Send a request when all earlier requests have their response; the timeout `to_s` counts from the sending.
        `ahead`: send it before all queued requests, because it depends on the response just received.

        `body` may be an `AtSending`. `done` is called with the response, whose body may be an ErrorResult or a
        RejectResult; `overdue` is called after a timeout. Raises `LocalProtocolError` outside Operating, and when too
        many requests are queued. During a release a request made in reaction to a response is dropped without an error,
        since queued requests are dropped too.
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
        """Drop all requests, since the association has ended and no response will arrive."""
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
