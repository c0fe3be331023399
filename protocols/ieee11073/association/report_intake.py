"""Convert the scan reports of one association to events: check report numbers, and compile each layout once.

A report of a new layout is read byte by byte and compiled into a plan. The plan decodes later reports of the layout,
and several at once when they arrive together (a run). If a report changes the meaning of values (a unit, a scale), all
plans are dropped. A report's attributes that are not values are emitted before its values, so the response to the
report waits until the attributes are durable too. Report numbers are counted for each flow (reporting object and data
request), from 0 in each association. `manager` sends the responses.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.data import EventReportArgument
from protocols.ieee11073.association.carried_attributes import CarriedAttributes
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager_events import ReportReceived, ReportsLost
from protocols.ieee11073.association.report_responses import OwedResponses
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration, value_map
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.identity import DeviceIdentity
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.report_plan import LAYOUT_KEY_BYTES, SCAN_REPORTS, compile_plan, layout_key
from protocols.ieee11073.dim.report_run import INVOKE_ID, REPORT_NO, ReportPlan, Run
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import Channel

LAYOUTS_MAX = 256
"""Limit of compiled layouts, beyond which all are dropped; a device that varies its layouts slows itself down."""
LAYOUTS_WEIGHT_MAX = 65_536
"""Limit of the total weight of the compiled layouts, see `ReportPlan.weight`: about ten megabytes. A report of 64 KiB
can name five thousand persons with a value each, and a few hundred such layouts would fill a small gateway's memory."""
_LAYOUTS_OF_KEY_MAX = 8
FLOWS_MAX = 64
"""Limit of flows whose numbers are kept; a device has one for each scanner and one for itself."""
_NUMBERS = 0x10000
_NUMBERS_BYTES = 4
"""data-req-id and scan-report-no, with which every scan report begins."""
_APDU_HEADER_BYTES = 4
"""Length of tag and length field, which the length field does not count."""
_BACKWARD_FROM = 0x8000
"""A forward jump of more than half the range counts as a jump backward."""


