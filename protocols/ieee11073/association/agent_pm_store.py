"""The PM-store of an agent: it lists, sends and clears segments on request (reference 20601 §7).

The code that creates the agent stores the segments durably (`Memory`). An event whose response lacks manager-confirm is
sent again; manager-abort ends the transfer. If the association ends during a transfer, the manager has to request the
transfer again. One segment is transferred at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.actions import ActionType
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ErrorValue, EventReportResult, EventType
from protocols.ieee11073.apdu.pm_store import (
    STATUS_FIRST_ENTRY,
    STATUS_LAST_ENTRY,
    STATUS_MANAGER_ABORT,
    STATUS_MANAGER_CONFIRM,
    AllSegments,
    InstanceNumber,
    SegmentDataDescription,
    SegmentDataEvent,
    SegmentDataResult,
    SegmentInfo,
    SegmentList,
    TransferResult,
    TriggerResult,
    decode_selection,
)
from protocols.ieee11073.association.agent_events import SegmentSent
from protocols.ieee11073.association.agent_service import Acted, AgentService, Refusal, Refused
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.segment_writing import EPISODIC_STORE
from protocols.ieee11073.mder import decode, encode, encode_list

REPEATS_MAX = 8
"""Limit of sends of one event. A manager that never confirms it gets nothing more until its next request."""
_ENABLED = 1


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A stored segment. `attributes` lacks instance number, usage count and operational state, which are added when the
    segment is listed."""

    number: int
    entries: tuple[bytes, ...]
    attributes: Mapping[int, bytes]

    @property
    def info(self) -> SegmentInfo:
        known = {
            Attribute.INSTANCE_NUMBER: self.number.to_bytes(2, "big"),
            **self.attributes,
            Attribute.SEGMENT_USAGE_COUNT: len(self.entries).to_bytes(4, "big"),
            Attribute.OPERATIONAL_STATE: _ENABLED.to_bytes(2, "big"),
        }
        return SegmentInfo(self.number, tuple(AvaType(attribute, value) for attribute, value in known.items()))


class Memory(Protocol):
    """Storage of the device's segments, implemented by the code that creates the agent."""

    def segments(self) -> Sequence[StoredSegment]:
        """Return all segments, oldest first."""

    def clear(self, numbers: Sequence[int]) -> None:
        """Clear the segments with these numbers durably, before returning."""


@dataclass(slots=True)
class _Sending:
    segment: StoredSegment
    index: int = 0
    """Index of the first entry that is not confirmed."""
    sent: int = 0
    """Number of entries of the event in flight."""
    tries: int = 0


