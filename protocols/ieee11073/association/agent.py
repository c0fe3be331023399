"""The agent role of an association, for simulated devices and as a second implementation (reference 20601 §9.2).

The agent offers its configurations in order until the manager accepts one, and then reports, with one confirmed report
in flight at a time. The device keeps unacknowledged reports and resends them. Services respond to the manager's
requests.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag, encode_apdu
from protocols.ieee11073.apdu.association import (
    REQUEST_INIT_AGENT,
    Aare,
    Aarq,
    AbortReason,
    AssociateResult,
    ReleaseRequestReason,
    Rlrq,
)
from protocols.ieee11073.apdu.data import (
    DATA_REQUEST_AGENT_INITIATED,
    NO_RELATIVE_TIME,
    ConfigReportRsp,
    ConfigResult,
    ErrorResult,
    EventReportArgument,
    EventReportResult,
    EventType,
    RejectProblem,
    RejectResult,
)
from protocols.ieee11073.association import admission
from protocols.ieee11073.association.agent_events import ConfigurationRequested, ReportAccepted, ReportRefused
from protocols.ieee11073.association.agent_objects import Mds, MdsAttributes, Scanners
from protocols.ieee11073.association.agent_responses import Dispatcher, Response
from protocols.ieee11073.association.agent_service import AgentPort, AgentService
from protocols.ieee11073.association.agent_table import AGENT
from protocols.ieee11073.association.events import Associated, ConfigurationAgreed, Event, Rejected, RejectReason
from protocols.ieee11073.association.machine import Association
from protocols.ieee11073.association.received import CONFIRMED, Received
from protocols.ieee11073.association.requests import Request
from protocols.ieee11073.association.settings import AgentSettings
from protocols.ieee11073.association.states import Action, Input, Row, State
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.reports import ScanReport
from protocols.ieee11073.mder import decode, encode
from protocols.ieee11073.tolerances import Oddity

_REPORT_RESPONSES = frozenset({MessageTag.EVENT_REPORT_RESULT, MessageTag.ERROR, MessageTag.REJECT})
_REPORT_NUMBERS = 0x10000
_UNREADABLE_MAX = 32
_PENDING_MAX = 64
"""Limit of queued confirmed reports of services."""


class AgentAssociation(Association):
    """The agent's side of one connection, on which one association may follow another."""

    def __init__(
        self,
        *,
        system_id: bytes,
        configurations: Sequence[Configuration],
        mds_attributes: MdsAttributes = tuple,
        services: Sequence[AgentService] = (),
        relative_time: Callable[[], int] = lambda: NO_RELATIVE_TIME,
        settings: AgentSettings | None = None,
    ) -> None:
        """Create an agent that offers `configurations` (at least one) in order. `mds_attributes` is called at each Get
        of the MDS, `relative_time` for each report's event-time in units of 125 µs. Each of `services` belongs to one
        association at a time, and responds for objects other than the MDS and the scanners."""
        if not configurations:
            raise LocalProtocolError("an agent has a configuration")
        self._settings = settings or AgentSettings()
        super().__init__(AGENT, self._settings, malformed_max=_UNREADABLE_MAX)
        self._system_id = system_id
        self._configurations = tuple(configurations)
        self._scanners = Scanners(start_enabled=self._settings.scanners_start_enabled)
        self._services = (Mds(mds_attributes), self._scanners, *services)
        self._dispatcher = Dispatcher(self._services, self._notes)
        port = AgentPort(self._notes, self._emit, self._confirm, lambda: self._now_s)
        for service in self._services:
            service.port = port
        self._relative_time = relative_time
        self._offer = 0
        self._requests_sent = 0
        self._report_nos: dict[tuple[int, int], int] = {}
        self._pending: deque[Callable[[], None]] = deque()
        self._config_request: Request | None = None
        self._actions.update(
            {
                Action.SEND_AARQ: self._send_aarq,
                Action.REPEAT_AARQ: self._repeat_aarq,
                Action.SEND_AARE_REJECTED_PERMANENT: self._send_aare_rejected_permanent,
                Action.TAKE_ACCEPTANCE: self._take_acceptance,
                Action.TAKE_REJECTION: self._take_rejection,
                Action.SEND_CONFIG: self._send_config,
                Action.ACCEPT_CONFIG: self._accept_config,
                Action.REFUSE_CONFIG: self._refuse_config,
                Action.SEND_RLRQ_NO_MORE_CONFIGURATIONS: self._send_rlrq_no_more_configurations,
                Action.ANSWER_GET: self._respond_to_get,
                Action.ANSWER_REQUEST: self._respond_to_request,
                Action.REFUSE_OPERATION: self._refuse_operation,
                Action.TAKE_RESPONSE: self._take_response,
            }
        )

    @property
    def configuration(self) -> Configuration:
        """The configuration that is being offered, or that was agreed."""
        return self._configurations[self._offer]

    @property
    def can_confirm(self) -> bool:
        """True in Operating while no confirmed report is in flight."""
        return self.state is State.OPERATING and not self._requests

    def scanner_enabled(self, handle: int) -> bool:
        """Return whether the manager, or the setting `scanners_start_enabled`, has enabled this scanner."""
        return self._scanners.enabled(handle)

    def associate(self, now_s: float) -> list[Event]:
        """Request an association. Raises `LocalProtocolError` in any state but Unassociated."""
        if self.state is not State.UNASSOCIATED:
            raise LocalProtocolError(f"an agent in state {self.state.name} cannot associate")
        self._now_s = now_s
        self._offer = self._requests_sent = 0
        self._report_nos.clear()
        self._step(Input.REQ_ASSOCIATE)
        return self._taken()

    def reconfigure(self, configurations: Sequence[Configuration], now_s: float) -> list[Event]:
        """Replace the configurations to offer, and release a current association (configuration-changed)."""
        if not configurations:
            raise LocalProtocolError("an agent has a configuration")
        events = self.release(now_s, ReleaseRequestReason.CONFIGURATION_CHANGED)
        self._configurations, self._offer = tuple(configurations), 0
        return events

    def report(
        self,
        report: ScanReport,
        *,
        confirmed: bool,
        now_s: float,
        data_req_id: int = DATA_REQUEST_AGENT_INITIATED,
    ) -> int:
        """Send a report and return its invoke-id, which `ReportAccepted` or `ReportRefused` repeats. `data_req_id` is
        the id of the manager's data request, if the report belongs to one. Raises `LocalProtocolError` outside
        Operating, for a second confirmed report in flight, and for a scanner that is not enabled."""
        if self.state is not State.OPERATING:
            raise LocalProtocolError(f"an agent in state {self.state.name} cannot report")
        if confirmed and not self.can_confirm:
            raise LocalProtocolError("a confirmed report is under way")
        if report.handle and not self._scanners.enabled(report.handle):
            raise LocalProtocolError(f"scanner {report.handle} is not enabled")
        self._now_s = now_s
        flow = report.handle, data_req_id
        report_no = self._report_nos.get(flow, 0)
        info = data_req_id.to_bytes(2, "big") + report_no.to_bytes(2, "big") + report.observations
        argument = EventReportArgument(report.handle, self._relative_time(), report.event_type, info)
        if confirmed:
            done = partial(self._report_settled, report_no)
            to_s = self._scanners.confirm_timeout_s(report.handle) or self._settings.to_cer_s
            request = Request(_REPORT_RESPONSES, now_s + to_s, done)
            invoke_id = self._request(MessageTag.CONFIRMED_EVENT_REPORT, argument, request)
        else:
            invoke_id = self._invoke_id = (self._invoke_id + 1) % _REPORT_NUMBERS
            self._send_message(invoke_id, MessageTag.EVENT_REPORT, argument)
        self._report_nos[flow] = (report_no + 1) % _REPORT_NUMBERS
        return invoke_id

    def delivered(self, event: Event) -> None:
        """Do nothing: no event of an agent needs an acknowledgement. The method exists so that the same caller can
        drive an agent or a manager."""

    def refused(self, event: Event) -> None:
        """Do nothing: no event of an agent can be refused. The method exists so that the same caller can drive an agent
        or a manager."""

    def _end_association(self) -> None:
        super()._end_association()
        self._pending.clear()
        for service in self._services:
            service.end()

    # Association.

    def _input_of_aarq(self, aarq: Aarq) -> Input:
        return Input.RX_AARQ

    def _input_of_aare(self, aare: Aare) -> Input:
        match aare.result:
            case AssociateResult.ACCEPTED:
                return Input.RX_AARE_ACCEPTED
            case AssociateResult.ACCEPTED_UNKNOWN_CONFIG:
                return Input.RX_AARE_UNKNOWN_CONFIG
            case _:
                return Input.RX_AARE_REJECTED

    def _send_aarq(self, row: Row, received: Received) -> None:
        self._requests_sent += 1
        unasked = self._settings.reports_unasked
        modes, flows = REQUEST_INIT_AGENT if unasked else 0, 0
        for service in self._services:
            modes, flows = modes | service.request_modes, flows + service.manager_flows
        request_modes = admission.RequestModes(modes, int(unasked), flows)
        self._send(admission.request(self._system_id, self.configuration.config_id, request_modes))

    def _repeat_aarq(self, row: Row, received: Received) -> None:
        if self._requests_sent >= self._settings.associations_max:
            self._abort_now(AbortReason.RESPONSE_TIMEOUT, "no response to the association request")
            return
        self._start_state_timer()
        self._send_aarq(row, received)

    def _send_aare_rejected_permanent(self, row: Row, received: Received) -> None:
        self._send(admission.response(self._system_id, AssociateResult.REJECTED_PERMANENT))

    def _take_acceptance(self, row: Row, received: Received) -> None:
        assert isinstance(received.apdu, Aare)
        known = row.input is Input.RX_AARE_ACCEPTED
        config_id = self.configuration.config_id
        self._emit(Associated(admission.manager_id(received.apdu, self._notes), config_id, configuration_known=known))
        if known:
            self._agree()
        else:
            self._step(Input.CONFIG_LEFT)

    def _take_rejection(self, row: Row, received: Received) -> None:
        assert isinstance(received.apdu, Aare)
        known = {reason.value for reason in RejectReason}
        result = received.apdu.result
        self._emit(Rejected(RejectReason(result) if result in known else RejectReason.UNKNOWN))

    # Configuration.

    def _send_config(self, row: Row, received: Received) -> None:
        report = encode(self.configuration.report)
        argument = EventReportArgument(0, self._relative_time(), EventType.CONFIG, report)
        deadline_s = self._now_s + self._settings.to_config_s
        self._config_request = Request(_REPORT_RESPONSES, deadline_s, self._verdict_after_release)
        self._request(MessageTag.CONFIRMED_EVENT_REPORT, argument, self._config_request)
        self._emit(ConfigurationRequested(self.configuration.config_id))

    def _input_of_response(self, request: Request, received: Received) -> Input:
        if request is not self._config_request or not isinstance(received.body, EventReportResult):
            return Input.RX_RESPONSE_KNOWN
        try:
            verdict = decode(ConfigReportRsp, received.body.event_reply_info)
        except RemoteProtocolError as error:
            self._notes.add(Oddity.CONFIG_VERDICT_UNREADABLE, received.octets, clause=error.clause, reason=error.reason)
            return Input.RX_RESPONSE_KNOWN
        return Input.CONFIG_ACCEPTED if verdict.config_result is ConfigResult.ACCEPTED_CONFIG else Input.CONFIG_REFUSED

    def _accept_config(self, row: Row, received: Received) -> None:
        self._requests.clear()
        self._agree()

    def _agree(self) -> None:
        configuration = self.configuration
        channels = DeviceModel(configuration, self._notes).channels
        self._emit(ConfigurationAgreed(configuration.config_id, channels, configuration.encoded))
        for service in self._services:
            service.start(configuration)

    def _refuse_config(self, row: Row, received: Received) -> None:
        self._requests.clear()
        if self._offer + 1 < len(self._configurations):
            self._offer += 1
            self._step(Input.CONFIG_LEFT)
        else:
            self._step(Input.CONFIG_EXHAUSTED)

    def _send_rlrq_no_more_configurations(self, row: Row, received: Received) -> None:
        self._send(encode_apdu(Rlrq(ReleaseRequestReason.NO_MORE_CONFIGURATIONS)))

    # Operating.

    def _respond_to_get(self, row: Row, received: Received) -> None:
        """Respond to a Get during configuration, when only the MDS can be read."""
        self._send_response_of(received, self._dispatcher.respond_early(received.body))

    def _respond_to_request(self, row: Row, received: Received) -> None:
        self._send_response_of(received, self._dispatcher.respond(received, self.configuration))

    def _refuse_operation(self, row: Row, received: Received) -> None:
        self._reject(received, RejectProblem.UNRECOGNIZED_OPERATION)

    def _send_response_of(self, received: Received, response: Response) -> None:
        assert received.data is not None
        if response.body is not None and received.data.message in CONFIRMED:
            self._send_message(received.data.invoke_id, response.message, response.body)
        if response.then is not None:
            response.then()

    def _confirm(
        self, handle: int, event_type: EventType, info: bytes, *, to_s: float, done: Callable[[Received], None]
    ) -> None:
        if self.state is State.DISASSOCIATING:
            return  # a response that arrives during the release causes no further request
        if self.state is not State.OPERATING:
            raise LocalProtocolError(f"an agent in state {self.state.name} cannot report")
        if len(self._pending) >= _PENDING_MAX:
            raise LocalProtocolError(f"{_PENDING_MAX} reports wait already")

        def send() -> None:
            argument = EventReportArgument(handle, self._relative_time(), event_type, info)
            request = Request(_REPORT_RESPONSES, self._now_s + to_s, done)
            self._request(MessageTag.CONFIRMED_EVENT_REPORT, argument, request)

        self._pending.append(send)
        self._send_next()

    def _send_next(self) -> None:
        if self._pending and self.can_confirm:
            self._pending.popleft()()

    def _take_response(self, row: Row, received: Received) -> None:
        assert received.data is not None
        self._requests.pop(received.data.invoke_id).done(received)
        self._send_next()

    def _verdict_after_release(self, received: Received) -> None:
        """Ignore the manager's result for the configuration, since the association is being released."""

    def _report_settled(self, report_no: int, received: Received) -> None:
        assert received.data is not None
        invoke_id = received.data.invoke_id
        match received.body:
            case ErrorResult(error_value=error):
                self._emit(ReportRefused(invoke_id, report_no, error, rejected=False))
            case RejectResult(problem=problem):
                self._emit(ReportRefused(invoke_id, report_no, problem, rejected=True))
            case _:
                self._emit(ReportAccepted(invoke_id, report_no))
