"""The structures of a PM-store byte by byte: the reference's worked examples are decoded and encoded exactly."""

import pytest

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag, Prst, body_of, decode_apdu, decode_data, encode_data
from protocols.ieee11073.apdu.actions import ActionType
from protocols.ieee11073.apdu.attributes import AttrValMapEntry, AvaType, Type
from protocols.ieee11073.apdu.data import (
    ActionArgument,
    ActionResult,
    EventReportArgument,
    EventReportResult,
    EventType,
)
from protocols.ieee11073.apdu.pm_store import (
    HEADER_ABSOLUTE_TIME,
    STATUS_FIRST_ENTRY,
    STATUS_LAST_ENTRY,
    STATUS_MANAGER_CONFIRM,
    AllSegments,
    InstanceNumber,
    SegmentDataDescription,
    SegmentDataEvent,
    SegmentDataResult,
    SegmentEntryElement,
    SegmentEntryMap,
    SegmentInfo,
    SegmentList,
    SegmentSelection,
    TimeRange,
    TransferResult,
    TriggerResult,
    decode_selection,
    encode_selection,
)
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.mder import decode, encode, encode_list

NOON, LATER = bytes.fromhex("2026030114000000"), bytes.fromhex("2026030114100000")
GET_INFO = "E70000140012000B0107000C00090C0D0006000100020000"
INFO_LIST = (
    "E70000460044000B0207003E00090C0D00380001003400010004002E0922000200010A4E0016800000010010000600024BB80001000100040A"
    "4C0002097B000400000002095300020001"
)
TRIGGER = "E7000010000E000C0107000800090C1C00020001"
TRIGGERED = "E70000120010000C0207000A00090C1C000400010000"
ENTRIES = (
    "E70000340032000D0101002C0009FFFFFFFF0D21002200010000000000000002C00000142026030114000000006120260301141000000060"
)
CONFIRMED = "E700001E001C000D020100160009000000000D21000C00010000000000000002C080"
OXIMETER_MAP = SegmentEntryMap(
    HEADER_ABSOLUTE_TIME, (SegmentEntryElement(6, Type(2, 19384), 1, (AttrValMapEntry(Attribute.NU_BASIC, 2),)),)
)
INFO = SegmentInfo(
    1,
    (
        AvaType(Attribute.INSTANCE_NUMBER, b"\0\1"),
        AvaType(Attribute.SEGMENT_MAP, encode(OXIMETER_MAP)),
        AvaType(Attribute.SEGMENT_USAGE_COUNT, bytes.fromhex("00000002")),
        AvaType(Attribute.OPERATIONAL_STATE, b"\0\1"),
    ),
)
TWO_ENTRIES = SegmentDataDescription(1, 0, 2, STATUS_FIRST_ENTRY | STATUS_LAST_ENTRY)
EXAMPLES = {
    "E22": (
        GET_INFO,
        MessageTag.CONFIRMED_ACTION,
        ActionArgument(9, ActionType.SEG_GET_INFO, encode_selection(AllSegments())),
    ),
    "E23": (INFO_LIST, MessageTag.ACTION_RESULT, ActionResult(9, ActionType.SEG_GET_INFO, encode_list((INFO,)))),
    "E24": (
        TRIGGER,
        MessageTag.CONFIRMED_ACTION,
        ActionArgument(9, ActionType.SEG_TRIG_XFER, encode(InstanceNumber(1))),
    ),
    "E25": (
        TRIGGERED,
        MessageTag.ACTION_RESULT,
        ActionResult(9, ActionType.SEG_TRIG_XFER, encode(TriggerResult(1, TransferResult.SUCCESSFUL))),
    ),
    "E26": (
        ENTRIES,
        MessageTag.CONFIRMED_EVENT_REPORT,
        EventReportArgument(
            9,
            0xFFFF_FFFF,
            EventType.SEGMENT_DATA,
            encode(SegmentDataEvent(TWO_ENTRIES, NOON + b"\0\x61" + LATER + b"\0\x60")),
        ),
    ),
    "E27": (
        CONFIRMED,
        MessageTag.EVENT_REPORT_RESULT,
        EventReportResult(
            9,
            0,
            EventType.SEGMENT_DATA,
            encode(SegmentDataResult(SegmentDataDescription(1, 0, 2, 0xC000 | STATUS_MANAGER_CONFIRM))),
        ),
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_worked_pm_store_example_is_decoded_and_encoded_to_the_same_bytes(name: str) -> None:
    octets, message, body = EXAMPLES[name]
    found = decode_apdu(bytes.fromhex(octets))
    assert isinstance(found, Prst)
    data = decode_data(found.data)
    assert (data.message, body_of(data)) == (message, body)
    assert encode_data(data.invoke_id, message, body) == bytes.fromhex(octets)


SELECTIONS: tuple[tuple[SegmentSelection, str], ...] = (
    (AllSegments(), "0001 0002 0000"),
    (SegmentList(()), "0002 0004 0000 0000"),
    (SegmentList((1, 7)), "0002 0008 0002 0004 0001 0007"),
    (TimeRange(NOON, LATER), "0003 0010 2026030114000000 2026030114100000"),
)


@pytest.mark.parametrize(("selection", "octets"), SELECTIONS)
def test_each_form_of_segment_selection_is_encoded_and_decoded(selection: SegmentSelection, octets: str) -> None:
    assert encode_selection(selection) == bytes.fromhex(octets)
    assert decode_selection(bytes.fromhex(octets)) == selection


@pytest.mark.parametrize("octets", [bytes.fromhex(octets) for _, octets in SELECTIONS])
def test_truncated_or_overlong_segment_selection_is_refused(octets: bytes) -> None:
    for wrong in [*(octets[:length] for length in range(len(octets))), octets + b"\0"]:
        with pytest.raises(RemoteProtocolError):
            decode_selection(wrong)


@pytest.mark.parametrize("octets", ["0004 0002 0000", "0001 0000", "0001 0004 00000000", "0003 0008 2026030114000000"])
def test_segment_selection_of_unknown_form_is_refused(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_selection(bytes.fromhex(octets))


def test_unknown_segment_transfer_result_is_kept_as_its_number() -> None:
    assert decode(TriggerResult, bytes.fromhex("0001 0200")).trig_segm_xfer_rsp is TransferResult.OTHER_FAILURE
    assert int(decode(TriggerResult, bytes.fromhex("0001 0777")).trig_segm_xfer_rsp) == 0x777
