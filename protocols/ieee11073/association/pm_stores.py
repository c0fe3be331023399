"""A device's memories: what it measured while nobody listened is fetched, and cleared only by policy (reference §7).

Store after store and segment after segment, one thing at a time, beside the live reports: Get of the store's
attributes, SEG_GET_INFO, SEG_TRIG_XFER, then the device sends entries as event reports. Each is answered with
manager-confirm after it was delivered and never before. Clearing is asked for when everything of a segment is durable,
right after the device has said that the segment is still the one that was fetched.

Nothing of this ends an association: a memory that cannot be had is told and given up until the next association or the
next `fetch`, because the live reports beside it matter more. Entries that come unconfirmed are taken as they come.

The next step is never taken inside `delivered`: it is due at once (`deadline_s`), so that time and events are those of
the moment, however long the disk took.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.actions import ActionType
from protocols.ieee11073.apdu.data import (
    ActionArgument,
    ActionResult,
    EventReportArgument,
    EventReportResult,
    EventType,
    GetArgument,
    GetResult,
)
from protocols.ieee11073.apdu.pm_store import (
    CAPABILITY_CLEAR_BY_LIST,
    CAPABILITY_SELECT_BY_TIME,
    STATUS_FIRST_ENTRY,
    STATUS_LAST_ENTRY,
    STATUS_MANAGER_ABORT,
    STATUS_MANAGER_CONFIRM,
    AllSegments,
    InstanceNumber,
    SegmentDataEvent,
    SegmentDataResult,
    SegmentInfo,
    SegmentList,
    SegmentSelection,
    TimeRange,
    TransferResult,
    TriggerResult,
    encode_selection,
)
from protocols.ieee11073.association.fetched_segments import FetchedSegments, SegmentKey
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.refusals import refusal
from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.association.segment_events import (
    NotFetched,
    SegmentDataReceived,
    SegmentNotFetched,
    SegmentsCleared,
)
from protocols.ieee11073.association.segment_transfer import Owed, SegmentTransfer
from protocols.ieee11073.association.service import Service
from protocols.ieee11073.association.settings import PmStoreSettings
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration, attributes_of
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.segment_entries import EntryReader
from protocols.ieee11073.dim.segments import Segment, segment_of
from protocols.ieee11073.mder import decode, decode_list, encode
from protocols.ieee11073.tolerances import Oddity

SEGMENTS_MAX = 1024
"""Segments of one store that one association fetches."""
STORES_MAX = 16
TRIES_MAX = 3
"""How often a segment is asked for while the device clears it or breaks it off, and how often a repetition is waited
for after a gap or a full store."""
CLEARING_PAUSE_S = 1.0
_GET_ANSWERS = frozenset({MessageTag.GET_RESULT, MessageTag.ERROR, MessageTag.REJECT})
_ACTION_ANSWERS = frozenset({MessageTag.ACTION_RESULT, MessageTag.ERROR, MessageTag.REJECT})
_RELATIVE_TIME_S = 125e-6
_TRIGGER_FAILURES = {
    TransferResult.NO_SUCH_SEGMENT: NotFetched.NO_SUCH_SEGMENT,
    TransferResult.CLEAR_IN_PROCESS: NotFetched.BEING_CLEARED,
}


@dataclass(slots=True)
class _Store:
    """A PM-store in this round: what it says of itself, what is still to fetch, what may be cleared as a whole."""

    handle: int
    selection: SegmentSelection
    attributes: dict[int, bytes] = field(default_factory=dict)
    due: deque[Segment] = field(default_factory=deque)
    listed: tuple[int, ...] = ()
    whole: list[Segment] = field(default_factory=list)
    """Those of which nothing is missing here."""
    tries: int = 0

    @property
    def clearable(self) -> bool:
        """Whether clearing everything would lose nothing, and do something."""
        return {segment.number for segment in self.whole} == set(self.listed) and any(
            segment.usage_count for segment in self.whole
        )

    @property
    def capability(self) -> int:
        return int.from_bytes(self.attributes.get(Attribute.PM_STORE_CAPABILITY, b"")[:2], "big")

    @property
    def clear_timeout_s(self) -> float | None:
        value = self.attributes.get(Attribute.CLEAR_TIMEOUT, b"")
        return int.from_bytes(value, "big") * _RELATIVE_TIME_S if len(value) == 4 and any(value) else None


class PmStores(Service):
    """Reached as `association.pm_stores`; `fetch` is its command."""

    def __init__(
        self,
        requests: Requests,
        settings: PmStoreSettings,
        fetched: FetchedSegments,
        *,
        system_id: Callable[[], bytes],
        to_get_s: float,
        tickets: Iterator[int],
        answer: Callable[[int, int, MessageTag, object], None],
    ) -> None:
        """`answer(ticket, invoke_id, message, body)` answers an event in its turn, also before a farewell."""
        super().__init__(requests)
        self._settings = settings
        self._fetched = fetched
        self._system_id = system_id
        self._to_get_s = to_get_s
        self._tickets = tickets
        self._answer = answer
        self._handles: tuple[int, ...] = ()
        self._model: DeviceModel | None = None
        self._queue: deque[_Store] = deque()
        self._store: _Store | None = None
        self._transfer: SegmentTransfer | None = None
        self._before: SegmentTransfer | None = None
        """The transfer before, whose last event may be repeated."""
        self._owing: dict[int, SegmentTransfer] = {}
        """Ticket of an event that is not settled → its transfer."""
        self._due_s: float | None = None
        self._step: Callable[[], None] | None = None

    # The association.

    def operating(self, configuration: Configuration) -> None:
        handles = [item.obj_handle for item in configuration.objects if item.obj_class == ObjectClass.PM_STORE]
        self._handles = tuple(handles[:STORES_MAX])
        self._model = DeviceModel(configuration, self._requests.notes) if handles else None

    def begin(self) -> None:
        if self._settings.fetch:
            self._fetch(AllSegments())

    def ended(self) -> None:
        self._handles = ()
        self._model = self._store = self._transfer = self._before = None
        self._queue.clear()
        self._wait(None, None)

    def fetch(self, now_s: float, selection: SegmentSelection | None = None) -> None:
        """Fetches all memories once more, or what is selected of them; what is under way goes on first. A time range
        reaches only stores that can select by time. Nothing happens outside Operating."""
        self._requests.at(now_s)
        self._fetch(selection or AllSegments())

    def _fetch(self, selection: SegmentSelection) -> None:
        if len(self._queue) + len(self._handles) <= STORES_MAX:
            self._queue.extend(_Store(handle, selection) for handle in self._handles)
        if self._store is None and self._queue:
            self._next_store()

    @property
    def deadline_s(self) -> float | None:
        return self._due_s

    def pass_time(self) -> None:
        if self._due_s is not None and self._due_s <= self._requests.now_s:
            step = self._step
            self._wait(None, None)
            if step is not None:
                step()

    def _wait(self, until_s: float | None, step: Callable[[], None] | None) -> None:
        self._due_s, self._step = until_s, step

    def _soon(self, step: Callable[[], None]) -> None:
        self._wait(self._requests.now_s, step)

    # What the shell says.

    @property
    def owed_tickets(self) -> set[int]:
        """Of the confirmed events that wait to be durable."""
        return {ticket for ticket, transfer in self._owing.items() if transfer.owed[ticket].invoke_id is not None}

    def forget_answers(self) -> None:
        """No answer can reach the device any more."""
        self._owing.clear()

    def settled(self, event: SegmentDataReceived, *, durable: bool) -> None:
        """The entries are durable, or could not be stored. Means nothing twice, or after the association."""
        transfer = self._owing.pop(event.ticket, None)
        if transfer is None:
            return
        owed, confirmed = transfer.settled(event.ticket, durable=durable)
        lost = not confirmed and (owed.invoke_id is None or transfer.in_vain >= TRIES_MAX)
        status = STATUS_MANAGER_CONFIRM if confirmed else STATUS_MANAGER_ABORT if lost else 0
        self._reply(transfer.store, event.ticket, owed, status)
        if transfer is not self._transfer:
            return
        if lost:
            self._soon(partial(self._fail, NotFetched.STORE_FULL))
        elif transfer.over:
            self._soon(self._transferred)
        else:
            self._soon(self._watch)

    def _reply(self, handle: int, ticket: int, owed: Owed, status: int) -> None:
        if owed.invoke_id is None:
            return
        asked = owed.description
        kept = asked.segm_evt_status & (STATUS_FIRST_ENTRY | STATUS_LAST_ENTRY)
        answered = replace(asked, segm_evt_status=kept | status)
        body = EventReportResult(handle, 0, EventType.SEGMENT_DATA, encode(SegmentDataResult(answered)))
        self._answer(ticket, owed.invoke_id, MessageTag.EVENT_REPORT_RESULT, body)

    # Entries.

    def has(self, handle: int) -> bool:
        """Whether this is a PM-store of the configuration."""
        return handle in self._handles

    def receive(self, received: Received) -> None:
        """Takes MDC_NOTI_SEGMENT_DATA of a PM-store. Raises `RemoteProtocolError` where its info breaks its form."""
        assert received.data is not None
        report: EventReportArgument = received.body
        event = decode(SegmentDataEvent, report.event_info)
        confirmed = received.data.message == MessageTag.CONFIRMED_EVENT_REPORT
        invoke_id = received.data.invoke_id if confirmed else None
        description = event.segm_data_event_descr
        transfer = self._transfer_of(report.obj_handle, description.segm_instance)
        if transfer is None:
            self._requests.notes.met(Oddity.SEGMENT_UNASKED, received.octets)
            self._reply(report.obj_handle, 0, Owed(description, invoke_id, 0, 0), STATUS_MANAGER_ABORT)
            return
        at = transfer.place(event)
        if at is None:
            self._gap(transfer, Owed(description, invoke_id, 0, 0), received)
            return
        ticket = next(self._tickets)
        taken = transfer.take(event, at, invoke_id=invoke_id, ticket=ticket, received_s=self._requests.now_s)
        self._owing[ticket] = transfer
        if transfer is self._transfer:
            self._watch()
        self._requests.tell(taken)

    def _transfer_of(self, handle: int, number: int) -> SegmentTransfer | None:
        for transfer in (self._transfer, self._before):
            if transfer is not None and transfer.store == handle and transfer.segment.number == number:
                return transfer
        return None

    def _gap(self, transfer: SegmentTransfer, owed: Owed, received: Received) -> None:
        self._requests.notes.met(Oddity.SEGMENT_INDEX_GAP, received.octets)
        transfer.in_vain += 1
        lost = owed.invoke_id is None or transfer.in_vain >= TRIES_MAX
        self._reply(transfer.store, 0, owed, STATUS_MANAGER_ABORT if lost else 0)
        if lost and transfer is self._transfer:
            self._soon(partial(self._fail, NotFetched.GAP))

    # Step by step.

    def _next_store(self) -> None:
        self._transfer = None
        self._store = self._queue.popleft() if self._queue else None
        if self._store is not None:
            self._requests.ask(
                MessageTag.GET,
                GetArgument(self._store.handle, ()),
                answers=_GET_ANSWERS,
                to_s=self._to_get_s,
                done=self._described,
                overdue=partial(self._silent, "a Get of its attributes"),
            )

    def _described(self, received: Received) -> None:
        """A store that does not describe itself is fetched all the same."""
        store = self._now_at()
        if isinstance(received.body, GetResult):
            store.attributes = attributes_of(received.body.attribute_list)
        else:
            self._refused(received, "a Get of its attributes")
        if isinstance(store.selection, TimeRange) and not store.capability & CAPABILITY_SELECT_BY_TIME:
            self._next_store()
        else:
            self._act(ActionType.SEG_GET_INFO, encode_selection(store.selection), self._listed)

    def _listed(self, received: Received) -> None:
        store, infos = self._now_at(), self._infos(received)
        if infos is None:
            self._requests.tell(SegmentNotFetched(store.handle, None, NotFetched.REFUSED))
            self._next_store()
            return
        store.listed = tuple(info.seg_inst_no for info in infos)
        if len(infos) > SEGMENTS_MAX:
            self._requests.notes.met(Oddity.STORE_SEGMENTS_MANY, handle=store.handle, segments_max=SEGMENTS_MAX)
        for info in infos[:SEGMENTS_MAX]:
            segment = self._segment(info)
            if segment is not None:
                store.due.append(segment)
        self._next_segment()

    def _infos(self, received: Received) -> tuple[SegmentInfo, ...] | None:
        octets = self._result(received, "SEG_GET_INFO")
        if octets is None:
            return None
        try:
            return decode_list(SegmentInfo, octets)
        except RemoteProtocolError as error:
            self._misread(received, "SEG_GET_INFO", error)
            return None

    def _segment(self, info: SegmentInfo) -> Segment | None:
        store = self._now_at()
        try:
            return segment_of(info, store.attributes, self._requests.notes)
        except RemoteProtocolError as error:
            self._unreadable(info.seg_inst_no, error)
            return None

    def _unreadable(self, number: int, error: RemoteProtocolError) -> None:
        handle, notes = self._now_at().handle, self._requests.notes
        notes.met(Oddity.SEGMENT_UNREADABLE, clause=error.clause, segment=number, handle=handle, reason=error.reason)
        self._requests.tell(SegmentNotFetched(handle, number, NotFetched.UNREADABLE))

    def _next_segment(self) -> None:
        store = self._now_at()
        self._before, self._transfer = self._transfer or self._before, None
        while store.due:
            segment = store.due.popleft()
            known = self._fetched.progress(SegmentKey(self._system_id(), store.handle, segment.number))
            if segment.usage_count == 0:
                store.whole.append(segment)
            elif known is not None and segment.dated and known.state == segment.state:
                store.whole.append(segment)
                if self._clears_each(store):
                    self._recheck([segment])
                    return
            elif self._begin(segment):
                return
        if self._settings.clear and not store.capability & CAPABILITY_CLEAR_BY_LIST and store.clearable:
            self._recheck(store.whole)
        else:
            self._next_store()

    def _clears_each(self, store: _Store) -> bool:
        return self._settings.clear and bool(store.capability & CAPABILITY_CLEAR_BY_LIST)

    def _begin(self, segment: Segment) -> bool:
        store = self._now_at()
        assert self._model is not None
        try:
            reader = EntryReader(segment, self._model)
        except RemoteProtocolError as error:
            self._unreadable(segment.number, error)
            return False
        store.tries = 0
        self._start(segment, reader)
        return True

    def _start(self, segment: Segment, reader: EntryReader) -> None:
        store = self._now_at()
        known = self._fetched.progress(SegmentKey(self._system_id(), store.handle, segment.number))
        had = 0
        if known is not None and known.identity == segment.identity and known.through <= (segment.usage_count or 0):
            had = known.through
        self._transfer = SegmentTransfer(store.handle, segment, reader, self._requests.notes, had)
        self._trigger()

    def _trigger(self) -> None:
        transfer = self._transfer
        assert transfer is not None
        number = encode(InstanceNumber(transfer.segment.number))
        self._act(ActionType.SEG_TRIG_XFER, number, partial(self._triggered, transfer))

    def _triggered(self, transfer: SegmentTransfer, received: Received) -> None:
        if transfer is not self._transfer:
            return  # its entries came before the answer, all of them
        octets = self._result(received, "SEG_TRIG_XFER")
        try:
            result = None if octets is None else decode(TriggerResult, octets).trig_segm_xfer_rsp
        except RemoteProtocolError as error:
            self._misread(received, "SEG_TRIG_XFER", error)
            result = None
        store = self._now_at()
        if result is TransferResult.SUCCESSFUL:
            self._watch()
        elif result is TransferResult.SEGMENT_EMPTY:
            self._next_segment()
        elif result is TransferResult.CLEAR_IN_PROCESS and store.tries < TRIES_MAX:
            store.tries += 1
            self._wait(self._requests.now_s + CLEARING_PAUSE_S, self._trigger)
        elif result is None:
            self._fail(NotFetched.REFUSED)
        else:
            self._fail(_TRIGGER_FAILURES.get(result, NotFetched.FAILED))

    def _watch(self) -> None:
        """Entries are due, or the next ones."""
        transfer = self._transfer
        if transfer is not None:
            wait_s = transfer.segment.transfer_timeout_s or self._settings.to_transfer_s
            self._wait(self._requests.now_s + wait_s, partial(self._silent, "the entries of a segment"))

    def _transferred(self) -> None:
        store, transfer = self._now_at(), self._transfer
        assert transfer is not None
        if transfer.aborted:
            store.tries += 1
            if store.tries < TRIES_MAX:
                self._start(transfer.segment, transfer.reader)
            else:
                self._fail(NotFetched.DEVICE_ABORTED)
        elif transfer.settled_whole:
            store.whole.append(transfer.segment)
            if self._clears_each(store):
                self._recheck([transfer.segment])
            else:
                self._next_segment()
        else:
            self._next_segment()

    def _fail(self, why: NotFetched) -> None:
        transfer = self._transfer
        assert transfer is not None
        self._requests.tell(SegmentNotFetched(transfer.store, transfer.segment.number, why))
        self._next_segment()

    def _silent(self, what: str) -> None:
        """A device that does not say what is due is not asked on for this memory."""
        store, transfer = self._now_at(), self._transfer
        self._requests.notes.met(Oddity.STORE_SILENT, handle=store.handle, what=what)
        number = None if transfer is None else transfer.segment.number
        self._requests.tell(SegmentNotFetched(store.handle, number, NotFetched.SILENT))
        self._next_store()

    # Clearing.

    def _recheck(self, segments: Sequence[Segment]) -> None:
        """Nothing is cleared unless the device has just said that it holds what we have, and no more."""
        store = self._now_at()
        selection = self._clearing(segments)
        asked = partial(self._rechecked, store, tuple(segments), encode_selection(selection))
        self._act(ActionType.SEG_GET_INFO, encode_selection(selection), asked)

    def _clearing(self, segments: Sequence[Segment]) -> SegmentSelection:
        each = self._now_at().capability & CAPABILITY_CLEAR_BY_LIST
        return SegmentList(tuple(segment.number for segment in segments)) if each else AllSegments()

    def _rechecked(self, store: _Store, segments: tuple[Segment, ...], selection: bytes, received: Received) -> None:
        infos = self._infos(received) or ()
        now = {info.seg_inst_no: self._segment(info) for info in infos}
        same = {segment.number for segment in segments} == set(now)
        for segment in segments:
            listed = now.get(segment.number)
            if listed is None or listed.state != segment.state or listed.usage_count is None:
                same = False
        if not same:
            self._requests.notes.met(Oddity.SEGMENT_CHANGED, segment=segments[0].number)
            self._next_segment_or_store(segments)
            return
        numbers = tuple(segment.number for segment in segments if segment.usage_count)
        self._act(
            ActionType.SEG_CLR,
            selection,
            partial(self._cleared, numbers, segments),
            to_s=store.clear_timeout_s or self._settings.to_clear_s,
            ahead=True,
        )

    def _cleared(self, numbers: tuple[int, ...], segments: tuple[Segment, ...], received: Received) -> None:
        if self._result(received, "SEG_CLR") is not None:
            self._requests.tell(SegmentsCleared(self._now_at().handle, numbers))
        self._next_segment_or_store(segments)

    def _next_segment_or_store(self, segments: Sequence[Segment]) -> None:
        """After the clearing of one segment the next one is due, after that of all of them the next store."""
        if self._clears_each(self._now_at()):
            self._next_segment()
        else:
            self._next_store()

    # Asking.

    def _act(
        self,
        action: ActionType,
        octets: bytes,
        done: Callable[[Received], None],
        *,
        to_s: float | None = None,
        ahead: bool = False,
    ) -> None:
        self._requests.ask(
            MessageTag.CONFIRMED_ACTION,
            ActionArgument(self._now_at().handle, action, octets),
            answers=_ACTION_ANSWERS,
            to_s=to_s or self._settings.to_action_s,
            done=done,
            overdue=partial(self._silent, f"the answer to {action.name}"),
            ahead=ahead,
        )

    def _result(self, received: Received, what: str) -> bytes | None:
        """The action-info-args of an answer; None where it is a refusal, which is told."""
        if isinstance(received.body, ActionResult):
            return received.body.action_info_args
        self._refused(received, what)
        return None

    def _refused(self, received: Received, what: str) -> None:
        reason = refusal(received.body) or "another answer"
        self._requests.notes.met(
            Oddity.STORE_REFUSED, received.octets, handle=self._now_at().handle, what=what, reason=reason
        )

    def _misread(self, received: Received, what: str, error: RemoteProtocolError) -> None:
        self._requests.notes.met(
            Oddity.STORE_REFUSED, received.octets, handle=self._now_at().handle, what=what, reason=error.reason
        )

    def _now_at(self) -> _Store:
        assert self._store is not None, "a step belongs to a store"
        return self._store
