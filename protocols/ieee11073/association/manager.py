"""The manager role of an association: the actions of its state table (reference 20601 §9.1).

The response to a confirmed report is sent only after the caller has called `delivered`. After `refused` the response is
RORJ resource-limitation, so that the device keeps the report. Services send the manager's own requests (identity,
clock, scanners, data, PM-stores); this module creates and connects them.
"""

from itertools import count

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.association import Aare, Aarq, AbortReason, AssociateResult
from protocols.ieee11073.apdu.data import (
    ConfigReportRsp,
    ConfigResult,
    ErrorValue,
    EventReportArgument,
    EventReportResult,
    EventType,
    RejectProblem,
)
from protocols.ieee11073.association.admission import SYSTEM_ID_BYTES, Applicant, judge, response
from protocols.ieee11073.association.clock_setting import ClockSetting
from protocols.ieee11073.association.configurations import ConfigurationStore
from protocols.ieee11073.association.configuring import Configuring
from protocols.ieee11073.association.data_requests import DataRequests
from protocols.ieee11073.association.events import Associated, ConfigurationAgreed, Event, Rejected, RejectReason
from protocols.ieee11073.association.fetched_segments import FetchedSegments, RememberedSegments
from protocols.ieee11073.association.machine import Association, Handler, do_nothing
from protocols.ieee11073.association.manager_events import MdsChanged, MdsRead, NotTaken, ReportNotTaken, ReportReceived
from protocols.ieee11073.association.manager_table import MANAGER
from protocols.ieee11073.association.mds_reading import MdsReading
from protocols.ieee11073.association.pm_stores import PmStores
from protocols.ieee11073.association.received import CONFIRMED, Received
from protocols.ieee11073.association.report_intake import ReportIntake
from protocols.ieee11073.association.report_responses import OwedResponses
from protocols.ieee11073.association.requests import Request, Requests
from protocols.ieee11073.association.scanners import Scanners
from protocols.ieee11073.association.segment_events import SegmentDataReceived
from protocols.ieee11073.association.service import Service
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import Action, Input, Row, State
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.identity import DeviceIdentity
from protocols.ieee11073.dim.report_plan import SCAN_REPORTS, DoesNotFit, NoObjectKnown, NoWholeValue
from protocols.ieee11073.mder import encode
from protocols.ieee11073.tolerances import Oddity

_OPERATING = State.OPERATING
"""Used on the path of every report: in Python 3.11, looking up an enumeration member takes as long as three calls."""


