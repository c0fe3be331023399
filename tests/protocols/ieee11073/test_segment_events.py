"""The manager stores, acknowledges or rejects repeated, early, miscounted or unrequested segment data events."""

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.apdu import MessageTag, encode_data
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ErrorValue, EventReportArgument, EventType, RejectProblem
from protocols.ieee11073.apdu.pm_store import CAPABILITY_CLEAR_BY_LIST, SegmentInfo
from protocols.ieee11073.association.agent_pm_store import StoredSegment
from protocols.ieee11073.association.agent_service import Refused
from protocols.ieee11073.association.events import Aborted
from protocols.ieee11073.association.fetched_segments import RememberedSegments
from protocols.ieee11073.association.pm_stores import SEGMENTS_MAX
from protocols.ieee11073.association.segment_events import SegmentDataReceived, SegmentsCleared
from protocols.ieee11073.association.settings import PmStoreSettings
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.segment_writing import entry_map
from protocols.ieee11073.mder import encode
from protocols.ieee11073.tolerances import Oddity
from tests.builders.ieee11073_apdus import rorj
from tests.builders.memory_devices import METER, STORE, HeldMemory, MemoryPair, meter_entry, meter_segment
from tests.builders.memory_scripts import ONLY, SILENT, ScriptedStore, Sent, event_info, info_list

FIRST, LAST, CONFIRM, MANAGER_ABORT = 0x8000, 0x4000, 0x0080, 0x0008
THREE = meter_segment(1, [0, 1, 2])


def fetched(*events: Sent, segment: StoredSegment = THREE) -> tuple[MemoryPair, ScriptedStore]:
    """Fetch a segment from a device that sends these events, each after the acknowledgement of the previous event.

    The manager clears fetched segments, and the store can be cleared by a list of segments. Return the pair of manager
    and device, and the device's store.
    """
    store = ScriptedStore(
        [[segment]],
        list(events),
        attributes={Attribute.PM_STORE_CAPABILITY: CAPABILITY_CLEAR_BY_LIST.to_bytes(2, "big")},
    )
    return MemoryPair(HeldMemory([]), settings=PmStoreSettings(clear=True), agent_store=store).run(), store


def oddities(pair: MemoryPair) -> set[Oddity | None]:
    return {Oddity[event.key.upper()] for event in pair.of(Deviation)}


def test_repeated_segment_event_is_acknowledged_and_not_stored_twice() -> None:
    pair, store = fetched(Sent(0, [0, 1], FIRST), Sent(0, [0, 1], FIRST), Sent(2, [2], LAST), Sent(2, [2], LAST))
    assert pair.minutes == [0, 1, 2]
    assert store.answers == [FIRST | CONFIRM, FIRST | CONFIRM, LAST | CONFIRM, LAST | CONFIRM]
    assert Oddity.SEGMENT_ENTRIES_REPEATED in oddities(pair)
    assert pair.of(SegmentsCleared)


def test_overlapping_segment_entries_are_stored_once() -> None:
    pair, store = fetched(Sent(0, [0, 1], FIRST), Sent(1, [1, 2], LAST))
    assert (pair.minutes, store.answers) == ([0, 1, 2], [FIRST | CONFIRM, LAST | CONFIRM])


def test_segment_event_is_not_acknowledged_until_the_device_repeats_missing_entries() -> None:
    pair, store = fetched(Sent(0, [0], FIRST), Sent(2, [2], LAST), Sent(1, [1, 2], LAST))
    assert store.answers == [FIRST | CONFIRM, LAST, LAST | CONFIRM]
    assert (pair.minutes, pair.not_fetched) == ([0, 1, 2], [])
    assert Oddity.SEGMENT_INDEX_GAP in oddities(pair)


def test_segment_transfer_is_aborted_when_the_same_entries_are_missing_again() -> None:
    pair, store = fetched(Sent(0, [0], FIRST), *[Sent(2, [2], LAST)] * 3)
    assert store.answers == [FIRST | CONFIRM, LAST, LAST, LAST | MANAGER_ABORT]
    assert (pair.minutes, pair.not_fetched, pair.of(SegmentsCleared)) == ([0], [(1, "GAP")], [])


