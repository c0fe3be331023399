"""A PM-store is fetched once and acknowledged only when its entries are durable.

The PM-store is cleared only if the settings require this and all its entries are stored.
"""

import pytest

from protocols.ieee11073.apdu.data import ErrorValue
from protocols.ieee11073.apdu.pm_store import (
    CAPABILITY_CLEAR_BY_LIST,
    CAPABILITY_VARIABLE_SEGMENTS,
    TransferResult,
)
from protocols.ieee11073.association.agent_service import Refused
from protocols.ieee11073.association.events import Aborted, Released
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.segment_events import SegmentDataReceived, SegmentsCleared
from protocols.ieee11073.association.settings import PmStoreSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.reports import Reading, fixed_report
from tests.builders.memory_devices import METER, HeldMemory, MemoryPair, meter_segment, minute
from tests.builders.memory_scripts import ONLY, SILENT, ScriptedStore, Sent, info_list

CLEAR = PmStoreSettings(clear=True)
FIRST, AGENT_ABORT, CONFIRM = 0x8000, 0x0800, 0x0080


def scripted(store: ScriptedStore, settings: PmStoreSettings | None = None) -> MemoryPair:
    return MemoryPair(HeldMemory([]), settings=settings, agent_store=store)


def test_all_segments_are_fetched_in_order_and_not_cleared_by_default() -> None:
    memory = HeldMemory([meter_segment(1, range(5)), meter_segment(2, [10]), meter_segment(3, range(20, 27))])
    pair = MemoryPair(memory).run()
    assert pair.minutes == [0, 1, 2, 3, 4, 10, 20, 21, 22, 23, 24, 25, 26]
    assert (memory.cleared, pair.of(SegmentsCleared), pair.not_fetched) == ([], [], [])
    assert [event.first_entry for event in pair.of(SegmentDataReceived)] == [0, 2, 4, 0, 0, 2, 4, 6]
    assert [bool(event.whole) for event in pair.of(SegmentDataReceived) if event.last] == [True] * 3


def test_segments_are_not_fetched_when_the_operator_disables_fetching() -> None:
    pair = MemoryPair(HeldMemory([meter_segment(1, range(5))]), settings=PmStoreSettings(fetch=False)).run()
    assert pair.minutes == []


def test_fetched_segment_is_fetched_again_only_after_it_changed() -> None:
    memory = HeldMemory([meter_segment(1, range(5))])
    pair = MemoryPair(memory).run()
    again = MemoryPair(memory, fetched=pair.fetched).run()
    assert again.minutes == []
    memory.held = [meter_segment(1, range(6))]
    grown = MemoryPair(memory, fetched=pair.fetched).run()
    assert grown.minutes == [0, 1, 2, 3, 4, 5]  # they have dates, so content identifies a repeated entry


def test_segment_without_a_start_date_is_fetched_in_each_association() -> None:
    segment = meter_segment(1, range(3))
    attributes = {key: value for key, value in segment.attributes.items() if key != Attribute.SEGMENT_START_ABSOLUTE}
    memory = HeldMemory([type(segment)(1, segment.entries, attributes)])
    pair = MemoryPair(memory).run()
    assert MemoryPair(memory, fetched=pair.fetched).run().minutes == [0, 1, 2]


def test_segment_entries_are_acknowledged_only_when_they_are_durable() -> None:
    store = ScriptedStore([[meter_segment(1, [0, 1])]], [Sent(0, [0, 1], ONLY)])
    pair = scripted(store)
    pair.holds = True
    pair.run()
    assert (len(pair.held), store.answers) == (1, [])
    pair.commit()
    assert store.answers == [ONLY | CONFIRM]


def test_segment_data_refused_too_often_is_reported_as_not_fetched_with_the_reason_store_full() -> None:
    memory = HeldMemory([meter_segment(1, range(4))])
    pair = MemoryPair(memory)
    pair.refuse = 2
    pair.run()
    assert (pair.minutes, pair.not_fetched) == ([0, 1, 2, 3], [])
    full = MemoryPair(memory)
    full.refuse = 99
    full.run()
    assert (full.minutes, full.not_fetched) == ([], [(1, "STORE_FULL")])
    assert full.manager.state is State.OPERATING


def test_each_segment_is_cleared_after_its_entries_are_durable() -> None:
    memory = HeldMemory([meter_segment(1, range(5)), meter_segment(2, [10])])
    pair = MemoryPair(memory, settings=CLEAR).run()
    assert (memory.cleared, memory.held) == ([1, 2], [])
    order = [type(event).__name__ for event in pair.told if isinstance(event, SegmentDataReceived | SegmentsCleared)]
    assert order == ["SegmentDataReceived"] * 3 + ["SegmentsCleared", "SegmentDataReceived", "SegmentsCleared"]


