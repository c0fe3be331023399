"""The agent's end of an association: what a simulated device does, and a second reader of every rule (§9.2).

It offers its configurations in order until the manager takes one, reports, and keeps one confirmed report under way
at a time: the next one goes out after the answer. What was not answered is the device's to keep and to send again.
Commands of the manager (Set, actions) are refused as not there, until «20601: complete».
"""

from collections.abc import Callable, Sequence
from functools import partial

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag, encode_apdu
from protocols.ieee11073.apdu.association import (
    Aare,
    Aarq,
    AbortReason,
    AssociateResult,
    ReleaseRequestReason,
    Rlrq,
)
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import (
    DATA_REQUEST_AGENT_INITIATED,
    NO_RELATIVE_TIME,
    ConfigReportRsp,
    ConfigResult,
    ErrorResult,
    ErrorValue,
    EventReportArgument,
    EventReportResult,
    EventType,
    GetArgument,
    GetResult,
    RejectProblem,
    RejectResult,
)
from protocols.ieee11073.association import admission
from protocols.ieee11073.association.agent_table import AGENT
from protocols.ieee11073.association.events import (
    Associated,
    ConfigurationAgreed,
    ConfigurationAsked,
    Event,
    Rejected,
    RejectReason,
    ReportAnswered,
    ReportRefused,
)
from protocols.ieee11073.association.machine import Association
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.requests import Request
from protocols.ieee11073.association.settings import AgentSettings
from protocols.ieee11073.association.states import Action, Input, Row, State
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.reports import ScanReport
from protocols.ieee11073.mder import decode, encode
from protocols.ieee11073.tolerances import Oddity

_REPORT_ANSWERS = frozenset({MessageTag.EVENT_REPORT_RESULT, MessageTag.ERROR, MessageTag.REJECT})
_REPORT_NUMBERS = 0x10000
_UNREADABLE_MAX = 32
MdsAttributes = Callable[[], Sequence[AvaType]]