def test_transfer_that_starts_with_a_segment_event_not_marked_as_first_is_refused() -> None:
    _, store = fetched(Sent(2, [2], LAST))
    assert store.answers == [LAST]
    pair, store = fetched(Sent(1, [0, 1, 2], ONLY))
    assert (pair.minutes, store.answers) == ([0, 1, 2], [ONLY | CONFIRM])
    assert Oddity.SEGMENT_INDEX_START in oddities(pair)
    assert [event.first_entry for event in pair.of(SegmentDataReceived)] == [0]


@pytest.mark.parametrize("sent", [Sent(0, [0, 1, 2], ONLY, count=2), Sent(0, [0, 1], ONLY, count=3)])
def test_segment_with_a_wrong_entry_count_in_an_event_is_stored_and_not_cleared(sent: Sent) -> None:
    pair, store = fetched(sent)
    assert (pair.minutes, store.answers) == (list(sent.minutes), [ONLY | CONFIRM])
    assert Oddity.SEGMENT_COUNT_OTHER in oddities(pair)
    assert pair.of(SegmentsCleared) == []
    last = pair.of(SegmentDataReceived)[-1]
    assert (last.whole, last.through) == (b"", 0)


def test_segment_with_a_partial_last_entry_is_not_cleared() -> None:
    pair, _ = fetched(Sent(0, [0, 1, 2], ONLY, tail=b"\x20\x26"))
    assert pair.minutes == [0, 1, 2]
    assert Oddity.SEGMENT_ENTRY_CUT in oddities(pair)
    assert pair.of(SegmentsCleared) == []


def test_segment_with_fewer_entries_than_its_usage_count_is_fetched_again_and_not_cleared() -> None:
    pair, _ = fetched(Sent(0, [0, 1], ONLY))
    assert (pair.minutes, pair.of(SegmentsCleared)) == ([0, 1], [])
    assert Oddity.SEGMENT_SHORT in oddities(pair)
    store = ScriptedStore([[THREE]], [Sent(0, [0, 1, 2], ONLY)])
    assert MemoryPair(HeldMemory([]), agent_store=store, fetched=pair.fetched).run().minutes == [0, 1, 2]


def test_unrequested_segment_entries_are_refused() -> None:
    pair, store = fetched(Sent(0, [7], ONLY, segment=4), Sent(0, [0, 1, 2], ONLY))
    assert (pair.minutes, store.answers) == ([0, 1, 2], [ONLY | MANAGER_ABORT, ONLY | CONFIRM])
    assert Oddity.SEGMENT_UNASKED in oddities(pair)


def unconfirmed(pair: MemoryPair, sent: Sent) -> None:
    report = EventReportArgument(STORE, 0xFFFF_FFFF, EventType.SEGMENT_DATA, event_info(sent))
    octets = encode_data(77, MessageTag.EVENT_REPORT, report)
    pair.handle(pair.manager.receive(octets, pair.now_s))
    pair.exchange()


def test_unconfirmed_segment_events_are_stored_and_get_no_response() -> None:
    pair, store = fetched()
    unconfirmed(pair, Sent(0, [0, 1], FIRST))
    unconfirmed(pair, Sent(2, [2], LAST))
    assert (pair.minutes, store.answers) == ([0, 1, 2], [])
    assert [event.segments for event in pair.of(SegmentsCleared)] == [(1,)]


def test_unconfirmed_segment_events_that_cannot_be_stored_are_reported_as_not_fetched() -> None:
    pair, _ = fetched()
    pair.refuse = 1
    unconfirmed(pair, Sent(0, [0, 1], FIRST))
    assert (pair.minutes, pair.not_fetched) == ([], [(1, "STORE_FULL")])
    pair, _ = fetched()
    unconfirmed(pair, Sent(0, [0], FIRST))
    unconfirmed(pair, Sent(2, [2], LAST))
    assert (pair.minutes, pair.not_fetched, pair.of(SegmentsCleared)) == ([0], [(1, "GAP")], [])


def test_malformed_segment_event_is_rejected_and_the_association_continues() -> None:
    pair, _ = fetched()
    report = EventReportArgument(STORE, 0xFFFF_FFFF, EventType.SEGMENT_DATA, event_info(Sent(0, [0]))[:-1])
    events = pair.manager.receive(encode_data(78, MessageTag.CONFIRMED_EVENT_REPORT, report), pair.now_s)
    assert pair.manager.to_send() == rorj(78, RejectProblem.BADLY_STRUCTURED_APDU)
    assert not any(isinstance(event, Aborted) for event in events)


UNDATED = {Attribute.SEGMENT_MAP: encode(entry_map(METER, [1], 0))}


