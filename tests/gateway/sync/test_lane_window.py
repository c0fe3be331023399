"""A lane (the batches of one kind) sends the batches that the cloud lacks, in order, and checks acknowledgements."""

import random

import pytest

from gateway.sync.lane_window import LaneWindow, Verdict, WindowSettings
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane

SETTINGS = WindowSettings(
    ack_timeout_s=10.0, ack_timeout_s_max=60.0, missing_after_s=1.0, live_lag_batches_max=8, in_flight_batches_max=32
)


def ack(
    through: int,
    *missing: tuple[int, int],
    highest: int = 0,
    conflict: bool = False,
    epoch: str = "e",
    lane: Lane = Lane.NUMERIC,
) -> Ack:
    return Ack(
        epoch=epoch,
        lane=lane,
        through_sequence=through,
        missing=missing,
        highest_sequence=highest,
        conflict=conflict,
    )


def window(*, acked: int = 0, last: int = 0, answer: int | None = None, lane: Lane = Lane.NUMERIC) -> LaneWindow:
    """Return the transmission state of a lane at the start of a connection. The lane has `last` batches, `acked` of
    them acknowledged.

    With `answer`, the cloud has acknowledged the batches up to the sequence `answer` on this connection.
    """
    made = LaneWindow(lane, "e", SETTINGS)
    made.begin(acked=acked, last=last)
    if answer is not None:
        made.apply(ack(answer, lane=lane))
    return made


def send_all(lane: LaneWindow, *, live: bool, now_s: float = 0.0) -> list[int]:
    """Send the live batches or the backlog of a lane, one batch after the other, until none is left; return the
    sequences."""
    sequences = []
    while (after := lane.next_after(live=live)) is not None:
        lane.note_sending(sequence=after + 1, through=after + 1, octets=100, live=live, now_s=now_s)
        sequences.append(after + 1)
    return sequences


def test_no_batch_is_sent_before_the_first_ack_of_the_cloud_arrives():
    lane = window(acked=3, last=9)
    assert lane.next_after(live=True) is None
    assert lane.next_after(live=False) is None


def test_batches_committed_during_a_short_outage_are_sent_as_live_batches():
    assert send_all(window(acked=3, last=9, answer=3), live=True) == [4, 5, 6, 7, 8, 9]


def test_batches_committed_during_a_long_outage_are_sent_as_backlog():
    lane = window(acked=3, last=20, answer=3)
    assert send_all(lane, live=True) == []
    lane.note_commit(22)
    assert send_all(lane, live=True) == [21, 22]
    assert send_all(lane, live=False) == list(range(4, 21))


def test_live_batches_above_the_limit_are_sent_as_backlog():
    lane = window(last=0, answer=0)
    lane.note_commit(5)
    assert send_all(lane, live=True) == [1, 2, 3, 4, 5]
    lane.note_commit(14)
    assert lane.next_after(live=True) is None
    assert lane.next_after(live=False) == 5
    lane.note_commit(15)
    assert send_all(lane, live=True) == [15]


def test_higher_through_sequence_in_an_ack_of_the_cloud_is_adopted():
    lane = window(acked=3, last=9)
    assert lane.apply(ack(7)).verdict is Verdict.ADVANCED
    assert send_all(lane, live=True) == [8, 9]


def test_acknowledged_batches_are_not_in_flight():
    lane = window(last=5, answer=0)
    send_all(lane, live=True)
    answer = lane.apply(ack(3))
    assert [sent.sequence for sent in answer.confirmed] == [1, 2, 3]
    assert (lane.through, lane.under_way_batches, lane.under_way_bytes(live=True)) == (3, 2, 200)


def test_duplicate_ack_confirms_no_further_batch():
    lane = window(last=5, answer=0)
    send_all(lane, live=True)
    lane.apply(ack(3))
    again = lane.apply(ack(3))
    assert (again.verdict, again.confirmed, again.missed) == (Verdict.ADVANCED, [], [])


def test_live_batches_are_confirmed_while_earlier_backlog_batches_are_missing():
    lane = window(acked=0, last=100, answer=0)
    lane.note_commit(102)
    assert send_all(lane, live=True) == [101, 102]
    answer = lane.apply(ack(0, (1, 100), highest=102))
    assert [sent.sequence for sent in answer.confirmed] == [101, 102]
    assert lane.under_way_batches == 0
    assert lane.next_after(live=True) is None
    assert lane.next_after(live=False) == 0


def test_backlog_batches_already_stored_in_the_cloud_are_not_sent():
    lane = window(acked=0, last=100)
    lane.apply(ack(10, (11, 20), (31, 35), highest=50))
    assert send_all(lane, live=False)[:15] == [*range(11, 21), *range(31, 36)]


def test_missing_batch_is_resent_after_the_ack_of_a_batch_sent_one_second_later():
    lane = window(last=6, answer=0)
    send_all(lane, live=True, now_s=0.0)
    lane.note_commit(8)
    send_all(lane, live=True, now_s=0.9)
    assert lane.apply(ack(1, (2, 3), highest=8)).missed == []
    lane.note_commit(9)
    send_all(lane, live=True, now_s=1.0)
    assert [sent.sequence for sent in lane.apply(ack(1, (2, 3), highest=9)).missed] == [2, 3]
    assert send_all(lane, live=True) == [2, 3]