def test_pm_store_that_can_only_be_cleared_whole_is_cleared_when_all_segments_are_durable() -> None:
    memory = HeldMemory([meter_segment(1, range(5)), meter_segment(2, []), meter_segment(3, [9])])
    pair = MemoryPair(memory, settings=CLEAR, capability=CAPABILITY_VARIABLE_SEGMENTS).run()
    assert memory.cleared == [1, 2, 3]
    assert [event.segments for event in pair.of(SegmentsCleared)] == [(1, 3)]


def test_pm_store_is_not_cleared_as_a_whole_while_one_segment_is_missing() -> None:
    memory = HeldMemory([meter_segment(1, range(5)), meter_segment(2, [9])])
    pair = MemoryPair(memory, settings=CLEAR, capability=CAPABILITY_VARIABLE_SEGMENTS)
    pair.refuse = 3
    pair.run()
    assert (pair.not_fetched, pair.minutes, memory.cleared) == ([(1, "STORE_FULL")], [9], [])


def test_previously_fetched_segments_are_cleared_after_the_operator_enables_clearing() -> None:
    memory = HeldMemory([meter_segment(1, range(5))])
    pair = MemoryPair(memory).run()
    later = MemoryPair(memory, fetched=pair.fetched, settings=CLEAR).run()
    assert (later.minutes, memory.cleared) == ([], [1])


def test_segment_that_grew_during_its_transfer_is_not_cleared() -> None:
    listed, grown = meter_segment(1, range(2)), meter_segment(1, range(3))
    store = ScriptedStore(
        [[listed], [grown]],
        [Sent(0, [0, 1], ONLY)],
        attributes={Attribute.PM_STORE_CAPABILITY: CAPABILITY_CLEAR_BY_LIST.to_bytes(2, "big")},
    )
    pair = scripted(store, CLEAR).run()
    assert (pair.minutes, pair.of(SegmentsCleared)) == ([0, 1], [])
    assert store.asked == ["GET", "SEG_GET_INFO", "SEG_TRIG_XFER", "SEG_GET_INFO"]


def test_segment_without_a_usage_count_is_not_cleared() -> None:
    segment = meter_segment(1, range(2))
    avas = tuple(ava for ava in segment.info.seg_info if ava.attribute_id != Attribute.SEGMENT_USAGE_COUNT)
    info = info_list(type(segment.info)(1, avas))
    store = ScriptedStore([info], [Sent(0, [0, 1], ONLY)])
    pair = scripted(store, CLEAR).run()
    assert (pair.minutes, pair.of(SegmentsCleared)) == ([0, 1], [])


@pytest.mark.parametrize(
    ("results", "why"),
    [
        ([TransferResult.NO_SUCH_SEGMENT], "NO_SUCH_SEGMENT"),
        ([TransferResult.OTHER_FAILURE], "FAILED"),
        ([TransferResult(0x777)], "FAILED"),
        ([TransferResult.CLEAR_IN_PROCESS], "BEING_CLEARED"),
    ],
)
def test_refused_segment_transfer_is_reported_and_the_next_segment_is_requested(
    results: list[TransferResult], why: str
) -> None:
    pair = scripted(ScriptedStore([[meter_segment(1, [0]), meter_segment(2, [5])]], results=results)).run()
    pair.wait(20.0)
    assert pair.not_fetched == [(1, why), (2, why)]
    assert pair.manager.state is State.OPERATING


def test_segment_transfer_is_retried_after_the_result_clear_in_process() -> None:
    store = ScriptedStore(
        [[meter_segment(1, [0])]],
        [Sent(0, [0], ONLY)],
        [TransferResult.CLEAR_IN_PROCESS, TransferResult.CLEAR_IN_PROCESS, TransferResult.SUCCESSFUL],
    )
    pair = scripted(store).run()
    assert pair.minutes == []
    pair.wait(2.5)
    assert pair.minutes == [0]


def test_empty_segment_is_neither_requested_nor_cleared() -> None:
    store = ScriptedStore([[meter_segment(1, []), meter_segment(2, [3])]], results=[TransferResult.SEGMENT_EMPTY])
    pair = scripted(store, CLEAR).run()
    assert (pair.minutes, pair.not_fetched) == ([], [])
    assert store.asked.count("SEG_TRIG_XFER") == 1
    assert pair.of(SegmentsCleared) == []


def test_segment_transfer_aborted_by_the_device_is_retried_a_limited_number_of_times() -> None:
    broken = [Sent(0, [0], FIRST), Sent(1, [], AGENT_ABORT)]
    once = ScriptedStore([[meter_segment(1, [0, 1])]], [*broken, Sent(0, [0, 1], ONLY)])
    pair = scripted(once).run()
    assert (pair.minutes, pair.not_fetched) == ([0, 0, 1], [])
    always = ScriptedStore([[meter_segment(1, [0, 1])]], broken * 5)
    pair = scripted(always).run()
    assert pair.not_fetched == [(1, "DEVICE_ABORTED")]