class ManagerAssociation(Association):
    """The manager's side of one connection, on which one association may follow another."""

    def __init__(
        self,
        *,
        system_id: bytes,
        configurations: ConfigurationStore,
        settings: ManagerSettings | None = None,
        fetched: FetchedSegments | None = None,
    ) -> None:
        """Create a manager with the EUI-64 `system_id`. `fetched` is the record of the PM-store segments that are
        already durable."""
        if len(system_id) != SYSTEM_ID_BYTES:
            raise LocalProtocolError("a system id has eight bytes")
        self._settings = settings or ManagerSettings()
        super().__init__(
            MANAGER,
            self._settings,
            malformed_max=self._settings.malformed_max,
            resynchronise=self._settings.resynchronise,
        )
        self._system_id = system_id
        self._configuring = Configuring(configurations, self._settings, self._notes)
        self._applicant: Applicant | None = None
        self._configuration: Configuration | None = None
        self._reject_result = AssociateResult.REJECTED_UNKNOWN
        self._intake: ReportIntake | None = None
        self._owed: dict[int, OwedResponses] = {}
        self._tickets = count(1)
        self._peer = Requests(
            send=self._request,
            emit=self._emit,
            now_s=lambda: self._now_s,
            set_now=self._set_now,
            operating=lambda: self.state is State.OPERATING,
            notes=self._notes,
        )
        self.mds_reading = MdsReading(self._peer, self._settings.to_get_s, self._identified)
        self.clock_setting = ClockSetting(self._peer, self._settings)
        self.scanners = Scanners(self._peer, self._settings, self._reports_of_handle)
        self.data_requests = DataRequests(
            self._peer, self._settings, take_report=self._take_inline_report, reports_of=self._reports_of_request
        )
        self.pm_stores = PmStores(
            self._peer,
            self._settings.memory,
            fetched or RememberedSegments(),
            system_id=self._device_id,
            to_get_s=self._settings.to_get_s,
            tickets=self._tickets,
            answer=self._respond_to_entries,
        )
        self._mds_event: MdsRead | None = None
        """The identity that was emitted and not acknowledged; after the acknowledgement the services begin."""
        self._services: tuple[Service, ...] = (
            self.mds_reading,
            self.clock_setting,
            self.scanners,
            self.data_requests,
            self.pm_stores,
        )
        """Services in the order of their requests."""
        self._actions.update(self._actions_of_manager())

    def _actions_of_manager(self) -> dict[Action, Handler]:
        return {
            Action.SEND_AARE_ACCEPTED: self._send_aare_accepted,
            Action.SEND_AARE_UNKNOWN_CONFIG: self._send_aare_unknown_config,
            Action.SEND_AARE_REJECTED: self._send_aare_rejected,
            Action.EVALUATE_CONFIG: self._evaluate_config,
            Action.ACCEPT_CONFIG: do_nothing,
            Action.REFUSE_CONFIG: do_nothing,
            Action.REJECT_CONFIG_APDU: self._reject_config_apdu,
            Action.TAKE_REPORT: self._take_report,
            Action.REFUSE_OPERATION: self._refuse_operation,
            Action.TAKE_RESPONSE: self._take_response,
        }

    def _set_now(self, now_s: float) -> None:
        self._now_s = now_s

    @property
    def device(self) -> DeviceIdentity | None:
        """Device of the current or the last association; before its MDS is read, only its system id is known."""
        return self.mds_reading.device

    @property
    def deadline_s(self) -> float | None:
        due = [super().deadline_s]
        if self.state is State.OPERATING:  # during a release, services have no timers
            due += [service.deadline_s for service in self._services]
        return min((each for each in due if each is not None), default=None)

    def receive(self, data: bytes, now_s: float) -> list[Event]:
        """Process received bytes, which may begin and end anywhere in the stream, and return the events. A read of
        exactly one report with a recent layout bypasses the stream and the state table."""
        intake = self._intake
        if (
            intake is not None
            and self.state is _OPERATING
            and self._apdu_deadline_s is None  # the stream holds no partial APDU
            and not self._notes.pending
            and (report := intake.take_single(data, now_s)) is not None
        ):
            self._now_s = now_s
            return [report]
        return super().receive(data, now_s)

    def expire(self, now_s: float) -> list[Event]:
        self._now_s = now_s
        if self.state is State.OPERATING:
            for service in self._services:
                service.pass_time()
        return super().expire(now_s)

    # Acknowledgement of events by the caller.

    def delivered(self, event: Event) -> None:
        """Acknowledge an event that the caller has stored durably: send the responses to the reports in the event. For
        the event `MdsRead`, begin the services instead. A repeated call has no effect."""
        if isinstance(event, ReportReceived):
            owed = self._owed.pop(event.ticket, None)
            if owed is not None:
                self._send_response(event.ticket, owed.accept())
        elif isinstance(event, SegmentDataReceived):
            self.pm_stores.settle(event, durable=True)
        elif event is self._mds_event:
            self._begin()

    def refused(self, event: Event) -> None:
        """Process an event that the caller could not store. Scan reports are rejected (RORJ resource-limitation) and
        segment entries are not confirmed, so that the device keeps them. The event `MdsRead` begins the services, as in
        `delivered`."""
        if isinstance(event, ReportReceived):
            owed = self._owed.pop(event.ticket, None)
            if owed is not None:
                self._send_response(event.ticket, owed.reject())
        elif isinstance(event, SegmentDataReceived):
            self.pm_stores.settle(event, durable=False)
        elif event is self._mds_event:
            self._begin()

    def _device_id(self) -> bytes:
        assert self._applicant is not None
        return self._applicant.system_id

    def _respond_to_entries(self, ticket: int, invoke_id: int, message: MessageTag, body: object) -> None:
        self._send_response(ticket, self._encoded(invoke_id, message, body))

    def _owed_tickets(self) -> set[int]:
        return set(self._owed) | self.pm_stores.owed_tickets

    def _forget_responses(self) -> None:
        super()._forget_responses()
        self._owed.clear()
        self.pm_stores.forget_responses()

    def _end_association(self) -> None:
        super()._end_association()
        self._intake = None
        self._applicant = None
        self._configuring.forget()
        self._mds_event = None
        self._peer.forget()
        for service in self._services:
            service.end()

    # Association.

    def _input_of_aarq(self, aarq: Aarq) -> Input:
        if self.state is not State.UNASSOCIATED:
            return Input.RX_AARQ
        applicant = judge(aarq, self._notes)
        if not isinstance(applicant, Applicant):
            self._reject_result = applicant
            return Input.RX_AARQ_UNACCEPTABLE
        self._applicant = applicant
        self.mds_reading.associate(applicant.system_id)
        self.data_requests.associate(applicant.data_req_mode_flags, applicant.manager_flows)
        self._configuration = self._configuring.find(applicant)
        return Input.RX_AARQ_UNKNOWN_CONFIG if self._configuration is None else Input.RX_AARQ_KNOWN_CONFIG

    def _send_aare_accepted(self, row: Row, received: Received) -> None:
        assert self._applicant is not None
        assert self._configuration is not None
        self._send(response(self._system_id, AssociateResult.ACCEPTED))
        self._emit(Associated(self._applicant.system_id, self._applicant.config_id, configuration_known=True))
        self._operate(self._configuration, learned=False)

    def _send_aare_unknown_config(self, row: Row, received: Received) -> None:
        assert self._applicant is not None
        self._send(response(self._system_id, AssociateResult.ACCEPTED_UNKNOWN_CONFIG))
        self._emit(Associated(self._applicant.system_id, self._applicant.config_id, configuration_known=False))

    def _send_aare_rejected(self, row: Row, received: Received) -> None:
        self._send(response(self._system_id, self._reject_result))
        self._emit(Rejected(RejectReason(self._reject_result)))

    # Configuration.

    def _evaluate_config(self, row: Row, received: Received) -> None:
        """Accept or refuse a configuration report and send the result to the device. The table's rows 7.x only set the
        next state."""
        assert received.data is not None
        body: EventReportArgument = received.body
        assert self._applicant is not None
        try:
            verdict = self._configuring.judge(body.event_info, self._applicant, received.octets)
        except RemoteProtocolError as error:
            self._notes.add(Oddity.CONFIG_UNREADABLE, received.octets, clause=error.clause, reason=error.reason)
            self._step(Input.CONFIG_UNREADABLE, received)
            return
        self._respond_to_config(received, verdict.configuration.config_id, verdict.result)
        if verdict.result is ConfigResult.ACCEPTED_CONFIG:
            self._step(Input.CONFIG_ACCEPTED, received)
            self._operate(verdict.configuration, learned=verdict.learned)
        else:
            self._step(Input.CONFIG_REFUSED, received)
            self._bound_offers()

    def _respond_to_config(self, received: Received, config_id: int, result: ConfigResult) -> None:
        assert received.data is not None
        verdict = encode(ConfigReportRsp(config_id, result))
        answer = EventReportResult(0, 0, EventType.CONFIG, verdict)
        self._send_message(received.data.invoke_id, MessageTag.EVENT_REPORT_RESULT, answer)

    def _reject_config_apdu(self, row: Row, received: Received) -> None:
        self._reject(received, RejectProblem.BADLY_STRUCTURED_APDU)
        self._bound_offers()

    def _bound_offers(self) -> None:
        why = self._configuring.check_offers()
        if why:
            self._why = why
            self._abort_reason = AbortReason.UNDEFINED
            self._step(Input.CONFIG_ONCE_TOO_OFTEN)

    def _operate(self, configuration: Configuration, *, learned: bool) -> None:
        """Enter operation: reports can be decoded from now on, and the services start."""
        assert self._applicant is not None
        if learned:
            self._configuring.learn(self._applicant.system_id, configuration)
        self._intake = ReportIntake(configuration, self._notes, self._tickets, self._owed)
        self._emit(ConfigurationAgreed(configuration.config_id, self._intake.channels, configuration.encoded, learned))
        for service in self._services:
            service.start(configuration)

    def _identified(self, identity: DeviceIdentity) -> None:
        if self._intake is not None:
            self._intake.learn_identity(identity)
        for service in self._services:
            service.learn_identity(identity)
        self.clock_setting.read_with_mds(identity.attributes, self.mds_reading.asked_s)
        self._mds_event = self.mds_reading.event
        if self._mds_event is None:
            self._begin()

    def _begin(self) -> None:
        self._mds_event = None
        if self.state is State.OPERATING:
            for service in self._services:
                service.begin()

    def _input_of_aare(self, aare: Aare) -> Input:
        return Input.RX_AARE

    def _input_of_response(self, request: Request, received: Received) -> Input:
        return Input.RX_RESPONSE_KNOWN

    def _take_response(self, row: Row, received: Received) -> None:
        assert received.data is not None
        self._requests.pop(received.data.invoke_id).done(received)

    # Reports.

    def _receive_known_layout(self) -> bool:
        if self._intake is None or self.state is not _OPERATING:
            return False
        data, events = self._intake.take_known(self._stream.front(), self._now_s)
        if not data:
            return False
        self._stream.skip(data)
        self._emit_reports(events)
        return True

    def _take_report(self, row: Row, received: Received) -> None:
        assert self._intake is not None
        report: EventReportArgument = received.body
        if not self._intake.has(report.obj_handle):
            self._notes.add(Oddity.REPORT_OF_NO_OBJECT, received.octets, handle=report.obj_handle)
            if not self._reconfigure(received):
                self._pass_over(received, NotTaken.NO_OBJECT)
                self._refuse(received, ErrorValue.NO_SUCH_OBJECT_INSTANCE)
            return
        if report.event_type == EventType.SEGMENT_DATA and self.pm_stores.has(report.obj_handle):
            self._take_entries(row, received)
            return
        if report.event_type not in SCAN_REPORTS:
            self._notes.add(Oddity.REPORT_TYPE, received.octets, event_type=int(report.event_type))
            self._pass_over(received, NotTaken.EVENT_TYPE)
            self._reject(received, RejectProblem.UNRECOGNIZED_OPERATION)
            return
        try:
            events = self._intake.take_new(received.octets, self._now_s, exact=self._configuring.remembered)
        except RemoteProtocolError as error:
            self._not_taken(row, received, error)
            return
        self._emit_reports(events)

    def _take_entries(self, row: Row, received: Received) -> None:
        try:
            self.pm_stores.receive(received)
        except RemoteProtocolError as error:
            self._notes.add(Oddity.MESSAGE_UNREADABLE, received.octets, clause=error.clause, reason=error.reason)
            self._refuse_unreadable(row, received)

    def _not_taken(self, row: Row, received: Received, error: RemoteProtocolError) -> None:
        if isinstance(error, NoWholeValue):  # any configuration would find it empty
            self._pass_over(received, NotTaken.NO_VALUE)
            self._reject(received, RejectProblem.BADLY_STRUCTURED_APDU)
            return
        if self._reconfigure(received):
            return
        if isinstance(error, DoesNotFit):
            self._take_report(row, received)  # the device always reports so: its reports are read as far as possible
        elif isinstance(error, NoObjectKnown):
            self._pass_over(received, NotTaken.NO_OBJECT)
            self._refuse(received, ErrorValue.NO_SUCH_OBJECT_INSTANCE)
        else:
            self._pass_over(received, NotTaken.UNREADABLE)
            self._notes.add(Oddity.REPORT_UNREADABLE, received.octets, clause=error.clause, reason=error.reason)
            self._refuse_unreadable(row, received)

    def _pass_over(self, received: Received, why: NotTaken) -> None:
        """Emit `ReportNotTaken` for a report of which nothing was kept. The number of this report does not count as
        lost."""
        assert received.data is not None and self._intake is not None  # noqa: PT018
        not_taken = ReportNotTaken(why, confirmed=received.data.message in CONFIRMED)
        for event in (*self._intake.pass_over(received.body), not_taken):
            self._emit(event)

    def _reconfigure(self, received: Received) -> bool:
        """Abort after a report that contradicts a stored configuration; return whether the association was aborted.
        Firmware updates change configurations and keep their ids, although 20601 §9.1 forbids it. The next association
        requests the configuration again. The report gets no response, so the device keeps it."""
        if self._applicant is None or self._configuration is None:
            return False
        if not self._configuring.doubt(self._applicant.system_id, self._configuration.config_id):
            return False
        self._notes.add(Oddity.CONFIG_CHANGED, received.octets)
        self._abort_now(AbortReason.UNDEFINED, "the device is asked for its configuration again")
        return True

    def _take_inline_report(self, event_type: int, apdu: bytes) -> None:
        """Process the report that the response to a data request contains. Raises `RemoteProtocolError` for a malformed
        report."""
        assert self._intake is not None
        if event_type not in SCAN_REPORTS:
            raise RemoteProtocolError(f"a data response holds an event of type {event_type}", clause="20601 §6")
        self._emit_reports(self._intake.take_new(apdu, self._now_s))

    def _reports_of_handle(self, handle: int) -> int:
        return 0 if self._intake is None else sum(n for (of, _), n in self._intake.reports.items() if of == handle)

    def _reports_of_request(self, data_req_id: int) -> int:
        return 0 if self._intake is None else sum(n for (_, of), n in self._intake.reports.items() if of == data_req_id)

    def _emit_reports(self, events: list[Event]) -> None:
        assert self._intake is not None
        for event in events:
            if isinstance(event, MdsChanged):
                self.mds_reading.changed(event)
            self._emit(event)

    def _refuse_operation(self, row: Row, received: Received) -> None:
        """Reject a request: an agent may send only event reports (20601 row 8.21)."""
        self._reject(received, RejectProblem.UNRECOGNIZED_OPERATION)
