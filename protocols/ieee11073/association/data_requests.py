"""Data requests of a manager: one response, a flow for some time, or a flow without end (reference 20601 §6
DataRequest).

The association request lists what a device accepts: data-req-mode-flags and the number of concurrent flows that the
manager may start. A request outside of that is never sent. The reports of a flow arrive as event reports with the
request's id, and are decoded and numbered like any others. A single response carries its report, which is processed in
the same way.

By default nothing is requested, since devices report by themselves. A device that does not report by itself gets a
request for everything: without limit or, where it supports only periods, period after period. Flows end with the
association. The caller decides whether to start them again in the next one, except for that default.

UNCONFIRMED: whether a continuation repeats the other mode bits. They are repeated here; a receiver ignores them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag, encode_data
from protocols.ieee11073.apdu.actions import (
    MODE_CONTINUATION,
    MODE_PERSON_ID,
    MODE_SCOPE_ALL,
    MODE_SCOPE_CLASS,
    MODE_SCOPE_HANDLE,
    MODE_SINGLE_RESPONSE,
    MODE_START,
    MODE_TIME_NO_LIMIT,
    MODE_TIME_PERIOD,
    PERSON_ANY,
    SUPPORTS_PERSON_ID,
    SUPPORTS_SCOPE_ALL,
    SUPPORTS_SCOPE_CLASS,
    SUPPORTS_SCOPE_HANDLE,
    SUPPORTS_SINGLE_RESPONSE,
    SUPPORTS_STOP,
    SUPPORTS_TIME_NO_LIMIT,
    SUPPORTS_TIME_PERIOD,
    ActionType,
    DataRequest,
    DataRequestResult,
    DataResponse,
    HandleEntry,
)
from protocols.ieee11073.apdu.association import REQUEST_INIT_AGENT
from protocols.ieee11073.apdu.data import ActionArgument, ActionResult, EventReportArgument
from protocols.ieee11073.association.manager_events import DataFlowEnded, DataFlowStarted, DataRequestRefused
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.refusals import UNANSWERED, refusal, words
from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.association.service import Service
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.dim.channels import RELATIVE_TIME_S
from protocols.ieee11073.mder import decode, encode
from protocols.ieee11073.tolerances import Oddity

ACTION_RESPONSES = frozenset({MessageTag.ACTION_RESULT, MessageTag.ERROR, MessageTag.REJECT})
ID_MAX = 0xEFFF
"""Highest data-req-id of a manager; higher ones are the agent's or reserved."""
HANDLES_MAX = 1024
"""Limit of handles: the number of objects that a configuration may have."""
PERIOD_S_MAX = 0xFFFF_FFFE * RELATIVE_TIME_S
"""Longest time that a RelativeTime can express: six days and five hours."""
_LONG_PERIOD_S = 3600.0
"""Period of the default request for a device that supports only periods; the request is continued before the period
ends."""
_CONTINUE_AT = 0.75


class Reach(Enum):
    """Duration of a data request."""

    ONCE = "once"
    PERIOD = "period"
    ENDLESS = "endless"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataWanted:
    """Scope of a data request: all objects, those of one class, or some handles; of all persons or of one.

    `period_s` only for `Reach.PERIOD`, at most `PERIOD_S_MAX`. `object_class` and `handles` exclude each other.
    """

    reach: Reach = Reach.ENDLESS
    period_s: float = 0.0
    object_class: int | None = None
    handles: tuple[int, ...] = ()
    person: int | None = None

    @property
    def mode(self) -> int:
        """Return the bits of scope, reach and person."""
        return _SCOPES[self._scope][0] | _REACHES[self.reach][0] | (MODE_PERSON_ID if self.person is not None else 0)

    @property
    def needs(self) -> int:
        """Return the flags that a device must have to accept the request."""
        person = SUPPORTS_PERSON_ID if self.person is not None else 0
        return _SCOPES[self._scope][1] | _REACHES[self.reach][1] | person

    @property
    def _scope(self) -> str:
        return "handle" if self.handles else "all" if self.object_class is None else "class"


_SCOPES = {
    "all": (MODE_SCOPE_ALL, SUPPORTS_SCOPE_ALL),
    "class": (MODE_SCOPE_CLASS, SUPPORTS_SCOPE_CLASS),
    "handle": (MODE_SCOPE_HANDLE, SUPPORTS_SCOPE_HANDLE),
}
_REACHES = {
    Reach.ONCE: (MODE_SINGLE_RESPONSE, SUPPORTS_SINGLE_RESPONSE),
    Reach.PERIOD: (MODE_TIME_PERIOD, SUPPORTS_TIME_PERIOD),
    Reach.ENDLESS: (MODE_TIME_NO_LIMIT, SUPPORTS_TIME_NO_LIMIT),
}


