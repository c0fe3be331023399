"""The manager's data request, which has no time limit or is renewed for each period (reference 20601 §6 DataRequest).

Only a device that does not report by itself gets a request, for all its data. Where the device supports only requests
for a period, the request is continued before each period ends. The association request lists what the device accepts.
Reports for the request are event reports with the id of the request, and are processed like any others. The request
ends with the association.

UNCONFIRMED: whether a continuation repeats the other mode bits. Here a continuation repeats them, since a receiver
ignores these bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag, encode_data
from protocols.ieee11073.apdu.actions import (
    MODE_CONTINUATION,
    MODE_SCOPE_ALL,
    MODE_START,
    MODE_TIME_NO_LIMIT,
    MODE_TIME_PERIOD,
    PERSON_ANY,
    SUPPORTS_SCOPE_ALL,
    SUPPORTS_TIME_NO_LIMIT,
    SUPPORTS_TIME_PERIOD,
    ActionType,
    DataRequest,
    DataRequestResult,
    DataResponse,
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

DATA_REQ_ID = 1
"""data-req-id of the one request, as in example E20."""
_PERIOD_S = 3600.0
"""Period requested of a device that supports only periods; the request is continued before the period ends."""
_CONTINUE_AT = 0.75


@dataclass(slots=True)
class _Flow:
    mode: int
    """The bits of scope and duration."""
    period_s: float
    """0: without limit."""
    started: bool = False
    ends_s: float | None = None
    due_s: float | None = None
    """Time of its end or of its next continuation."""


class DataRequests(Service):
    """Service that requests the data of a device that does not report by itself."""

    def __init__(
        self,
        requests: Requests,
        settings: ManagerSettings,
        *,
        take_report: Callable[[int, bytes], None],
        reports_of: Callable[[int], int],
    ) -> None:
        """Create the service. `take_report(event_type, apdu)` processes a report from a response, wrapped in an APDU,
        and raises `RemoteProtocolError` for a malformed one. `reports_of(data_req_id)` returns the number of reports
        for a request in this association."""
        super().__init__(requests)
        self._settings = settings
        self._take_report = take_report
        self._reports_of = reports_of
        self._flags = 0
        self._flows_max = 0
        self._flow: _Flow | None = None

    def associate(self, flags: int, flows_max: int) -> None:
        """Store data-req-mode-flags and data-req-init-manager-count of the association request."""
        self._flags, self._flows_max = flags, flows_max

    @property
    def deadline_s(self) -> float | None:
        return None if self._flow is None else self._flow.due_s

    def begin(self) -> None:
        if not self._settings.request_data or self._flags & REQUEST_INIT_AGENT or not self._flows_max:
            return
        if not self._flags & SUPPORTS_SCOPE_ALL:
            return
        if self._flags & SUPPORTS_TIME_NO_LIMIT:
            self._flow = _Flow(MODE_SCOPE_ALL | MODE_TIME_NO_LIMIT, 0.0)
        elif self._flags & SUPPORTS_TIME_PERIOD:
            self._flow = _Flow(MODE_SCOPE_ALL | MODE_TIME_PERIOD, _PERIOD_S)
        if self._flow is not None:
            self._send(self._flow, MODE_START)

    def end(self) -> None:
        self._flow = None
        self._flags = self._flows_max = 0

    def pass_time(self) -> None:
        flow, now_s = self._flow, self._requests.now_s
        if flow is None or flow.due_s is None or flow.due_s > now_s:
            return
        if flow.ends_s is not None and flow.ends_s <= now_s:
            self._flow = None
            self._requests.emit(DataFlowEnded(DATA_REQ_ID, self._reports_of(DATA_REQ_ID)))
        else:
            flow.due_s = flow.ends_s
            self._send(flow, MODE_START | MODE_CONTINUATION)

    def _send(self, flow: _Flow, mode: int) -> None:
        request = DataRequest(
            data_req_id=DATA_REQ_ID,
            data_req_mode=mode | flow.mode,
            data_req_time=round(flow.period_s / RELATIVE_TIME_S),
            data_req_person_id=PERSON_ANY,
            data_req_class=0,
            data_req_obj_handle_list=(),
        )
        self._requests.enqueue(
            MessageTag.CONFIRMED_ACTION,
            ActionArgument(0, ActionType.DATA_REQUEST, encode(request)),
            to_s=self._settings.to_action_s,
            done=self._take_response,
            overdue=partial(self._refused, UNANSWERED, b""),
        )

    def _take_response(self, received: Received) -> None:
        result = received.body
        if not isinstance(result, ActionResult):
            self._refused(refusal(result) or "", received.octets)
            return
        try:
            response = decode(DataResponse, result.action_info_args)
            if response.data_req_result is not DataRequestResult.NO_ERROR:
                self._refused(words(response.data_req_result), received.octets)
                return
            if response.event_info:
                argument = EventReportArgument(0, response.rel_time_stamp, response.event_type, response.event_info)
                self._take_report(response.event_type, encode_data(0, MessageTag.EVENT_REPORT, argument))
        except RemoteProtocolError as error:
            self._requests.notes.add(
                Oddity.DATA_RESPONSE_UNREADABLE, received.octets, clause=error.clause, reason=error.reason
            )
            self._refused("its answer cannot be read", b"")
            return
        self._started()

    def _started(self) -> None:
        """Process a response that accepts the request or its continuation."""
        flow, now_s = self._flow, self._requests.now_s
        if flow is None:
            return
        if not flow.started:
            flow.started = True
            self._requests.emit(DataFlowStarted(DATA_REQ_ID))
        if flow.period_s:
            flow.ends_s, flow.due_s = now_s + flow.period_s, now_s + flow.period_s * _CONTINUE_AT

    def _refused(self, why: str, data: bytes) -> None:
        if data or why == UNANSWERED:
            self._requests.notes.add(Oddity.DATA_REQUEST_REFUSED, data, why=why)
        if self._flow is not None and not self._flow.started:
            self._flow = None
        self._requests.emit(DataRequestRefused(DATA_REQ_ID, why))