class ReportIntake:
    """Converter of the scan reports of one association to events."""

    def __init__(
        self, configuration: Configuration, notes: Notes, tickets: Iterator[int], owed: dict[int, OwedResponses]
    ) -> None:
        """Create an intake. `tickets` yields event numbers. `owed` maps an event number to the responses still to be
        sent; the intake adds to it. Both outlive the association, since responses may be sent after its end."""
        self._owed = owed
        self._model = DeviceModel(configuration, notes)
        self._notes = notes
        self._plans: dict[bytes, list[ReportPlan]] = {}
        self._plan_count = self._plan_weight = 0
        self._recent: dict[int, ReportPlan] = {}
        """APDU length → plan of the last such report. Most devices repeat one layout or alternate between a few."""
        self._carried = CarriedAttributes(notes)
        self._next_no: dict[tuple[int, int], int] = {}
        self.reports: defaultdict[tuple[int, int], int] = defaultdict(int)
        """Number of reports processed, by flow: reporting handle and data-req-id."""
        self._tickets = tickets

    def learn_identity(self, identity: DeviceIdentity) -> None:
        """Store the Attribute-Value-Map of the MDS, by which the device's own fixed reports are decoded."""
        for attribute, data in identity.attributes:
            if attribute == Attribute.ATTRIBUTE_VALUE_MAP:
                try:
                    self._model.mds_values = value_map(data)
                except RemoteProtocolError:
                    self._notes.add(Oddity.MDS_ATTRIBUTE_UNREADABLE, data, attribute=attribute)
                self._forget_plans()

    @property
    def channels(self) -> tuple[Channel, ...]:
        return self._model.channels

    @property
    def layouts_count(self) -> int:
        return self._plan_count

    @property
    def layouts_weight(self) -> int:
        return self._plan_weight

    def has(self, handle: int) -> bool:
        """Return whether reports may come from this handle: the MDS or an object of the configuration."""
        return handle == 0 or handle in self._model.objects

    def take_single(self, apdu: bytes, now_s: float) -> ReportReceived | None:
        """Convert a read that is exactly one report with a recent layout and the expected number (the usual case).
        Return None, and change nothing, for any other read. The steps are inlined, since calling a function for a step
        would cost more than the step."""
        plan = self._recent.get(len(apdu))
        if plan is None:
            return None
        row = plan.match_single(apdu)
        if row is None:
            return None
        flow, report_no = plan.flow, row[REPORT_NO]
        if report_no != self._next_no.get(flow):
            return None
        self._next_no[flow] = (report_no + 1) % _NUMBERS
        self.reports[flow] += 1
        ticket = 0
        if plan.confirmed:
            ticket = next(self._tickets)
            self._owed[ticket] = OwedResponses((row[INVOKE_ID],), plan.handle, plan.event_type)
        return ReportReceived(plan.observe_single(row, now_s), plan.confirmed, report_no, now_s, 1, ticket)

    def take_known(self, front: memoryview, now_s: float) -> tuple[int, list[Event]]:
        """Convert the reports of one known layout at the start of the unread bytes `front`. Return the number of bytes
        that these reports have, and the events. The number is 0 if the first report has an unknown layout or is
        incomplete."""
        if len(front) < LAYOUT_KEY_BYTES:
            return 0, []
        recent = self._recent.get(_APDU_HEADER_BYTES + (front[2] << 8 | front[3]))
        if recent is not None and (run := recent.match(front)) is not None:
            events, count = self._take(recent, run, now_s)
            return count * recent.octets, events
        for plan in self._plans.get(layout_key(bytes(front[:LAYOUT_KEY_BYTES])), ()):
            run = plan.match(front)
            if run is not None:
                self._recent[plan.octets] = plan
                events, count = self._take(plan, run, now_s)
                return count * plan.octets, events
        return 0, []

    def take_new(self, apdu: bytes, now_s: float, *, exact: bool = False) -> list[Event]:
        """Convert one report of a new layout. Raises `RemoteProtocolError` if the report is malformed or has no usable
        value. With `exact`, a deviation that only a different configuration would explain raises `DoesNotFit`. After an
        exception the intake is unchanged."""
        plan = compile_plan(apdu, self._model, exact=exact)
        if plan.reshapes:
            self._forget_plans()
        else:
            self._keep(apdu, plan)
        run = plan.match(memoryview(apdu))
        assert run is not None  # a plan matches the report that it was compiled from
        events, _ = self._take(plan, run, now_s)
        return events

    def pass_over(self, report: EventReportArgument) -> list[Event]:
        """Record the number of a refused report as received. Return a `ReportsLost` event if the number shows a gap."""
        event_info = report.event_info
        if report.event_type not in SCAN_REPORTS or len(event_info) < _NUMBERS_BYTES:
            return []
        flow = report.obj_handle, int.from_bytes(event_info[0:2], "big")
        report_no = int.from_bytes(event_info[2:4], "big")
        events = self._numbered(flow, report_no)
        self._next_no[flow] = (report_no + 1) % _NUMBERS
        return events

    def _keep(self, apdu: bytes, plan: ReportPlan) -> None:
        if self._plan_count >= LAYOUTS_MAX or self._plan_weight + plan.weight > LAYOUTS_WEIGHT_MAX:
            self._forget_plans()
        plans = self._plans.setdefault(layout_key(apdu[:LAYOUT_KEY_BYTES]), [])
        if len(plans) >= _LAYOUTS_OF_KEY_MAX:
            self._plan_weight -= plans.pop().weight
            self._plan_count -= 1
        plans.insert(0, plan)
        self._recent[plan.octets] = plan  # also replaces one just dropped: plans of one key have one length
        self._plan_count += 1
        self._plan_weight += plan.weight

    def _forget_plans(self) -> None:
        self._plans.clear()
        self._plan_count = self._plan_weight = 0
        self._recent.clear()

    def _take(self, plan: ReportPlan, run: Run, now_s: float) -> tuple[list[Event], int]:
        """Return the events of the first consecutively numbered reports of a run, and the number of these reports."""
        events = self._numbered(plan.flow, run.columns[REPORT_NO][0])
        run = run.first(_consecutive(run.columns[REPORT_NO]))
        last_no = run.columns[REPORT_NO][-1]
        self._next_no[plan.flow] = (last_no + 1) % _NUMBERS
        self.reports[plan.flow] += run.reports
        ticket = 0
        if plan.confirmed:
            ticket = next(self._tickets)
            invoke_ids = tuple(run.columns[INVOKE_ID])
            if len(set(invoke_ids)) != run.reports:
                self._notes.add(Oddity.INVOKE_ID_REUSED, b"".join(invoke_ids))
            self._owed[ticket] = OwedResponses(invoke_ids, plan.handle, plan.event_type)
        if plan.carried:
            events += self._carried.events(plan, run, now_s)
        observations = plan.observe(run, now_s)
        events.append(ReportReceived(observations, plan.confirmed, last_no, now_s, run.reports, ticket))
        return events, run.reports

    def _numbered(self, flow: tuple[int, int], report_no: int) -> list[Event]:
        """Return a `ReportsLost` event if the number `report_no` shows that reports of `flow` are missing. A flow is
        the series of reports of one object for one data request."""
        due = self._next_no.get(flow)
        if due is None and len(self._next_no) >= FLOWS_MAX:
            oldest = next(iter(self._next_no))
            del self._next_no[oldest]
            self.reports.pop(oldest, None)
        ahead = (report_no - (due or 0)) % _NUMBERS
        if not ahead:
            return []
        after = None if due is None else (due - 1) % _NUMBERS
        if report_no == after:
            self._notes.add(Oddity.REPORT_NUMBER_REPEATED, report_no.to_bytes(2, "big"))
            return []
        if ahead >= _BACKWARD_FROM:
            oddity = Oddity.REPORT_NUMBER_START if due is None else Oddity.REPORT_NUMBER_BACKWARD
            self._notes.add(oddity, report_no.to_bytes(2, "big"))
            return []
        return [ReportsLost(ahead, after)]


def _consecutive(numbers: Sequence[int]) -> int:
    """Return how many of the numbers, from the first on, follow each other without a gap or a wrap to 0."""
    first = numbers[0]
    if numbers == tuple(range(first, first + len(numbers))):
        return len(numbers)
    return next(at for at, number in enumerate(numbers) if number != first + at)