def test_backlog_batches_are_not_resent_when_live_batches_are_acknowledged_first():
    lane = window(acked=0, last=100, answer=0)
    lane.note_commit(101)
    send_all(lane, live=True, now_s=0.0)
    send_all(lane, live=False, now_s=0.1)
    assert lane.apply(ack(0, (1, 100), highest=101)).missed == []


def test_ack_of_a_resent_batch_causes_no_resend_of_earlier_batches():
    lane = window(last=2, answer=0)
    send_all(lane, live=True, now_s=0.0)
    lane.expire(now_s=10.0)
    lane.note_sending(sequence=2, through=2, octets=1, live=True, now_s=15.0)
    lane.note_sending(sequence=1, through=1, octets=1, live=True, now_s=10.0)
    assert lane.apply(ack(0, (1, 1), highest=2)).missed == []


def test_older_ack_does_not_undo_a_newer_ack():
    lane = window(acked=0, last=100, answer=0)
    lane.note_commit(102)
    send_all(lane, live=True)
    lane.apply(ack(0, (1, 100), highest=102))
    lane.apply(ack(0, (1, 100), highest=101))
    assert lane.next_after(live=True) is None


def test_all_batches_are_resent_once_and_then_only_the_oldest_batch_when_no_ack_arrives():
    lane = window(last=4, answer=0)
    send_all(lane, live=True, now_s=0.0)
    assert lane.deadline_s == 10.0
    assert lane.expire(now_s=9.9) == []
    assert [sent.sequence for sent in lane.expire(now_s=10.0)] == [1, 2, 3, 4]
    assert send_all(lane, live=True, now_s=10.0) == [1, 2, 3, 4]
    assert lane.deadline_s == 30.0
    assert [sent.sequence for sent in lane.expire(now_s=30.0)] == [1]
    assert send_all(lane, live=True, now_s=30.0) == [1]
    assert lane.expire(now_s=69.9) == []
    assert [sent.sequence for sent in lane.expire(now_s=70.0)] == [1]


def test_resend_interval_doubles_up_to_60_seconds():
    lane = window(last=1, answer=0)
    send_all(lane, live=True, now_s=0.0)
    now_s, waits = 0.0, []
    for _ in range(6):
        deadline_s = lane.deadline_s
        assert deadline_s is not None
        waits.append(deadline_s - now_s)
        now_s = deadline_s
        assert len(lane.expire(now_s=now_s)) == 1
        send_all(lane, live=True, now_s=now_s)
    assert waits == [10, 20, 40, 60, 60, 60]


def test_ack_after_missing_acks_resets_the_resend_interval():
    lane = window(last=3, answer=0)
    send_all(lane, live=True, now_s=0.0)
    lane.expire(now_s=10.0)
    send_all(lane, live=True, now_s=10.0)
    lane.apply(ack(1))
    assert lane.deadline_s == 20.0


def test_batches_in_flight_are_resent_at_once_when_a_silent_cloud_responds_and_has_none_of_them():
    lane = window(acked=5, last=8, answer=5)
    send_all(lane, live=True, now_s=0.0)
    assert lane.apply(ack(5)).missed == []
    lane.expire(now_s=10.0)
    send_all(lane, live=True, now_s=10.0)
    assert [sent.sequence for sent in lane.apply(ack(5)).missed] == [6, 7, 8]
    assert send_all(lane, live=True, now_s=11.0) == [6, 7, 8]
    assert lane.apply(ack(5)).missed == []


def test_batches_in_flight_are_not_resent_when_a_silent_cloud_acknowledges_some_of_them():
    lane = window(last=3, answer=0)
    send_all(lane, live=True, now_s=0.0)
    lane.expire(now_s=10.0)
    send_all(lane, live=True, now_s=10.0)
    assert lane.apply(ack(1)).missed == []
    assert lane.under_way_batches == 2


@pytest.mark.parametrize(("lane", "resent"), [(Lane.EVENT, [4]), (Lane.EPCR, [4]), (Lane.NUMERIC, [])])
def test_event_in_flight_is_resent_once_when_a_restarted_cloud_repeats_its_ack(lane: Lane, resent: list[int]):
    events = window(acked=3, last=4, answer=3, lane=lane)
    assert send_all(events, live=True) == [4]
    outcomes = [events.apply(ack(3, lane=lane)), events.apply(ack(3, lane=lane))]
    assert [[sent.sequence for sent in outcome.missed] for outcome in outcomes] == [resent, []]
    assert send_all(events, live=True) == resent
    assert not events.apply(ack(3, lane=lane)).missed
    assert [sent.sequence for sent in events.apply(ack(4, lane=lane)).confirmed] == [4]


def test_confirmed_batch_that_was_resent_once_is_counted_as_sent_twice():
    lane = window(last=1, answer=0)
    send_all(lane, live=True, now_s=0.0)
    lane.expire(now_s=10.0)
    send_all(lane, live=True, now_s=10.0)
    assert [sent.sendings for sent in lane.apply(ack(1)).confirmed] == [2]