class AgentPmStore(AgentService):
    """Service for one PM-store of one `AgentAssociation`. The service of a later `AgentAssociation` may use the same
    memory."""

    def __init__(
        self,
        handle: int,
        memory: Memory,
        *,
        capability: int = EPISODIC_STORE,
        entries_per_event: int = 16,
        confirm_timeout_s: float = 3.0,
    ) -> None:
        """Create a PM-store. `entries_per_event` entries must fit into one APDU."""
        self._handle = handle
        self._memory = memory
        self._capability = capability
        self._entries_per_event = entries_per_event
        self._confirm_timeout_s = confirm_timeout_s
        self._sending: _Sending | None = None
        self._listed: dict[int, int] = {}
        """Number of entries of each segment when it was last listed."""

    def end(self) -> None:
        self._sending = None
        self._listed.clear()

    def get(self, handle: int) -> Sequence[AvaType] | Refusal | None:
        if handle != self._handle:
            return None
        segments = self._memory.segments()
        entries = sum(len(segment.entries) for segment in segments)
        attributes = {
            Attribute.HANDLE: handle.to_bytes(2, "big"),
            Attribute.PM_STORE_CAPABILITY: self._capability.to_bytes(2, "big"),
            Attribute.STORE_USAGE_COUNT: entries.to_bytes(4, "big"),
            Attribute.OPERATIONAL_STATE: _ENABLED.to_bytes(2, "big"),
            Attribute.NUMBER_OF_SEGMENTS: len(segments).to_bytes(2, "big"),
        }
        return tuple(AvaType(attribute, value) for attribute, value in attributes.items())

    def act(self, handle: int, action_type: int, args: bytes) -> Acted | Refusal | None:
        if handle != self._handle:
            return None
        if action_type == ActionType.SEG_GET_INFO:
            return self._list_segments(args)
        if action_type == ActionType.SEG_TRIG_XFER:
            return self._trigger(decode(InstanceNumber, args).seg_inst_no)
        if action_type == ActionType.SEG_CLR:
            return self._clear(args)
        return None

    def _selected(self, args: bytes) -> list[StoredSegment] | None:
        """Return the segments of an encoded selection, or None where this kind of selection is not supported."""
        selection, segments = decode_selection(args), self._memory.segments()
        match selection:
            case AllSegments():
                return list(segments)
            case SegmentList(numbers=numbers):
                return [segment for segment in segments if segment.number in numbers]
        return None

    def _list_segments(self, args: bytes) -> Acted | Refusal:
        selected = self._selected(args)
        if selected is None:
            return Refused(ErrorValue.NOT_ALLOWED_BY_OBJECT)
        self._listed.update((segment.number, len(segment.entries)) for segment in selected)
        return Acted(encode_list(tuple(segment.info for segment in selected)))

    def _clear(self, args: bytes) -> Acted | Refusal:
        selected = self._selected(args)
        if selected is None or self._sending is not None or any(map(self._has_grown, selected)):
            return Refused(ErrorValue.NOT_ALLOWED_BY_OBJECT)
        self._memory.clear([segment.number for segment in selected])
        return Acted()

    def _has_grown(self, segment: StoredSegment) -> bool:
        """Return whether clearing a segment could lose entries, because the manager never listed the segment or because
        it has grown since it was last listed."""
        return len(segment.entries) != self._listed.get(segment.number)

    # Entries.

    def _trigger(self, number: int) -> Acted:
        segment = next((each for each in self._memory.segments() if each.number == number), None)
        if segment is None:
            return Acted(encode(TriggerResult(number, TransferResult.NO_SUCH_SEGMENT)))
        if not segment.entries:
            return Acted(encode(TriggerResult(number, TransferResult.SEGMENT_EMPTY)))
        if self._sending is not None:
            return Acted(encode(TriggerResult(number, TransferResult.OTHER_FAILURE)))
        self._sending = _Sending(segment)
        return Acted(encode(TriggerResult(number, TransferResult.SUCCESSFUL)), self._send)

    def _send(self) -> None:
        sending = self._sending
        if sending is None:
            return
        entries = sending.segment.entries
        some = entries[sending.index : sending.index + self._entries_per_event]
        sending.sent, sending.tries = len(some), sending.tries + 1
        status = 0 if sending.index else STATUS_FIRST_ENTRY
        if sending.index + len(some) == len(entries):
            status |= STATUS_LAST_ENTRY
        description = SegmentDataDescription(sending.segment.number, sending.index, len(some), status)
        info = encode(SegmentDataEvent(description, b"".join(some)))
        done = partial(self._take_response, sending)
        self.port.confirm(self._handle, EventType.SEGMENT_DATA, info, to_s=self._confirm_timeout_s, done=done)

    def _take_response(self, sending: _Sending, received: Received) -> None:
        if sending is not self._sending:
            return
        status = STATUS_MANAGER_ABORT  # a refusal (ROER, RORJ) ends the transfer as well
        if isinstance(received.body, EventReportResult):
            try:
                result = decode(SegmentDataResult, received.body.event_reply_info)
                status = result.segm_data_event_descr.segm_evt_status
            except RemoteProtocolError:
                status = 0
        if status & STATUS_MANAGER_CONFIRM:
            sending.index, sending.tries = sending.index + sending.sent, 0
        whole = sending.index == len(sending.segment.entries)
        given_up = not status & STATUS_MANAGER_CONFIRM and (
            status & STATUS_MANAGER_ABORT or sending.tries >= REPEATS_MAX
        )
        if whole or given_up:
            self._sending = None
            self.port.emit(SegmentSent(self._handle, sending.segment.number, whole))
        else:
            self._send()
