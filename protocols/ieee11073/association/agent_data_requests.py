"""Data requests in an agent: a single response, or reports for a period (reference 20601 §6, examples E20 and E21).

A request names all objects, a class or handles, and may name one person. A single response contains the report. Any
other request starts a flow (a series of reports with the request's id), which ends after its time or when the manager
stops it. The device reads `flows` after each measurement; no timer runs here. An unsupported request is refused with
the standard's result.

The reference defines no time for a continuation. Here a continuation restarts the time of a flow with a time limit.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from math import inf

from protocols.ieee11073.apdu import actions
from protocols.ieee11073.apdu.actions import ActionType, DataRequest, DataRequestResult, DataResponse
from protocols.ieee11073.apdu.data import NO_RELATIVE_TIME, EventType
from protocols.ieee11073.association.agent_service import Acted, AgentService, Refusal
from protocols.ieee11073.dim.channels import RELATIVE_TIME_S
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import ScanReport
from protocols.ieee11073.mder import decode, encode

REQUEST_IDS_MAX = 0xEFFF
"""Higher ones are reserved, or mark flows that the agent started."""

_MDS = 0
_Result = DataRequestResult
_SCOPES = {
    actions.MODE_SCOPE_ALL: (actions.SUPPORTS_SCOPE_ALL, _Result.NO_SCOPE_ALL_SUPPORT),
    actions.MODE_SCOPE_CLASS: (actions.SUPPORTS_SCOPE_CLASS, _Result.NO_SCOPE_CLASS_SUPPORT),
    actions.MODE_SCOPE_HANDLE: (actions.SUPPORTS_SCOPE_HANDLE, _Result.NO_SCOPE_HANDLE_SUPPORT),
}
_MODES = {
    actions.MODE_SINGLE_RESPONSE: (actions.SUPPORTS_SINGLE_RESPONSE, _Result.NO_SINGLE_RESPONSE_SUPPORT),
    actions.MODE_TIME_PERIOD: (actions.SUPPORTS_TIME_PERIOD, _Result.NO_TIME_PERIOD_SUPPORT),
    actions.MODE_TIME_NO_LIMIT: (actions.SUPPORTS_TIME_NO_LIMIT, _Result.NO_TIME_NO_LIMIT_SUPPORT),
}


@dataclass(frozen=True, slots=True)
class DataScope:
    """Objects and person that a data request covers. `handles` None: all objects; `person_id` None: any person."""

    handles: frozenset[int] | None
    person_id: int | None

    def covers(self, handle: int, person_id: int | None = None) -> bool:
        """Return whether the data request covers values of the object `handle` and the person `person_id`. `person_id`
        None: the values have no person."""
        if self.person_id is not None and person_id != self.person_id:
            return False
        return self.handles is None or handle in self.handles


@dataclass(frozen=True, slots=True)
class Flow:
    """An active data request. It ends at the monotonic time `until_s`; infinity: no limit."""

    data_req_id: int
    scope: DataScope
    until_s: float


Current = Callable[[DataScope], ScanReport | None]
"""Returns the last measurements within a scope; None where there are none at the moment."""


class ServedRequests(AgentService):
    """Service for data requests, at most `flows_max` at a time. `current` returns a report of the last measurements;
    `supports` are `SUPPORTS_…` bits; `persons` are the device's person ids (PERSON_ID support needs at least one)."""

    def __init__(
        self,
        current: Current,
        *,
        supports: int,
        persons: Collection[int] = (),
        flows_max: int = 1,
        continuation: bool = True,
        relative_time: Callable[[], int] = lambda: NO_RELATIVE_TIME,
    ) -> None:
        self.request_modes = supports
        self.manager_flows = flows_max
        self._current = current
        self._persons = frozenset(persons)
        self._continuation = continuation
        self._relative_time = relative_time
        self._configuration: Configuration | None = None
        self._flows: dict[int, Flow] = {}

    def flows(self, now_s: float) -> tuple[Flow, ...]:
        """Return the data requests active at `now_s`. For each of them the device sends a separate report of the
        measurements in the request's scope."""
        self._flows = {number: flow for number, flow in self._flows.items() if now_s < flow.until_s}
        return tuple(self._flows.values())

    def start(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def end(self) -> None:
        self._flows.clear()
        self._configuration = None

    def act(self, handle: int, action_type: int, args: bytes) -> Acted | Refusal | None:
        if handle != _MDS or action_type != ActionType.DATA_REQUEST:
            return None
        request = decode(DataRequest, args)
        self.flows(self.port.now_s)
        response = self._respond(request)
        if isinstance(response, _Result):
            return self._response(response)
        info = request.data_req_id.to_bytes(2, "big") + bytes(2) + response.observations
        return self._response(_Result.NO_ERROR, response.event_type, info)

    def _response(self, result: DataRequestResult, event_type: int = 0, info: bytes = b"") -> Acted:
        return Acted(encode(DataResponse(self._relative_time(), result, EventType(event_type), info)))

    def _respond(self, request: DataRequest) -> DataRequestResult | ScanReport:
        """Return the report if the request is accepted and has a single response, otherwise the result code."""
        mode, number = request.data_req_mode, request.data_req_id
        if mode & actions.MODE_CONTINUATION:
            return self._continue(request)
        if not mode & actions.MODE_START:
            if not self.request_modes & actions.SUPPORTS_STOP:
                return _Result.NO_STOP_SUPPORT
            return _Result.INVALID_REQUEST_ID if self._flows.pop(number, None) is None else _Result.NO_ERROR
        if number > REQUEST_IDS_MAX or number in self._flows:
            return _Result.INVALID_REQUEST_ID
        unsupported = self._unsupported(mode)
        if unsupported is not None:
            return unsupported
        scope = self._scope(request)
        if isinstance(scope, _Result):
            return scope
        if mode & actions.MODE_SINGLE_RESPONSE:
            return self._current(scope) or _Result.UNSPECIFIC_ERROR
        if len(self._flows) >= self.manager_flows:
            return _Result.TOO_MANY_MANAGER_FLOWS
        self._flows[number] = Flow(number, scope, self._until_s(request))
        return _Result.NO_ERROR

    def _continue(self, request: DataRequest) -> DataRequestResult:
        if not self._continuation:
            return _Result.CONTINUATION_NOT_SUPPORTED
        flow = self._flows.get(request.data_req_id)
        if flow is None:
            return _Result.INVALID_REQUEST_ID
        if flow.until_s != inf:
            self._flows[flow.data_req_id] = replace(flow, until_s=self._end_s(request))
        return _Result.NO_ERROR

    def _until_s(self, request: DataRequest) -> float:
        return self._end_s(request) if request.data_req_mode & actions.MODE_TIME_PERIOD else inf

    def _end_s(self, request: DataRequest) -> float:
        return self.port.now_s + request.data_req_time * RELATIVE_TIME_S

    def _unsupported(self, mode: int) -> DataRequestResult | None:
        """Return the refusal of an unsupported mode, or None. A mode has exactly one scope bit and one duration bit."""
        for choices, combined in (
            (_SCOPES, _Result.UNSUPPORTED_SCOPE_COMBINATION),
            (_MODES, _Result.UNSUPPORTED_MODE_COMBINATION),
        ):
            chosen = [choices[bit] for bit in choices if mode & bit]
            if len(chosen) != 1:
                return combined
            needed, lacking = chosen[0]
            if not self.request_modes & needed:
                return lacking
        if mode & actions.MODE_PERSON_ID and not self.request_modes & actions.SUPPORTS_PERSON_ID:
            return _Result.NO_PERSON_ID_SUPPORT
        return None

    def _scope(self, request: DataRequest) -> DataScope | DataRequestResult:
        assert self._configuration is not None
        classes = {item.obj_handle: item.obj_class for item in self._configuration.objects}
        mode, handles = request.data_req_mode, None
        if mode & actions.MODE_SCOPE_CLASS:
            handles = frozenset(handle for handle in classes if classes[handle] == request.data_req_class)
            if not handles:
                return _Result.UNKNOWN_CLASS
        elif mode & actions.MODE_SCOPE_HANDLE:
            handles = frozenset(entry.obj_handle for entry in request.data_req_obj_handle_list)
            if not handles or not handles <= classes.keys():
                return _Result.UNKNOWN_HANDLE
        person = request.data_req_person_id if mode & actions.MODE_PERSON_ID else actions.PERSON_ANY
        if person == actions.PERSON_ANY:
            return DataScope(handles, None)
        return DataScope(handles, person) if person in self._persons else _Result.UNKNOWN_PERSON_ID