def test_first_ack_of_a_connection_for_fewer_batches_than_before_indicates_a_restored_cloud():
    lane = window(acked=50, last=52)
    assert lane.apply(ack(20)).verdict is Verdict.RESTORED
    assert send_all(lane, live=False)[0] == 21


def test_later_ack_of_fewer_batches_than_before_is_not_adopted():
    lane = window(last=5, answer=0)
    send_all(lane, live=True)
    lane.apply(ack(5))
    assert lane.apply(ack(3)).verdict is Verdict.DOUBTED
    assert (lane.through, lane.next_after(live=True)) == (5, None)


def test_ack_of_fewer_batches_than_before_is_discarded_when_the_next_ack_is_as_expected():
    lane = window(last=5, answer=0)
    send_all(lane, live=True)
    lane.apply(ack(5))
    lane.apply(ack(3))
    assert lane.apply(ack(5)).verdict is Verdict.ADVANCED
    assert lane.apply(ack(3)).verdict is Verdict.DOUBTED


def test_two_successive_acks_of_fewer_batches_than_before_indicate_a_restored_cloud():
    lane = window(last=5, answer=0)
    send_all(lane, live=True)
    lane.apply(ack(5))
    lane.apply(ack(2))
    assert lane.apply(ack(2)).verdict is Verdict.RESTORED
    assert send_all(lane, live=True) == [3, 4, 5]


def test_all_batches_are_sent_when_the_epoch_is_unknown_to_the_cloud():
    lane = window(acked=40, last=42)
    assert lane.apply(ack(0)).verdict is Verdict.RESTORED
    assert lane.next_after(live=False) == 0


def test_ack_of_another_epoch_is_ignored():
    lane = window(acked=3, last=9)
    assert lane.apply(ack(7, epoch="another")).verdict is Verdict.FOREIGN
    assert not lane.agreed


@pytest.mark.parametrize("answer", [ack(3, conflict=True), ack(10), ack(3, (4, 9), highest=20)])
def test_lane_contested_by_another_gateway_sends_no_batch(answer: Ack):
    lane = window(last=9, answer=3)
    send_all(lane, live=True)
    assert lane.apply(answer).verdict is Verdict.CONTESTED
    lane.note_commit(12)
    assert (lane.contested, lane.under_way_batches) == (True, 0)
    assert (lane.next_after(live=True), lane.next_after(live=False)) == (None, None)


def test_lane_stays_contested_by_another_gateway_until_an_ack_on_a_new_connection():
    lane = window(last=9, answer=3)
    lane.apply(ack(3, conflict=True))
    assert lane.apply(ack(4)).verdict is Verdict.CONTESTED
    lane.begin(acked=3, last=9)
    assert lane.contested
    assert lane.apply(ack(4)).verdict is Verdict.ADVANCED
    assert not lane.contested


def test_sent_gap_record_is_confirmed_only_by_an_ack_of_its_whole_range():
    lane = window(acked=0, last=20, answer=0)
    lane.note_sending(sequence=1, through=12, octets=100, live=False, now_s=0.0)
    assert lane.next_after(live=False) == 12
    lane.apply(ack(5))
    assert (lane.under_way_batches, lane.next_after(live=False)) == (1, 12)
    assert [sent.through for sent in lane.apply(ack(12)).confirmed] == [12]


def test_number_of_batches_in_flight_is_limited_per_lane():
    lane = window(last=100, answer=0)
    assert len(send_all(lane, live=False)) == 32
    lane.apply(ack(1))
    assert send_all(lane, live=False) == [33]


@pytest.mark.parametrize("seed", range(20))
def test_all_batches_arrive_despite_random_losses_and_cloud_restores(seed: int):
    """The link loses and reorders batches and acknowledgements, and the cloud is restored twice."""
    print("seed", seed)
    chance = random.Random(seed)
    lane, held, now_s, last, acked = window(answer=0), set[int](), 0.0, 0, 0
    for step in range(3000):
        now_s += chance.random()
        if step < 2000:
            last += chance.random() < 0.5
            lane.note_commit(last)
        if step in (700, 1500):
            held = {sequence for sequence in held if sequence <= chance.randint(0, last)}
        if step % 500 == 499:
            lane.begin(acked=acked, last=last)
        lane.expire(now_s=now_s)
        for live in (True, False):
            after = lane.next_after(live=live)
            if after is not None:
                assert after < last
                lane.note_sending(sequence=after + 1, through=after + 1, octets=1, live=live, now_s=now_s)
                if chance.random() < 0.7:
                    held.add(after + 1)
        if chance.random() < 0.6:
            ranges: list[tuple[int, int]] = []
            for sequence in sorted(held):
                if ranges and ranges[-1][1] == sequence - 1:
                    ranges[-1] = (ranges[-1][0], sequence)
                else:
                    ranges.append((sequence, sequence))
            lane.apply(Ack.of_ranges("e", Lane.NUMERIC, ranges))
            acked = lane.through
    assert held == set(range(1, last + 1))
    assert lane.through == last
