"""Fetch a device's PM-stores (stored measurements), and clear them if the settings allow it (reference 20601 §7).

Stores and segments are fetched one after the other, while live reports continue: a Get of the store's attributes,
SEG_GET_INFO, and for each segment SEG_TRIG_XFER, after which the device sends the entries as event reports. An event is
confirmed with manager-confirm only after the caller has called `delivered`. A segment is cleared when all its entries
are durable, directly after the device has confirmed that the segment has not changed since the fetch.

No error here ends an association, because the live reports matter more: a store or segment that cannot be fetched is
reported and skipped until the next association.

The next step never runs inside `delivered`, because after a slow write to disk the last known time is stale. It runs in
the next call of `expire`, for which `deadline_s` is set to the last known time.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.actions import ActionType
from protocols.ieee11073.apdu.data import (
    EventReportArgument,
    EventReportResult,
    EventType,
    GetResult,
)
from protocols.ieee11073.apdu.pm_store import (
    STATUS_FIRST_ENTRY,
    STATUS_LAST_ENTRY,
    STATUS_MANAGER_ABORT,
    STATUS_MANAGER_CONFIRM,
    AllSegments,
    InstanceNumber,
    SegmentDataEvent,
    SegmentDataResult,
    TransferResult,
    TriggerResult,
    encode_selection,
)
from protocols.ieee11073.association.fetched_segments import FetchedSegments, SegmentKey
from protocols.ieee11073.association.pm_store_steps import Store, StoreSteps
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.refusals import refusal
from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.association.segment_clearing import SegmentClearing
from protocols.ieee11073.association.segment_events import (
    NotFetched,
    SegmentDataReceived,
    SegmentNotFetched,
)
from protocols.ieee11073.association.segment_transfer import Owed, SegmentTransfer
from protocols.ieee11073.association.service import Service
from protocols.ieee11073.association.settings import PmStoreSettings
from protocols.ieee11073.dim.attribute import ObjectClass
from protocols.ieee11073.dim.configuration import Configuration, attributes_of
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.segment_entries import EntryReader
from protocols.ieee11073.dim.segments import Segment
from protocols.ieee11073.mder import decode, encode
from protocols.ieee11073.tolerances import Oddity

SEGMENTS_MAX = 1024
"""Segments of one store that one association fetches."""
STORES_MAX = 16
TRIES_MAX = 3
"""Limit of requests for a segment while the device clears it or aborts its transfer, and of waits for a repetition
after a gap or a refusal to store."""
CLEARING_PAUSE_S = 1.0
_TRIGGER_FAILURES = {
    TransferResult.NO_SUCH_SEGMENT: NotFetched.NO_SUCH_SEGMENT,
    TransferResult.CLEAR_IN_PROCESS: NotFetched.BEING_CLEARED,
}


class PmStores(Service):
    """Service that fetches and clears the device's PM-stores."""

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
        """Create the service. `answer(ticket, invoke_id, message, body)` sends the response to an event."""
        super().__init__(requests)
        self._settings = settings
        self._fetched = fetched
        self._system_id = system_id
        self._to_get_s = to_get_s
        self._tickets = tickets
        self._answer = answer
        self._handles: tuple[int, ...] = ()
        self._model: DeviceModel | None = None
        self._queue: deque[Store] = deque()
        self._store: Store | None = None
        self._transfer: SegmentTransfer | None = None
        self._before: SegmentTransfer | None = None
        """The previous transfer, whose last event may be repeated."""
        self._owing: dict[int, SegmentTransfer] = {}
        """Ticket of a pending event → its transfer."""
        self._steps = StoreSteps(requests, self._silent)
        self._clearing = SegmentClearing(requests, self._steps, settings, self._after_clearing)

    # The association.

    def start(self, configuration: Configuration) -> None:
        handles = [item.obj_handle for item in configuration.objects if item.obj_class == ObjectClass.PM_STORE]
        self._handles = tuple(handles[:STORES_MAX])
        self._model = DeviceModel(configuration, self._requests.notes) if handles else None

    def begin(self) -> None:
        if self._settings.fetch and len(self._queue) + len(self._handles) <= STORES_MAX:
            self._queue.extend(map(Store, self._handles))
            if self._store is None and self._queue:
                self._next_store()

    def end(self) -> None:
        self._handles = ()
        self._model = self._store = self._transfer = self._before = None
        self._queue.clear()
        self._steps.begin()

    @property
    def deadline_s(self) -> float | None:
        return self._steps.deadline_s

    def pass_time(self) -> None:
        self._steps.pass_time()

    def _soon(self, step: Callable[[], None]) -> None:
        """Run a step at the next call of `pass_time`, not within the current call."""
        self._steps.wait(0.0, step)

    # Acknowledgement of events by the caller.

    @property
    def owed_tickets(self) -> set[int]:
        """Tickets (event numbers) of the confirmed segment data events whose response is still to be sent."""
        return {ticket for ticket, transfer in self._owing.items() if transfer.owed[ticket].invoke_id is not None}

    def forget_responses(self) -> None:
        """Drop the responses that are still to be sent, since they can no longer reach the device."""
        self._owing.clear()

    def settle(self, event: SegmentDataReceived, *, durable: bool) -> None:
        """Send the response to a segment data event. The response has manager-confirm if all entries up to the event's
        last entry are durable. Otherwise the response lacks manager-confirm, so that the device repeats the event;
        after `TRIES_MAX` failures the response has manager-abort. Repeated calls, and calls after `forget_responses`,
        have no effect."""
        transfer = self._owing.pop(event.ticket, None)
        if transfer is None:
            return
        owed, confirmed = transfer.settle(event.ticket, durable=durable)
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
        """Return whether the object `handle` is a PM-store of the configuration."""
        return handle in self._handles

    def receive(self, received: Received) -> None:
        """Process a segment data event of a PM-store. Raises `RemoteProtocolError` for a malformed event."""
        assert received.data is not None
        report: EventReportArgument = received.body
        event = decode(SegmentDataEvent, report.event_info)
        confirmed = received.data.message == MessageTag.CONFIRMED_EVENT_REPORT
        invoke_id = received.data.invoke_id if confirmed else None
        description = event.segm_data_event_descr
        transfer = self._transfer_of(report.obj_handle, description.segm_instance)
        if transfer is None:
            self._requests.notes.add(Oddity.SEGMENT_UNASKED, received.octets)
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
        self._requests.emit(taken)

    def _transfer_of(self, handle: int, number: int) -> SegmentTransfer | None:
        for transfer in (self._transfer, self._before):
            if transfer is not None and transfer.store == handle and transfer.segment.number == number:
                return transfer
        return None

    def _gap(self, transfer: SegmentTransfer, owed: Owed, received: Received) -> None:
        self._requests.notes.add(Oddity.SEGMENT_INDEX_GAP, received.octets)
        transfer.in_vain += 1
        lost = owed.invoke_id is None or transfer.in_vain >= TRIES_MAX
        self._reply(transfer.store, 0, owed, STATUS_MANAGER_ABORT if lost else 0)
        if lost and transfer is self._transfer:
            self._soon(partial(self._fail, NotFetched.GAP))

    # Step by step.

    def _next_store(self) -> None:
        self._steps.begin()
        self._transfer = None
        self._store = self._queue.popleft() if self._queue else None
        if self._store is not None:
            self._steps.get(self._store, self._described, self._to_get_s)

    def _described(self, received: Received) -> None:
        """Process the response to a Get of a PM-store's attributes: store the attributes, or note a refusal. Then
        request the list of segments."""
        store = self._now_at()
        if isinstance(received.body, GetResult):
            store.attributes = attributes_of(received.body.attribute_list)
        else:
            self._steps.refused(store, received, "a Get of its attributes", refusal(received.body) or "")
        self._act(ActionType.SEG_GET_INFO, encode_selection(AllSegments()), self._listed)

    def _listed(self, received: Received) -> None:
        store = self._now_at()
        infos = self._steps.infos(store, received)
        if infos is None:
            self._requests.emit(SegmentNotFetched(store.handle, None, NotFetched.REFUSED))
            self._next_store()
            return
        store.listed = tuple(info.seg_inst_no for info in infos)
        if len(infos) > SEGMENTS_MAX:
            self._requests.notes.add(Oddity.STORE_SEGMENTS_MANY, handle=store.handle, segments_max=SEGMENTS_MAX)
        for info in infos[:SEGMENTS_MAX]:
            segment = self._steps.segment(store, info)
            if segment is None:
                self._requests.emit(SegmentNotFetched(store.handle, info.seg_inst_no, NotFetched.UNREADABLE))
            else:
                store.due.append(segment)
        self._next_segment()

    def _next_segment(self) -> None:
        store = self._now_at()
        self._steps.begin()
        self._before, self._transfer = self._transfer or self._before, None
        while store.due:
            segment = store.due.popleft()
            known = self._fetched.progress(SegmentKey(self._system_id(), store.handle, segment.number))
            if segment.usage_count == 0:
                store.whole.append(segment)
            elif known is not None and segment.dated and known.state == segment.state:
                store.whole.append(segment)
                if self._settings.clear and store.clears_each:
                    self._clearing.start(store, [segment])
                    return
            elif self._begin(segment):
                return
        if self._settings.clear and not store.clears_each and store.clearable:
            self._clearing.start(store, store.whole)
        else:
            self._next_store()

    def _begin(self, segment: Segment) -> bool:
        store = self._now_at()
        assert self._model is not None
        try:
            reader = EntryReader(segment, self._model)
        except RemoteProtocolError as error:
            self._steps.unreadable(store, segment.number, error)
            self._requests.emit(SegmentNotFetched(store.handle, segment.number, NotFetched.UNREADABLE))
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
        self._steps.begin()
        number = encode(InstanceNumber(transfer.segment.number))
        self._act(ActionType.SEG_TRIG_XFER, number, self._triggered)

    def _triggered(self, received: Received) -> None:
        store = self._now_at()
        data = self._steps.result(store, received, "SEG_TRIG_XFER")
        try:
            result = None if data is None else decode(TriggerResult, data).trig_segm_xfer_rsp
        except RemoteProtocolError as error:
            self._steps.refused(store, received, "SEG_TRIG_XFER", error.reason)
            result = None
        if result is TransferResult.SUCCESSFUL:
            self._watch()
        elif result is TransferResult.SEGMENT_EMPTY:
            self._next_segment()
        elif result is TransferResult.CLEAR_IN_PROCESS and store.tries < TRIES_MAX:
            store.tries += 1
            self._steps.wait(CLEARING_PAUSE_S, self._trigger)
        elif result is None:
            self._fail(NotFetched.REFUSED)
        else:
            self._fail(_TRIGGER_FAILURES.get(result, NotFetched.FAILED))

    def _watch(self) -> None:
        """Restart the timeout for the next entries of the current transfer."""
        transfer = self._transfer
        if transfer is not None:
            wait_s = transfer.segment.transfer_timeout_s or self._settings.to_transfer_s
            self._steps.wait(wait_s, partial(self._silent, "the entries of a segment"))

    def _transferred(self) -> None:
        store, transfer = self._now_at(), self._transfer
        assert transfer is not None
        self._steps.begin()
        if transfer.aborted:
            store.tries += 1
            if store.tries < TRIES_MAX:
                self._start(transfer.segment, transfer.reader)
            else:
                self._fail(NotFetched.DEVICE_ABORTED)
            return
        self._before, self._transfer = transfer, None
        if transfer.settled_whole:
            store.whole.append(transfer.segment)
            if self._settings.clear and store.clears_each:
                self._clearing.start(store, [transfer.segment])
            else:
                self._next_segment()
        else:
            self._next_segment()

    def _fail(self, why: NotFetched) -> None:
        transfer = self._transfer
        assert transfer is not None
        self._requests.emit(SegmentNotFetched(transfer.store, transfer.segment.number, why))
        self._next_segment()

    def _silent(self, what: str) -> None:
        """Skip the current PM-store after a timeout. `what` names the missing response."""
        store, transfer = self._now_at(), self._transfer
        self._requests.notes.add(Oddity.STORE_SILENT, handle=store.handle, what=what)
        number = None if transfer is None else transfer.segment.number
        self._requests.emit(SegmentNotFetched(store.handle, number, NotFetched.SILENT))
        self._next_store()

    # Clearing.

    def _after_clearing(self) -> None:
        if self._now_at().clears_each:
            self._next_segment()
        else:
            self._next_store()

    def _act(self, action: ActionType, data: bytes, done: Callable[[Received], None]) -> None:
        self._steps.act(self._now_at(), action, data, done, self._settings.to_action_s)

    def _now_at(self) -> Store:
        assert self._store is not None, "a step belongs to a store"
        return self._store
