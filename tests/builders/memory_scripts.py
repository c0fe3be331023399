"""A PM-store that follows a test's script, correct or not, and records the responses to its events."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols.ieee11073.apdu.actions import ActionType
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ErrorResult, EventReportResult, EventType
from protocols.ieee11073.apdu.pm_store import (
    STATUS_FIRST_ENTRY,
    STATUS_LAST_ENTRY,
    SegmentDataDescription,
    SegmentDataEvent,
    SegmentDataResult,
    SegmentInfo,
    TransferResult,
    TriggerResult,
)
from protocols.ieee11073.association.agent_pm_store import StoredSegment
from protocols.ieee11073.association.agent_service import Acted, AgentService, Refusal, Silent
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.mder import decode, encode, encode_list
from tests.builders.memory_devices import STORE, meter_entry

ONLY = STATUS_FIRST_ENTRY | STATUS_LAST_ENTRY


@dataclass(frozen=True, slots=True)
class Sent:
    """One segment data event, with an entry for each of `minutes`. `count` is the declared number of entries, None for
    the true number; `index` is the index of the first entry."""

    index: int
    minutes: Sequence[int]
    status: int = 0
    count: int | None = None
    tail: bytes = b""
    segment: int = 1


@dataclass
class ScriptedStore(AgentService):
    """A PM-store with scripted responses.

    `infos` are the responses to successive requests for segment information, `results` the responses to successive
    triggers of a transfer; the last response is repeated. `events` are sent after a trigger, each once the previous
    event is acknowledged. `answers` are the status bits of the acknowledgements, or -1 for an error. `asked` are the
    requests received.
    """

    infos: list[list[StoredSegment] | bytes | Refusal]
    events: list[Sent] = field(default_factory=list)
    results: list[TransferResult] = field(default_factory=lambda: [TransferResult.SUCCESSFUL])
    attributes: dict[int, bytes] = field(default_factory=dict)
    describes: Refusal | None = None
    clearing: Acted | Refusal = field(default_factory=Acted)
    triggering: Refusal | None = None
    sends_at_once: bool = False
    """If true, the first event with entries is sent before the response to the trigger."""
    answers: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def get(self, handle: int) -> Sequence[AvaType] | Refusal | None:
        if handle != STORE:
            return None
        self.asked.append("GET")
        return self.describes or tuple(AvaType(attribute, value) for attribute, value in self.attributes.items())

    def act(self, handle: int, action_type: int, args: bytes) -> Acted | Refusal | None:
        if handle != STORE:
            return None
        self.asked.append(ActionType(action_type).name)
        if action_type == ActionType.SEG_GET_INFO:
            told = self.infos.pop(0) if len(self.infos) > 1 else self.infos[0]
            if isinstance(told, list):
                return Acted(encode_list(tuple(segment.info for segment in told)))
            return Acted(told) if isinstance(told, bytes) else told
        if action_type == ActionType.SEG_TRIG_XFER:
            if self.triggering is not None:
                return self.triggering
            result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
            info = encode(TriggerResult(int.from_bytes(args, "big"), result))
            if self.sends_at_once:
                self.send_next()
                return Acted(info)
            return Acted(info, self.send_next if result is TransferResult.SUCCESSFUL else None)
        return self.clearing

    def send_next(self) -> None:
        if self.events:
            sent = self.events.pop(0)
            self.port.confirm(STORE, EventType.SEGMENT_DATA, event_info(sent), to_s=30.0, done=self._note_response)

    def _note_response(self, received: Received) -> None:
        if isinstance(received.body, EventReportResult):
            result = decode(SegmentDataResult, received.body.event_reply_info)
            self.answers.append(result.segm_data_event_descr.segm_evt_status)
        else:
            self.answers.append(-1 if isinstance(received.body, ErrorResult) else -2)
        self.send_next()


def event_info(sent: Sent) -> bytes:
    """Encode the event-info of MDC_NOTI_SEGMENT_DATA for this event."""
    entries = b"".join(map(meter_entry, sent.minutes)) + sent.tail
    count = len(sent.minutes) if sent.count is None else sent.count
    return encode(SegmentDataEvent(SegmentDataDescription(sent.segment, sent.index, count, sent.status), entries))


def info_list(*segments: SegmentInfo) -> bytes:
    return encode_list(segments)


SILENT = Silent()
