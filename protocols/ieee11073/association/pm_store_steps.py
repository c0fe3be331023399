"""Steps of a manager that fetches or clears a PM-store: send a request, wait, handle a timeout, decode the response.

A response or a timeout is ignored when another step has begun since the request, so a device that responds late or
twice cannot start two actions at once.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.actions import ActionType
from protocols.ieee11073.apdu.data import ActionArgument, ActionResult, GetArgument
from protocols.ieee11073.apdu.pm_store import CAPABILITY_CLEAR_BY_LIST, SegmentInfo
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.refusals import refusal
from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.channels import RELATIVE_TIME_S
from protocols.ieee11073.dim.segments import Segment, segment_of
from protocols.ieee11073.mder import decode_list
from protocols.ieee11073.tolerances import Oddity

P = ParamSpec("P")


@dataclass(slots=True)
class Store:
    """A PM-store that is being fetched: segments still to fetch (`due`), and numbers of all its segments (`listed`)."""

    handle: int
    attributes: dict[int, bytes] = field(default_factory=dict)
    due: deque[Segment] = field(default_factory=deque)
    listed: tuple[int, ...] = ()
    whole: list[Segment] = field(default_factory=list)
    """Segments whose entries are all durable."""
    tries: int = 0

    @property
    def capability(self) -> int:
        return int.from_bytes(self.attributes.get(Attribute.PM_STORE_CAPABILITY, b"")[:2], "big")

    @property
    def clears_each(self) -> bool:
        """True where the device can clear single segments."""
        return bool(self.capability & CAPABILITY_CLEAR_BY_LIST)

    @property
    def clearable(self) -> bool:
        """True where the whole PM-store may be cleared: the entries of all listed segments are durable, and at least
        one segment has entries."""
        return {segment.number for segment in self.whole} == set(self.listed) and any(
            segment.usage_count for segment in self.whole
        )

    @property
    def clear_timeout_s(self) -> float | None:
        value = self.attributes.get(Attribute.CLEAR_TIMEOUT, b"")
        return int.from_bytes(value, "big") * RELATIVE_TIME_S if len(value) == 4 and any(value) else None


class StoreSteps:
    """Steps with which one manager fetches and clears PM-stores. When a response times out, `silent` is called with a
    text that names the response."""

    def __init__(self, requests: Requests, silent: Callable[[str], None]) -> None:
        self._requests = requests
        self._silent = silent
        self._steps = 0
        self._due: Callable[[], None] | None = None
        self.deadline_s: float | None = None

    def begin(self) -> None:
        """Begin another step: responses, timeouts and waits of the previous step are ignored from now on."""
        self._steps += 1
        self.deadline_s = self._due = None

    def wait(self, seconds: float, step: Callable[[], None]) -> None:
        """Call `step` after `seconds`. `begin` and another `wait` cancel this call."""
        self.deadline_s, self._due = self._requests.now_s + seconds, step

    def pass_time(self) -> None:
        """Run the scheduled step if its time has come."""
        if self.deadline_s is not None and self.deadline_s <= self._requests.now_s:
            due, self._due, self.deadline_s = self._due, None, None
            if due is not None:
                due()

    # Requests.

    def get(self, store: Store, done: Callable[[Received], None], to_s: float) -> None:
        """Request all attributes of a PM-store. `done` gets the response. A response that arrives after another step
        has begun is ignored."""
        self._requests.enqueue(
            MessageTag.GET,
            GetArgument(store.handle, ()),
            to_s=to_s,
            done=self._if_still(done),
            overdue=self._overdue("a Get of its attributes"),
        )

    def act(
        self,
        store: Store,
        action: ActionType,
        data: bytes,
        done: Callable[[Received], None],
        to_s: float,
        *,
        ahead: bool = False,
    ) -> None:
        """Request an action of a PM-store; with `ahead`, the request is sent before queued requests. `done` gets the
        response. A response that arrives after another step has begun is ignored."""
        self._requests.enqueue(
            MessageTag.CONFIRMED_ACTION,
            ActionArgument(store.handle, action, data),
            to_s=to_s,
            done=self._if_still(done),
            overdue=self._overdue(f"the answer to {action.name}"),
            ahead=ahead,
        )

    def _overdue(self, what: str) -> Callable[[], None]:
        return self._if_still(lambda: self._silent(what))

    def _if_still(self, call: Callable[P, None]) -> Callable[P, None]:
        """Wrap `call` so that the wrapped function does nothing after another step of the fetch has begun."""
        step = self._steps

        def called(*given: P.args, **named: P.kwargs) -> None:
            if step == self._steps:
                call(*given, **named)

        return called

    # Reading of responses.

    def result(self, store: Store, received: Received, what: str) -> bytes | None:
        """Return the action-info-args of a response to the request `what`, or None for a refusal, which is noted."""
        if isinstance(received.body, ActionResult):
            return received.body.action_info_args
        self.refused(store, received, what, refusal(received.body) or "another answer")
        return None

    def infos(self, store: Store, received: Received) -> tuple[SegmentInfo, ...] | None:
        """Return the segments in a response to SEG_GET_INFO. If the response is a refusal or malformed, note this and
        return None."""
        data = self.result(store, received, "SEG_GET_INFO")
        try:
            return None if data is None else decode_list(SegmentInfo, data)
        except RemoteProtocolError as error:
            self.refused(store, received, "SEG_GET_INFO", error.reason)
            return None

    def segment(self, store: Store, info: SegmentInfo) -> Segment | None:
        """Return the segment that `info` describes. If its entries cannot be decoded, note this and return None."""
        try:
            return segment_of(info, store.attributes, self._requests.notes)
        except RemoteProtocolError as error:
            self.unreadable(store, info.seg_inst_no, error)
            return None

    def unreadable(self, store: Store, number: int, error: RemoteProtocolError) -> None:
        """Note a segment whose entries cannot be decoded."""
        said = {"clause": error.clause, "segment": number, "handle": store.handle, "reason": error.reason}
        self._requests.notes.add(Oddity.SEGMENT_UNREADABLE, **said)

    def refused(self, store: Store, received: Received, what: str, reason: str) -> None:
        """Note that a PM-store refused the request that `what` names."""
        self._requests.notes.add(Oddity.STORE_REFUSED, received.octets, handle=store.handle, what=what, reason=reason)
