"""Data types of PM-stores (a device's memory), their segments and the segment transfer (reference 20601 §7).

SegmSelection is a CHOICE, so it has its own encode and decode functions; all other types are `@sequence` types.
"""

from dataclasses import dataclass

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AttrValMapEntry, AvaType, Type
from protocols.ieee11073.mder import (
    U16,
    U32,
    Bits16,
    Bytes8,
    Handle,
    OctetString,
    OidType,
    OpenIntEnum,
    SequenceOf,
    decode,
    decode_list,
    encode,
    encode_list,
    sequence,
)
from protocols.reader import Reader

CAPABILITY_VARIABLE_SEGMENTS = 0x8000
"""Bits of PM-Store-Capab."""
CAPABILITY_EPISODIC_ENTRIES = 0x0800
CAPABILITY_PERIODIC_ENTRIES = 0x0400
CAPABILITY_SELECT_BY_TIME = 0x0200
CAPABILITY_CLEAR_BY_LIST = 0x0100
CAPABILITY_CLEAR_BY_TIME = 0x0080
CAPABILITY_CLEAR_REMOVES = 0x0040
CAPABILITY_MULTI_PERSON = 0x0008

STATUS_FIRST_ENTRY = 0x8000
"""Bits of segm-evt-status."""
STATUS_LAST_ENTRY = 0x4000
STATUS_AGENT_ABORT = 0x0800
STATUS_MANAGER_CONFIRM = 0x0080
STATUS_MANAGER_ABORT = 0x0008

HEADER_ABSOLUTE_TIME = 0x8000
"""Bits of segm-entry-header: the fields before each entry, lower bit first."""
HEADER_RELATIVE_TIME = 0x4000
HEADER_HIGH_RESOLUTION_TIME = 0x2000

_ALL_SEGMENTS, _SEGMENT_LIST, _TIME_RANGE = 1, 2, 3
_CLAUSE = "20601 §7 SegmSelection"


class TransferResult(OpenIntEnum):
    """TrigSegmXferRsp: the agent's acceptance or refusal of a request to transfer a segment."""

    SUCCESSFUL = 0
    NO_SUCH_SEGMENT = 1
    CLEAR_IN_PROCESS = 2
    SEGMENT_EMPTY = 3
    OTHER_FAILURE = 512


@sequence
class InstanceNumber:
    """Number of a segment: the argument of SEG_TRIG_XFER, and an item of a segm-id-list."""

    seg_inst_no: U16


@sequence
class TriggerResult:
    """The agent's response to SEG_TRIG_XFER, the request to transfer a segment."""

    seg_inst_no: U16
    trig_segm_xfer_rsp: TransferResult


@dataclass(frozen=True, slots=True)
class AllSegments:
    """Selection of every segment of a PM-store."""


@dataclass(frozen=True, slots=True)
class SegmentList:
    """Selection of segments by their numbers."""

    numbers: tuple[int, ...]


@sequence
class TimeRange:
    """Selection of segments between two AbsoluteTimes, both included, where the PM-store supports it."""

    from_time: Bytes8
    to_time: Bytes8


SegmentSelection = AllSegments | SegmentList | TimeRange


def encode_selection(selection: SegmentSelection) -> bytes:
    """Encode a SegmSelection. Raises `LocalProtocolError` for a number or a length that does not fit its field."""
    match selection:
        case AllSegments():
            tag, value = _ALL_SEGMENTS, bytes(2)
        case SegmentList(numbers=numbers):
            tag, value = _SEGMENT_LIST, encode_list(tuple(InstanceNumber(number) for number in numbers))
        case TimeRange():
            tag, value = _TIME_RANGE, encode(selection)
    if len(value) > 0xFFFF:
        raise LocalProtocolError("a selection of segments does not fit its length")
    return tag.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value


def decode_selection(data: bytes) -> SegmentSelection:
    """Decode a SegmSelection from all of `data`. Raises `RemoteProtocolError`."""
    reader = Reader(data, clause=_CLAUSE)
    tag = reader.u16()
    value = reader.take(reader.u16())
    reader.finish()
    if tag == _ALL_SEGMENTS:
        if len(value) != 2:
            raise RemoteProtocolError(f"all-segments has {len(value)} bytes", at=4, clause=_CLAUSE)
        return AllSegments()
    if tag == _SEGMENT_LIST:
        return SegmentList(tuple(item.seg_inst_no for item in decode_list(InstanceNumber, value)))
    if tag == _TIME_RANGE:
        return decode(TimeRange, value)
    raise RemoteProtocolError(f"no selection of segments has the tag {tag}", at=0, clause=_CLAUSE)


@sequence
class SegmentInfo:
    """One item of a SegmentInfoList: the number of a segment, and its attributes."""

    seg_inst_no: U16
    seg_info: SequenceOf[AvaType]


@sequence
class SegmentDataDescription:
    """SegmDataEventDescr: a range of entries of one segment, and the status bits that agent and manager set."""

    segm_instance: U16
    segm_evt_entry_index: U32
    segm_evt_entry_count: U32
    segm_evt_status: Bits16


@sequence
class SegmentDataEvent:
    """One event of a segment transfer (event-info of MDC_NOTI_SEGMENT_DATA), with whole entries in sequence."""

    segm_data_event_descr: SegmentDataDescription
    segm_data_event_entries: OctetString


@sequence
class SegmentDataResult:
    """The manager's response to a segment data event (event-reply-info of MDC_NOTI_SEGMENT_DATA)."""

    segm_data_event_descr: SegmentDataDescription


@sequence
class SegmentEntryElement:
    """One object in the layout of a segment's entries; `attr_val_map` defines the order and lengths of its values."""

    class_id: OidType
    metric_type: Type
    handle: Handle
    attr_val_map: SequenceOf[AttrValMapEntry]


@sequence
class SegmentEntryMap:
    """PmSegmentEntryMap: the layout of each entry of a segment."""

    segm_entry_header: Bits16
    segm_entry_elem_list: SequenceOf[SegmentEntryElement]