class AgentAssociation(Association):
    """One device's end of a link. Starts unassociated; `associate` may be called again after an end."""

    def __init__(
        self,
        *,
        system_id: bytes,
        configurations: Sequence[Configuration],
        mds_attributes: MdsAttributes = tuple,
        settings: AgentSettings | None = None,
    ) -> None:
        """`configurations` in the order of the offers, at least one. `mds_attributes` is asked at each Get."""
        if not configurations:
            raise LocalProtocolError("an agent has a configuration")
        self._settings = settings or AgentSettings()
        super().__init__(AGENT, self._settings, malformed_max=_UNREADABLE_MAX)
        self._system_id = system_id
        self._configurations = tuple(configurations)
        self._mds_attributes = mds_attributes
        self._offer = 0
        self._requests_sent = 0
        self._report_nos: dict[int, int] = {}
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
                Action.ANSWER_GET: self._answer_get,
                Action.REFUSE_OPERATION: self._refuse_operation,
                Action.TAKE_RESPONSE: self._take_response,
            }
        )

    @property
    def configuration(self) -> Configuration:
        """The configuration on offer, or agreed."""
        return self._configurations[self._offer]

    @property
    def can_confirm(self) -> bool:
        """Whether a confirmed report may be sent now: operating, and none under way."""
        return self.state is State.OPERATING and not self._requests

    def associate(self, now_s: float) -> list[Event]:
        """Asks the manager for an association. Raises `LocalProtocolError` unless unassociated."""
        if self.state is not State.UNASSOCIATED:
            raise LocalProtocolError(f"an agent in state {self.state.name} cannot associate")
        self._now_s = now_s
        self._offer = self._requests_sent = 0
        self._report_nos.clear()
        self._step(Input.REQ_ASSOCIATE)
        return self._taken()

    def report(self, report: ScanReport, *, confirmed: bool, now_s: float) -> int:
        """Sends a report and returns its invoke-id, which `ReportAnswered` or `ReportRefused` repeats.

        Raises `LocalProtocolError` outside Operating and while another confirmed report is under way.
        """
        if self.state is not State.OPERATING:
            raise LocalProtocolError(f"an agent in state {self.state.name} cannot report")
        if confirmed and not self.can_confirm:
            raise LocalProtocolError("a confirmed report is under way")
        self._now_s = now_s
        report_no = self._report_nos.get(report.handle, 0)
        info = DATA_REQUEST_AGENT_INITIATED.to_bytes(2, "big") + report_no.to_bytes(2, "big") + report.observations
        argument = EventReportArgument(report.handle, NO_RELATIVE_TIME, report.event_type, info)
        if confirmed:
            done = partial(self._report_settled, report_no)
            request = Request(_REPORT_ANSWERS, now_s + self._settings.to_cer_s, done)
            invoke_id = self._request(MessageTag.CONFIRMED_EVENT_REPORT, argument, request)
        else:
            invoke_id = self._invoke_id = (self._invoke_id + 1) % _REPORT_NUMBERS
            self._send_message(invoke_id, MessageTag.EVENT_REPORT, argument)
        self._report_nos[report.handle] = (report_no + 1) % _REPORT_NUMBERS
        return invoke_id

    def delivered(self, event: Event) -> None:
        """Nothing of an agent's events waits to be answered; here so that a pump drives either role."""

    def refused(self, event: Event) -> None:
        """As `delivered`."""

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
        self._send(admission.request(self._system_id, self.configuration.config_id))

    def _repeat_aarq(self, row: Row, received: Received) -> None:
        if self._requests_sent >= self._settings.associations_max:
            self._abort_now(AbortReason.RESPONSE_TIMEOUT, "no answer to the association request")
            return
        self._start_state_timer()
        self._send_aarq(row, received)

    def _send_aare_rejected_permanent(self, row: Row, received: Received) -> None:
        self._send(admission.response(self._system_id, AssociateResult.REJECTED_PERMANENT))

    def _take_acceptance(self, row: Row, received: Received) -> None:
        assert isinstance(received.apdu, Aare)
        known = row.input is Input.RX_AARE_ACCEPTED
        config_id = self.configuration.config_id
        self._tell(Associated(admission.manager_id(received.apdu, self._notes), config_id, configuration_known=known))
        if known:
            self._agree()
        else:
            self._step(Input.CONFIG_LEFT)

    def _take_rejection(self, row: Row, received: Received) -> None:
        assert isinstance(received.apdu, Aare)
        known = {reason.value for reason in RejectReason}
        result = received.apdu.result
        self._tell(Rejected(RejectReason(result) if result in known else RejectReason.UNKNOWN))

    # Configuration.

    def _send_config(self, row: Row, received: Received) -> None:
        report = encode(self.configuration.report)
        argument = EventReportArgument(0, NO_RELATIVE_TIME, EventType.CONFIG, report)
        deadline_s = self._now_s + self._settings.to_config_s
        self._config_request = Request(_REPORT_ANSWERS, deadline_s, self._verdict_after_release)
        self._request(MessageTag.CONFIRMED_EVENT_REPORT, argument, self._config_request)
        self._tell(ConfigurationAsked(self.configuration.config_id))

    def _input_of_response(self, request: Request, received: Received) -> Input:
        if request is not self._config_request or not isinstance(received.body, EventReportResult):
            return Input.RX_RESPONSE_KNOWN
        try:
            verdict = decode(ConfigReportRsp, received.body.event_reply_info)
        except RemoteProtocolError as error:
            self._notes.met(Oddity.CONFIG_VERDICT_UNREADABLE, received.octets, clause=error.clause, reason=error.reason)
            return Input.RX_RESPONSE_KNOWN
        return Input.CONFIG_ACCEPTED if verdict.config_result is ConfigResult.ACCEPTED_CONFIG else Input.CONFIG_REFUSED

    def _accept_config(self, row: Row, received: Received) -> None:
        self._requests.clear()
        self._agree()

    def _agree(self) -> None:
        configuration = self.configuration
        channels = DeviceModel(configuration, self._notes).channels
        self._tell(ConfigurationAgreed(configuration.config_id, channels, configuration.octets))

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

    def _answer_get(self, row: Row, received: Received) -> None:
        assert received.data is not None
        asked: GetArgument = received.body
        if asked.obj_handle != 0:
            self._refuse(received, ErrorValue.NO_SUCH_OBJECT_INSTANCE)
            return
        ids = {entry.attribute_id for entry in asked.attribute_id_list}
        attributes = tuple(item for item in self._mds_attributes() if not ids or item.attribute_id in ids)
        self._send_message(received.data.invoke_id, MessageTag.GET_RESULT, GetResult(0, attributes))

    def _refuse_operation(self, row: Row, received: Received) -> None:
        assert received.data is not None
        match received.data.message:
            case MessageTag.CONFIRMED_ACTION if received.body.obj_handle == 0:
                self._refuse(received, ErrorValue.NO_SUCH_ACTION)
            case MessageTag.CONFIRMED_ACTION | MessageTag.CONFIRMED_SET:
                known = any(item.obj_handle == received.body.obj_handle for item in self.configuration.objects)
                error = ErrorValue.INVALID_OBJECT_INSTANCE if known else ErrorValue.NO_SUCH_OBJECT_INSTANCE
                self._refuse(received, error)
            case _:
                self._reject(received, RejectProblem.UNRECOGNIZED_OPERATION)

    def _take_response(self, row: Row, received: Received) -> None:
        assert received.data is not None
        self._requests.pop(received.data.invoke_id).done(received)

    def _verdict_after_release(self, received: Received) -> None:
        """We are leaving: whether the manager would have taken the configuration decides nothing any more."""

    def _report_settled(self, report_no: int, received: Received) -> None:
        assert received.data is not None
        invoke_id = received.data.invoke_id
        match received.body:
            case ErrorResult(error_value=error):
                self._tell(ReportRefused(invoke_id, report_no, error, rejected=False))
            case RejectResult(problem=problem):
                self._tell(ReportRefused(invoke_id, report_no, problem, rejected=True))
            case _:
                self._tell(ReportAnswered(invoke_id, report_no))