def undated(*values: int) -> StoredSegment:
    """Return a segment whose entries have no time, so that only their position distinguishes equal values."""
    return StoredSegment(1, tuple(meter_entry(0, value)[8:] for value in values), UNDATED)


def test_segment_entries_without_a_time_are_not_stored_twice_in_the_next_association() -> None:
    remembered = RememberedSegments()
    whole = MemoryPair(HeldMemory([undated(90, 91, 92, 93)])).run()
    first = MemoryPair(HeldMemory([undated(90, 91, 92, 93)]), fetched=remembered)
    first.cut_to_manager = whole.to_manager_bytes - 1
    first.run()
    had = [observation.value for observation in first.durable]
    assert 0 < len(had) < 4
    again = MemoryPair(HeldMemory([undated(90, 91, 92, 93)]), fetched=remembered).run()
    assert had + [observation.value for observation in again.durable] == [90.0, 91.0, 92.0, 93.0]
    other = MemoryPair(HeldMemory([undated(80, 81)]), fetched=remembered).run()
    assert [observation.value for observation in other.durable] == [80.0, 81.0]


def test_segment_with_an_undecodable_segment_map_is_not_cleared() -> None:
    odd = StoredSegment(
        1, THREE.entries, {Attribute.SEGMENT_MAP: b"\xff" + THREE.attributes[Attribute.SEGMENT_MAP][1:]}
    )
    mapless = info_list(SegmentInfo(3, (AvaType(Attribute.SEGMENT_USAGE_COUNT, bytes(4)),)))
    memory = HeldMemory([odd, meter_segment(2, [5])])
    pair = MemoryPair(memory, settings=PmStoreSettings(clear=True)).run()
    assert (pair.minutes, pair.not_fetched, memory.cleared) == ([5], [(1, "UNREADABLE")], [2])
    assert Oddity.SEGMENT_UNREADABLE in oddities(pair)
    pair = MemoryPair(HeldMemory([]), agent_store=ScriptedStore([mapless])).run()
    assert pair.not_fetched == [(3, "UNREADABLE")]


def test_pm_store_request_that_is_refused_or_gets_no_response_is_reported_as_a_deviation() -> None:
    store = ScriptedStore([Refused(ErrorValue.NOT_ALLOWED_BY_OBJECT)])
    pair = MemoryPair(HeldMemory([]), agent_store=store).run()
    assert Oddity.STORE_REFUSED in oddities(pair)
    pair = MemoryPair(HeldMemory([]), agent_store=ScriptedStore([SILENT])).run()
    pair.wait(5.0)
    assert Oddity.STORE_SILENT in oddities(pair)


def test_segment_is_not_cleared_when_it_changed_after_its_transfer() -> None:
    store = ScriptedStore([[meter_segment(1, [0])], [meter_segment(1, [0, 1])]], [Sent(0, [0], ONLY)])
    pair = MemoryPair(HeldMemory([]), settings=PmStoreSettings(clear=True), agent_store=store).run()
    assert pair.of(SegmentsCleared) == []
    store.attributes = {Attribute.PM_STORE_CAPABILITY: CAPABILITY_CLEAR_BY_LIST.to_bytes(2, "big")}
    store.infos, store.events = [[meter_segment(2, [0])], [meter_segment(2, [0, 1])]], [Sent(0, [0], ONLY, segment=2)]
    pair.manager.pm_stores.begin()
    pair.exchange()
    assert Oddity.SEGMENT_CHANGED in oddities(pair)
    assert pair.of(SegmentsCleared) == []


def test_segment_list_over_the_limit_is_truncated_with_a_deviation() -> None:
    store = ScriptedStore([info_list(*(SegmentInfo(number, ()) for number in range(SEGMENTS_MAX + 1)))])
    pair = MemoryPair(HeldMemory([]), agent_store=store).run()
    assert Oddity.STORE_SEGMENTS_MANY in oddities(pair)
    assert len(pair.not_fetched) == SEGMENTS_MAX


def test_segment_data_is_stored_when_its_trigger_request_got_no_response() -> None:
    store = ScriptedStore([[meter_segment(1, [0]), meter_segment(2, [5])]], [Sent(0, [0], ONLY)], triggering=SILENT)
    pair = MemoryPair(HeldMemory([]), agent_store=store).run()
    store.send_next()
    pair.exchange()
    assert pair.minutes == [0]
    pair.wait(30.0)
    assert pair.not_fetched == [(2, "SILENT")]