def test_stalled_segment_transfer_times_out_and_live_reports_continue() -> None:
    store = ScriptedStore([[meter_segment(1, [0, 1])]], [Sent(0, [0], FIRST)])
    pair = scripted(store).run()
    pair.wait(29.0)
    assert pair.not_fetched == []
    pair.wait(2.0)
    assert pair.not_fetched == [(1, "SILENT")]
    pair.agent.report(fixed_report(METER, [Reading(1, 99.0, minute(50))]), confirmed=True, now_s=pair.now_s)
    pair.exchange()
    assert len(pair.of(ReportReceived)) == 1


def test_segment_transfer_times_out_after_the_time_in_the_transfer_timeout_attribute_of_the_segment() -> None:
    segment = meter_segment(1, [0, 1], more={Attribute.TRANSFER_TIMEOUT: (5 * 8000).to_bytes(4, "big")})
    pair = scripted(ScriptedStore([[segment]], [Sent(0, [0], FIRST)])).run()
    pair.wait(4.0)
    assert pair.not_fetched == []
    pair.wait(2.0)
    assert pair.not_fetched == [(1, "SILENT")]


def test_pm_store_that_does_not_respond_is_reported_without_aborting_the_association() -> None:
    for store in (
        ScriptedStore([[meter_segment(1, [0])]], describes=SILENT),
        ScriptedStore([SILENT]),
        ScriptedStore([[meter_segment(1, [0])]], triggering=SILENT),
    ):
        pair = scripted(store).run()
        pair.wait(10.0)
        assert [why for _, why in pair.not_fetched] == ["SILENT"]
        assert pair.of(Aborted) == []


def test_segments_are_fetched_from_a_pm_store_that_refuses_the_get_of_its_attributes() -> None:
    store = ScriptedStore(
        [[meter_segment(1, [0])]], [Sent(0, [0], ONLY)], describes=Refused(ErrorValue.NO_SUCH_OBJECT_INSTANCE)
    )
    assert scripted(store).run().minutes == [0]


def test_pm_store_with_an_undecodable_segment_list_is_reported_as_refused() -> None:
    refused = Refused(ErrorValue.NOT_ALLOWED_BY_OBJECT)
    for infos in (refused, b"\0\1\0\0", b"\0"):
        pair = scripted(ScriptedStore([infos])).run()
        assert pair.not_fetched == [(None, "REFUSED")]


def test_refused_or_unacknowledged_segment_clearing_does_not_end_the_association() -> None:
    capability = {
        Attribute.PM_STORE_CAPABILITY: CAPABILITY_CLEAR_BY_LIST.to_bytes(2, "big"),
        Attribute.CLEAR_TIMEOUT: (6 * 8000).to_bytes(4, "big"),
    }
    segments = [meter_segment(1, [0])]
    for clearing in (Refused(ErrorValue.NOT_ALLOWED_BY_OBJECT), SILENT):
        store = ScriptedStore([segments], [Sent(0, [0], ONLY)], attributes=dict(capability), clearing=clearing)
        pair = scripted(store, CLEAR).run()
        pair.wait(7.0)
        assert store.asked[-1] == "SEG_CLR"
        assert (pair.minutes, pair.of(SegmentsCleared), pair.of(Aborted)) == ([0], [], [])


def test_segment_data_that_arrives_before_the_trigger_response_is_accepted() -> None:
    store = ScriptedStore([[meter_segment(1, [0])]], [Sent(0, [0], ONLY)], sends_at_once=True)
    pair = scripted(store).run()
    assert (pair.minutes, store.answers, pair.not_fetched) == ([0], [ONLY | CONFIRM], [])


def test_live_reports_are_received_between_segment_data_events() -> None:
    pair = scripted(ScriptedStore([[meter_segment(1, [0, 1])]], [Sent(0, [0], FIRST)])).run()
    for value in range(3):
        pair.agent.report(fixed_report(METER, [Reading(1, value, minute(90 + value))]), confirmed=True, now_s=0.0)
        pair.exchange()
    assert len(pair.of(ReportReceived)) == 3
    assert pair.minutes == [0]


def test_release_during_a_segment_transfer_waits_for_the_pending_acknowledgement() -> None:
    store = ScriptedStore([[meter_segment(1, [0, 1])]], [Sent(0, [0], FIRST)])
    pair = scripted(store)
    pair.holds = True
    pair.run()
    pair.handle(pair.manager.release(pair.now_s))
    assert pair.manager.to_send() == b""
    pair.commit()
    assert store.answers == [FIRST | CONFIRM]
    assert pair.of(Released)
    assert pair.manager.state is State.UNASSOCIATED


def test_segment_entries_stored_after_the_association_ended_are_not_acknowledged() -> None:
    pair = MemoryPair(HeldMemory([meter_segment(1, range(4))]))
    pair.holds = True
    pair.run()
    pair.handle(pair.manager.abort())
    pair.manager.to_send()
    pair.commit()
    assert pair.manager.to_send() == b""
    assert pair.minutes == [0, 1]
