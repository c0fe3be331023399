"""The record of the sequence numbers of a lane (the batches of one kind): the received ones, the missing ones, and the
missing ones in the range of a gap record (a record of lost batches).
"""

import random

from hypothesis import given
from hypothesis import strategies as st

from cloud.vehicles.custody.marks import LaneMarks, Range


def marks_of(*ranges: Range) -> LaneMarks:
    marks = LaneMarks()
    for first, last in ranges:
        marks = marks.adding(first, last)
    return marks


def test_batches_received_in_order_advance_the_acknowledged_sequence():
    assert marks_of((1, 1), (2, 2), (3, 3)) == LaneMarks(3)


def test_batch_received_before_earlier_sequences_leaves_a_missing_range():
    marks = marks_of((1, 2), (5, 5))
    assert (marks.through, marks.last, marks.missing()) == (2, 5, ((3, 4),))


def test_acknowledged_sequence_advances_to_the_last_batch_when_the_missing_range_is_filled():
    marks = marks_of((1, 3), (10, 12))
    for sequence in range(4, 10):
        marks = marks.adding(sequence, sequence)
    assert marks == LaneMarks(12)


def test_declared_gap_covers_only_sequences_that_were_not_received():
    marks = marks_of((1, 3), (6, 6), (8, 9))
    assert marks.lacking(2, 12) == ((4, 5), (7, 7), (10, 12))
    assert marks.adding(2, 12) == LaneMarks(12)


def test_acknowledgement_lists_a_limited_number_of_missing_ranges_lowest_first():
    marks = marks_of(*((sequence, sequence) for sequence in range(3, 403, 2)))
    assert len(marks.missing()) == 64
    assert marks.missing(2) == ((1, 2), (4, 4))


def test_received_sequences_of_a_lane_are_unchanged_after_a_round_trip_through_the_database():
    marks = marks_of((1, 2), (5, 5), (9, 11))
    assert LaneMarks.of(marks.through, marks.text()) == marks
    assert LaneMarks.of(0, "") == LaneMarks()


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 6)), max_size=25))
def test_received_and_missing_sequences_of_a_lane_are_correct_for_any_order_of_arrival(arrivals: list[tuple[int, int]]):
    marks, held = LaneMarks(), set[int]()
    for first, more in arrivals:
        marks = marks.adding(first, first + more)
        held.update(range(first, first + more + 1))
    assert {sequence for sequence in range(1, 60) if marks.covers(sequence)} == held
    holes = {sequence for first, last in marks.missing() for sequence in range(first, last + 1)}
    assert holes == set(range(1, marks.last + 1)) - held
    probe = random.Random(len(arrivals)).randint(1, 45)
    lacking = {sequence for first, last in marks.lacking(probe, probe + 5) for sequence in range(first, last + 1)}
    assert lacking == set(range(probe, probe + 6)) - held
    assert all(a[1] + 1 < b[0] for a, b in zip(marks.ahead, marks.ahead[1:], strict=False))
