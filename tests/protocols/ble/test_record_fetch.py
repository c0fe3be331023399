"""Fetching stored records gets every new record, also after the device's sequence numbers restarted.

Each fetch ends exactly once.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.ble.interpretation import RecordNumbering
from protocols.ble.record_access import Opcode, Operator, Result
from protocols.ble.record_fetch import RecordDelete, RecordFetch
from protocols.ble.record_procedure import (
    ANSWER_S,
    ASKED_MAX,
    BUSY_PAUSES_S,
    FetchAborted,
    FetchDone,
    FetchRefused,
    FetchTimedOut,
)
from protocols.ble.record_server import RecordServer
from protocols.deviation import Deviation
from protocols.errors import LocalProtocolError, RemoteProtocolError
from tests.builders.ble_record_link import RecordLink, fetching, stored

ALL, NEWEST, ABORT = "01 01", "01 06", "03 00"
SEQUENCE = RecordNumbering.SEQUENCE_NUMBER


def fetch_of(link: RecordLink) -> RecordFetch:
    assert isinstance(link.procedure, RecordFetch)
    return link.procedure


def test_fetch_of_records_40_to_42_sends_the_request_of_the_reference_example() -> None:
    link = fetching(39, 40, 41, 42, after=39).run()
    assert link.written == ["01 03 01 28 00"]
    assert link.numbers == [40, 41, 42]
    assert link.events == [FetchDone(3)]
    assert fetch_of(link).through == 42


def test_fetch_without_a_last_fetched_record_number_requests_all_records() -> None:
    link = fetching(1, 2).run()
    assert (link.written, link.numbers, link.events) == ([ALL], [1, 2], [FetchDone(2)])


def test_newest_record_is_requested_when_the_device_has_no_new_records() -> None:
    link = fetching(40, 41, 42, after=42).run()
    assert link.written == ["01 03 01 2b 00", NEWEST]
    assert (link.numbers, link.events[-1]) == ([42], FetchDone(1))
    assert fetch_of(link).through is None


def test_all_records_are_requested_when_the_meter_restarted_its_sequence_numbers() -> None:
    link = fetching(1, 2, 3, after=500).run()
    assert link.written == ["01 03 01 f5 01", NEWEST, ALL]
    assert link.numbers == [3, 1, 2, 3]
    assert fetch_of(link).through == 3


def test_fetch_near_the_wrap_of_sequence_numbers_requests_all_records() -> None:
    link = fetching(65_534, 65_535, 0, 1, after=65_534).run()
    assert link.written == [ALL]
    assert fetch_of(link).through == 1


def test_record_measured_between_two_requests_of_one_fetch_is_also_fetched() -> None:
    records = stored(42)
    link = RecordLink(RecordServer(records, SEQUENCE), RecordFetch(SEQUENCE, 42)).start()
    assert link.step()  # no newer record
    records.update(stored(43, 44))
    link.server.lost()
    link.server.written(bytes.fromhex(NEWEST))
    while link.step():
        pass
    assert link.numbers == [44, 43, 44]
    assert link.ends == [FetchDone(3)]


def test_fetch_from_an_empty_store_ends_with_zero_records() -> None:
    assert fetching().run().events == [FetchDone(0)]
    assert fetching(after=7).run().ends == [FetchDone(0)]


@pytest.mark.parametrize(
    "result",
    [
        Result.INVALID_OPERATOR,
        Result.OPERATOR_NOT_SUPPORTED,
        Result.INVALID_OPERAND,
        Result.OPERAND_NOT_SUPPORTED,
    ],
)
def test_all_records_are_requested_when_the_device_refuses_the_comparison_operator(result: Result) -> None:
    link = fetching(1, 2, after=1, instead=[result]).run()
    assert link.written[-1] == ALL
    assert (link.numbers, link.ends) == ([1, 2], [FetchDone(2)])


def test_all_records_are_requested_from_a_device_without_record_numbers() -> None:
    link = fetching(1, 2, after=1, numbering=RecordNumbering.NONE).run()
    assert (link.written, link.numbers) == ([ALL], [1, 2])


def test_request_for_32_bit_record_numbers_has_a_32_bit_operand() -> None:
    link = fetching(70_000, after=69_999, numbering=RecordNumbering.RECORD_NUMBER).run()
    assert link.written == ["01 03 01 70 11 01 00"]


def test_fetch_from_a_busy_device_is_retried_after_pauses_and_finally_refused() -> None:
    link = fetching(1, instead=[Result.SERVER_BUSY]).run()
    assert (link.events, link.numbers) == ([], [])
    link.wait(BUSY_PAUSES_S[0] - 0.1)
    assert link.events == []
    link.wait(0.1)
    while link.step():
        pass
    assert (link.numbers, link.ends) == ([1], [FetchDone(1)])

    link = fetching(1, instead=[Result.SERVER_BUSY] * 9).run()
    for pause_s in BUSY_PAUSES_S:
        link.wait(pause_s)
        link.step()
    assert link.ends == [FetchRefused("the device was busy each time it was asked")]


def test_incomplete_fetch_is_resumed_at_the_first_missing_record() -> None:
    link = fetching(1, 2, 3).start()
    for _ in range(2):
        assert link.step()
    link.server.lost()
    link.take(link.procedure.receive(bytes.fromhex("06 00 01 08"), link.now_s))
    while link.step():
        pass
    assert link.written == [ALL, "01 03 01 03 00"]
    assert (link.numbers, link.ends) == ([1, 2, 3], [FetchDone(3)])
    assert fetch_of(link).through == 3


def test_fetch_is_refused_after_the_device_failed_to_complete_three_requests() -> None:
    link = fetching(1, instead=[Result.PROCEDURE_NOT_COMPLETED] * 9).run()
    assert link.ends == [FetchRefused("the device could not complete the procedure")]
    assert len(link.written) == 3


def test_fetch_from_a_device_without_the_report_opcode_is_refused_without_retry() -> None:
    link = fetching(1, after=0, instead=[Result.OPCODE_NOT_SUPPORTED]).run()
    assert link.events == [FetchRefused("the device does not support this procedure")]
    assert fetching(1, instead=[Result(1)]).run().ends == [FetchDone(0)]


def test_fetch_that_ends_with_an_unknown_result_reports_the_number_of_the_result() -> None:
    link = fetching(1).start()
    link.take(link.procedure.receive(bytes.fromhex("06 00 01 63"), link.now_s))
    assert link.events == [FetchRefused("the device answered with result 99, which has no meaning here")]


@pytest.mark.parametrize("error", [0xFE, 0x80])
def test_record_access_procedure_still_running_on_the_device_is_aborted_before_the_fetch(error: int) -> None:
    link = fetching(1, errors=[error]).run()
    assert link.written == [ALL, ABORT, ALL]
    assert (link.numbers, link.ends) == ([1], [FetchDone(1)])


def test_att_error_ends_the_fetch_with_a_readable_reason() -> None:
    assert fetching(1, errors=[0xFD]).run().events == [
        FetchRefused("the device says that its control point is not subscribed")
    ]
    assert fetching(1, errors=[0x05]).run().events == [
        FetchRefused("the device refused the request with ATT error 0x05")
    ]


def test_fetch_times_out_when_no_record_arrives_within_the_timeout() -> None:
    link = fetching(1, 2, 3).start()
    for _ in range(3):
        link.wait(ANSWER_S - 1)
        assert link.step()
    assert link.events == []
    link.wait(ANSWER_S - 0.1)
    assert link.events == []
    link.wait(0.1)
    assert link.events == [FetchTimedOut()]
    assert link.procedure.deadline_s is None


def test_aborted_fetch_keeps_the_records_received_so_far() -> None:
    link = fetching(1, 2, 3).start()
    assert link.step()
    link.take(link.procedure.abort(link.now_s))
    while link.step():
        pass
    assert (link.written, link.numbers, link.ends) == ([ALL, ABORT], [1], [FetchAborted(1)])
    assert fetch_of(link).through == 1
    assert link.procedure.abort(link.now_s) == ()


def test_last_fetched_record_number_is_none_after_an_out_of_order_record_until_the_fetch_ends() -> None:
    link = fetching(3, 2, 1).start()
    assert link.step()
    assert fetch_of(link).through == 3
    assert link.step()
    assert fetch_of(link).through is None
    while link.step():
        pass
    assert fetch_of(link).through == 3


def test_unrequested_responses_are_reported_as_one_deviation_and_do_not_end_the_fetch() -> None:
    link = fetching(1).start()
    for octets in ("06 00 04 01", "05 00 01 00", "06 00 03 01", "01 01"):
        link.take(link.procedure.receive(bytes.fromhex(octets), link.now_s))
    assert [type(event) for event in link.events] == [Deviation]
    while link.step():
        pass
    assert link.ends == [FetchDone(1)]


def test_malformed_response_does_not_end_the_fetch() -> None:
    link = fetching(1).start()
    with pytest.raises(RemoteProtocolError):
        link.procedure.receive(b"\x06", link.now_s)
    while link.step():
        pass
    assert link.ends == [FetchDone(1)]


def test_delete_removes_the_records_up_to_the_given_record_number() -> None:
    records = stored(1, 2, 3)
    link = RecordLink(RecordServer(records, SEQUENCE), RecordDelete(SEQUENCE, 2)).run()
    assert (link.written, link.events, list(records)) == (["02 02 01 02 00"], [FetchDone(0)], [3])
    link = RecordLink(RecordServer({}, SEQUENCE), RecordDelete(SEQUENCE, 2)).run()
    assert link.events == [FetchDone(0)]
    without = RecordServer(records, SEQUENCE, operators={Operator.ALL})
    assert RecordLink(without, RecordDelete(SEQUENCE, 2)).run().events == [
        FetchRefused("the device does not support the operator")
    ]
    with pytest.raises(LocalProtocolError):
        RecordDelete(RecordNumbering.NONE, 2)


ACTIONS = st.sampled_from(["step", "step", "step", "abort", "wait", "twice", "stray", "lost", "garbage", "refused"])


@given(
    actions=st.lists(ACTIONS, max_size=30),
    numbers=st.lists(st.integers(0, 0xFFFF), max_size=6, unique=True),
    after=st.none() | st.integers(0, 0xFFFF),
    instead=st.lists(st.sampled_from(Result), max_size=6),
    numbering=st.sampled_from([SEQUENCE, RecordNumbering.NONE, RecordNumbering.RECORD_NUMBER]),
)
def test_fetch_ends_exactly_once_for_any_sequence_of_events(
    actions: list[str],
    numbers: list[int],
    after: int | None,
    instead: list[Result],
    numbering: RecordNumbering,
) -> None:
    link = fetching(*numbers, after=after, numbering=numbering, instead=instead).start()
    procedure = link.procedure
    lost = False
    for action in actions:
        match action:
            case "step":
                link.step()
            case "abort":
                link.take(procedure.abort(link.now_s))
            case "wait":
                link.wait(ANSWER_S / 2)
            case "twice":
                for _ in range(2):
                    link.take(procedure.receive(bytes((6, 0, Opcode.REPORT, Result.SUCCESS)), link.now_s))
            case "stray":
                link.take(procedure.receive(b"\x06\x00\x03\x07", link.now_s))
            case "garbage":
                with pytest.raises(RemoteProtocolError):
                    procedure.receive(b"\x06\x00", link.now_s)
            case "refused":
                link.take(procedure.not_written(0xFE, link.now_s))
            case "lost":
                procedure.lost()
                lost = True
        assert procedure.ended == (procedure.deadline_s is None)
    for _ in range(ASKED_MAX * (len(numbers) + 2)):
        if not link.step():
            link.wait(ANSWER_S * 2)
    assert procedure.ended
    assert len(link.ends) <= 1
    assert lost or link.ends
    assert len(link.written) <= 3 * ASKED_MAX
    told = len(link.events)
    link.take(procedure.receive(bytes((6, 0, Opcode.REPORT, Result.SUCCESS)), link.now_s))
    link.wait(1_000)
    assert len(link.events) == told


@given(
    numbers=st.lists(st.integers(1, 400), min_size=1, max_size=12, unique=True).map(sorted),
    marks=st.lists(st.integers(0, 12), max_size=4),
    cut=st.integers(0, 14),
)
def test_fetches_resumed_after_interruptions_skip_no_record(numbers: list[int], marks: list[int], cut: int) -> None:
    """Links end anywhere, and each fetch starts after the last `through`."""
    mark: int | None = None
    seen: set[int] = set()
    for steps in [*marks, cut, 1_000]:
        link = fetching(*numbers, after=mark).start()
        for _ in range(steps):
            if not link.step():
                break
        seen |= set(link.numbers)
        through = fetch_of(link).through
        mark = mark if through is None else through
        assert {number for number in numbers if mark is not None and number <= mark} <= seen
    assert seen == set(numbers)