@dataclass(slots=True)
class _Flow:
    wanted: DataWanted
    keeps: bool
    """True where it is continued automatically before its period ends."""
    started: bool = False
    ends_s: float | None = None
    due_s: float | None = None
    """Time of its end or of its next continuation."""


class DataRequests(Service):
    """Service with the commands `request`, `prolong` and `stop`."""

    def __init__(
        self,
        requests: Requests,
        settings: ManagerSettings,
        *,
        take_report: Callable[[int, bytes], None],
        reports_of: Callable[[int], int],
    ) -> None:
        """Create the service. `take_report` processes the report of a single response, given its event type and an APDU
        made for it, and raises `RemoteProtocolError` where it cannot be read; `reports_of` counts the reports of a
        data-req-id in this association."""
        super().__init__(requests)
        self._settings = settings
        self._take_report = take_report
        self._reports_of = reports_of
        self._flags = 0
        self._flows_max = 0
        self._flows: dict[int, _Flow] = {}
        self._last_id = 0

    def associate(self, flags: int, flows_max: int) -> None:
        """Store data-req-mode-flags and data-req-init-manager-count of the association request."""
        self._flags, self._flows_max = flags, flows_max

    @property
    def flows(self) -> dict[int, int]:
        """Return the number of reports so far, by the data-req-id of each running flow."""
        return {data_req_id: self._reports_of(data_req_id) for data_req_id, flow in self._flows.items() if flow.started}

    @property
    def deadline_s(self) -> float | None:
        return min((flow.due_s for flow in self._flows.values() if flow.due_s is not None), default=None)

    def begin(self) -> None:
        if not self._settings.request_data or self._flags & REQUEST_INIT_AGENT or not self._flows_max:
            return
        for wanted in (DataWanted(), DataWanted(reach=Reach.PERIOD, period_s=_LONG_PERIOD_S)):
            if not self._missing(wanted):
                self._request(wanted, keeps=True)
                return

    def end(self) -> None:
        self._flows.clear()
        self._flags = self._flows_max = 0

    def pass_time(self) -> None:
        now_s = self._requests.now_s
        for data_req_id, flow in list(self._flows.items()):
            if flow.due_s is None or flow.due_s > now_s:
                continue
            flow.due_s = flow.ends_s
            if flow.ends_s is not None and flow.ends_s <= now_s:
                self._end(data_req_id)
            else:
                self._prolong(data_req_id, flow)

    def request(self, wanted: DataWanted, *, now_s: float) -> int:
        """Request data and return the data-req-id. `DataFlowStarted` or `DataRequestRefused` follows; a flow ends with
        `DataFlowEnded`.

        Raises `LocalProtocolError` for a request that the device does not accept, for too many flows or handles, for a
        period that cannot be encoded, unless the association operates, and when too many requests are queued.
        """
        self._requests.set_now(now_s)
        if missing := self._missing(wanted):
            raise LocalProtocolError(f"the device does not take such a data request (mode flags 0x{missing:04x})")
        if len(self._flows) >= self._flows_max:
            raise LocalProtocolError(f"the device takes {self._flows_max} data requests at one time")
        if wanted.handles and wanted.object_class is not None:
            raise LocalProtocolError("a data request is for a class or for handles, not for both")
        if len(wanted.handles) > HANDLES_MAX:
            raise LocalProtocolError(f"a data request is for at most {HANDLES_MAX} handles")
        if wanted.reach is Reach.PERIOD and not 0 < wanted.period_s <= PERIOD_S_MAX:
            raise LocalProtocolError(f"a data request is for more than 0 and at most {PERIOD_S_MAX:.0f} seconds")
        return self._request(wanted, keeps=False)

    def prolong(self, data_req_id: int, *, now_s: float) -> None:
        """Continue a flow of limited time for the same time from now on. `DataRequestRefused` follows where the device
        refuses. Raises `LocalProtocolError` as `stop` does."""
        self._requests.set_now(now_s)
        flow = self._flow(data_req_id)
        if flow.wanted.reach is not Reach.PERIOD:
            raise LocalProtocolError(f"the flow of data request {data_req_id} has no limited time")
        self._prolong(data_req_id, flow)

    def stop(self, data_req_id: int, *, now_s: float) -> None:
        """Stop a flow. `DataFlowEnded` or `DataRequestRefused` follows.

        Raises `LocalProtocolError` for a flow that is not running, for a device that cannot stop, unless the
        association operates, and when too many requests are queued.
        """
        self._requests.set_now(now_s)
        flow = self._flow(data_req_id)
        if not self._flags & SUPPORTS_STOP:
            raise LocalProtocolError("the device does not take a stop")
        done = partial(self._take_response, data_req_id, self._end)
        self._send(data_req_id, flow.wanted.mode, flow.wanted, done)

    def _flow(self, data_req_id: int) -> _Flow:
        flow = self._flows.get(data_req_id)
        if flow is None or not flow.started:
            raise LocalProtocolError(f"no flow of data request {data_req_id} stands")
        return flow

    def _missing(self, wanted: DataWanted) -> int:
        return wanted.needs & ~self._flags

    def _request(self, wanted: DataWanted, *, keeps: bool) -> int:
        data_req_id = self._free_id()
        done = partial(self._take_response, data_req_id, self._started)
        self._send(data_req_id, MODE_START | wanted.mode, wanted, done)
        self._flows[data_req_id] = _Flow(wanted, keeps)
        return data_req_id

    def _free_id(self) -> int:
        """Return an unused data-req-id. E20 begins at 1; an id is reused only after all others."""
        while True:
            self._last_id = self._last_id % ID_MAX + 1
            if self._last_id not in self._flows:
                return self._last_id

    def _prolong(self, data_req_id: int, flow: _Flow) -> None:
        done = partial(self._take_response, data_req_id, self._started)
        mode = MODE_START | MODE_CONTINUATION | flow.wanted.mode
        self._send(data_req_id, mode, flow.wanted, done)

    def _send(self, data_req_id: int, mode: int, wanted: DataWanted, done: Callable[[Received], None]) -> None:
        period = round(wanted.period_s / RELATIVE_TIME_S) if wanted.reach is Reach.PERIOD else 0
        request = DataRequest(
            data_req_id=data_req_id,
            data_req_mode=mode,
            data_req_time=period,
            data_req_person_id=PERSON_ANY if wanted.person is None else wanted.person,
            data_req_class=wanted.object_class or 0,
            data_req_obj_handle_list=tuple(map(HandleEntry, wanted.handles)),
        )
        self._requests.enqueue(
            MessageTag.CONFIRMED_ACTION,
            ActionArgument(0, ActionType.DATA_REQUEST, encode(request)),
            answers=ACTION_RESPONSES,
            to_s=self._settings.to_action_s,
            done=done,
            overdue=partial(self._refused, data_req_id, UNANSWERED, b""),
        )

    def _take_response(self, data_req_id: int, go_on: Callable[[int], None], received: Received) -> None:
        result = received.body
        if not isinstance(result, ActionResult):
            self._refused(data_req_id, refusal(result) or "", received.octets)
            return
        try:
            response = decode(DataResponse, result.action_info_args)
            if response.data_req_result is not DataRequestResult.NO_ERROR:
                self._refused(data_req_id, words(response.data_req_result), received.octets)
                return
            if response.event_info:
                argument = EventReportArgument(0, response.rel_time_stamp, response.event_type, response.event_info)
                self._take_report(response.event_type, encode_data(0, MessageTag.EVENT_REPORT, argument))
        except RemoteProtocolError as error:
            self._requests.notes.add(
                Oddity.DATA_RESPONSE_UNREADABLE, received.octets, clause=error.clause, reason=error.reason
            )
            self._refused(data_req_id, "its answer cannot be read", b"")
            return
        go_on(data_req_id)

    def _started(self, data_req_id: int) -> None:
        """Process the acceptance of a request or a continuation."""
        flow = self._flows.get(data_req_id)
        if flow is None:
            return
        if not flow.started:
            flow.started = True
            self._requests.emit(DataFlowStarted(data_req_id))
        match flow.wanted.reach:
            case Reach.ONCE:
                self._end(data_req_id)
            case Reach.PERIOD:
                period_s = flow.wanted.period_s
                flow.ends_s = self._requests.now_s + period_s
                flow.due_s = self._requests.now_s + period_s * _CONTINUE_AT if flow.keeps else flow.ends_s
            case Reach.ENDLESS:
                pass

    def _refused(self, data_req_id: int, why: str, data: bytes) -> None:
        if data or why == UNANSWERED:
            self._requests.notes.add(Oddity.DATA_REQUEST_REFUSED, data, why=why)
        flow = self._flows.get(data_req_id)
        if flow is not None and not flow.started:
            del self._flows[data_req_id]
        self._requests.emit(DataRequestRefused(data_req_id, why))

    def _end(self, data_req_id: int) -> None:
        if self._flows.pop(data_req_id, None) is not None:
            self._requests.emit(DataFlowEnded(data_req_id, self._reports_of(data_req_id)))
