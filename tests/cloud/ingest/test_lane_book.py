"""The verdict on a new batch (stored, ahead, duplicate, conflict or gap), which depends on the batches of its lane
(kind of data) that are already stored.
"""

import random

import pytest

from cloud.vehicles.custody.links import ChainedBatch, LinkState
from cloud.vehicles.custody.marks import LaneMarks
from cloud.vehicles.ingest.lane_book import HOLES_MAX, LaneBook
from cloud.vehicles.ingest.verdicts import Ahead, Conflict, Duplicate, LaneVerdict, Scattered, Stored
from tests.builders.ingest_chain import GENESIS, batch, batches, gap, hash_of


def book_with(*held: ChainedBatch) -> LaneBook:
    """Return a lane book (the record of the batches of one lane) that has already judged these batches."""
    book = LaneBook(LaneMarks(), GENESIS)
    for one in held:
        book.judge(one)
    return book


def link_of(verdict: LaneVerdict) -> LinkState:
    assert isinstance(verdict, Stored | Ahead)
    return verdict.entry.link


def resolved_by(verdict: Stored | Ahead) -> list[tuple[int, bool, LinkState]]:
    return [(one.sequence, one.is_gap, one.link) for one in verdict.entry.resolved]


def test_first_batch_of_a_lane_is_linked_to_the_genesis_hash():
    book = book_with()
    assert link_of(book.judge(batch(1))) is LinkState.LINKED
    assert book.marks == LaneMarks(1)


def test_batches_in_order_are_stored_and_linked():
    book = book_with(*batches(range(1, 5)))
    verdict = book.judge(batch(5))
    assert isinstance(verdict, Stored)
    assert (verdict.entry.link, verdict.entry.fills, book.marks.through) == (LinkState.LINKED, ((5, 5),), 5)


def test_batch_with_a_later_sequence_than_expected_is_stored_and_the_missing_range_is_returned():
    book = book_with(*batches(range(1, 4)))
    verdict = book.judge(batch(7))
    assert isinstance(verdict, Ahead)
    assert (verdict.entry.link, verdict.missing, book.marks.through) == (LinkState.PENDING, ((4, 6),), 3)


def test_pending_link_of_a_batch_is_resolved_when_the_preceding_batch_arrives():
    book = book_with(*batches([1, 2, 4]))
    verdict = book.judge(batch(3))
    assert isinstance(verdict, Stored)
    assert resolved_by(verdict) == [(4, False, LinkState.LINKED)]
    assert book.marks.through == 4


def test_pending_link_of_a_batch_is_broken_when_the_preceding_batch_has_another_hash():
    book = book_with(*batches([1, 2]), batch(4, after=hash_of(3, "other")))
    verdict = book.judge(batch(3))
    assert isinstance(verdict, Stored)
    assert verdict.entry.link is LinkState.LINKED
    assert resolved_by(verdict) == [(4, False, LinkState.BROKEN)]


def test_batch_with_a_wrong_previous_hash_is_stored_with_a_broken_link():
    book = book_with(*batches([1, 2]))
    assert link_of(book.judge(batch(3, after=hash_of(2, "other")))) is LinkState.BROKEN
    assert book.marks.through == 3


def test_first_batch_of_a_lane_without_the_genesis_hash_has_a_broken_link():
    assert link_of(book_with().judge(batch(1, after=hash_of(9)))) is LinkState.BROKEN


def test_repeated_batch_is_a_duplicate():
    book = book_with(*batches([1, 2, 4]))
    assert [book.judge(batch(sequence)) for sequence in (1, 2, 4)] == [Duplicate()] * 3
    assert book.marks.missing() == ((3, 3),)


def test_different_batch_with_the_sequence_of_a_stored_batch_is_a_conflict():
    book = book_with(*batches([1, 2]))
    before = book.marks
    assert book.judge(batch(2, history="rival")) == Conflict(hash_of(2))
    assert book.marks == before


def test_declared_gap_covers_only_missing_sequences_and_the_next_batch_is_linked_to_it():
    book = book_with(*batches([1, 2, 4]))
    verdict = book.judge(gap(2, 6))
    assert isinstance(verdict, Stored)
    assert (verdict.entry.link, verdict.entry.fills) == (LinkState.LINKED, ((3, 3), (5, 6)))
    assert link_of(book.judge(batch(7))) is LinkState.LINKED
    assert book.marks == LaneMarks(7)


def test_declared_gap_within_a_stored_gap_is_a_duplicate_and_a_wider_gap_covers_only_new_sequences():
    book = book_with(batch(1), gap(2, 4))
    wider = book.judge(gap(2, 6))
    assert isinstance(wider, Stored)
    assert wider.entry.fills == ((5, 6),)
    assert book.judge(gap(2, 5)) == Duplicate()


def test_late_batch_with_a_sequence_inside_a_declared_gap_is_stored_once():
    book = book_with(batch(1), gap(2, 4))
    verdict = book.judge(batch(2))
    assert isinstance(verdict, Stored)
    assert (verdict.entry.link, verdict.entry.fills) == (LinkState.LINKED, ((2, 2),))
    assert book.judge(batch(2)) == Duplicate()


def test_link_of_a_declared_gap_is_pending_until_the_preceding_batch_arrives():
    book = book_with(batch(1))
    assert link_of(book.judge(gap(3, 5))) is LinkState.PENDING
    verdict = book.judge(batch(2))
    assert isinstance(verdict, Stored)
    assert resolved_by(verdict) == [(3, True, LinkState.LINKED)]
    assert book.marks.through == 5


@pytest.mark.parametrize("held", [4, 6])
def test_declared_gap_whose_hash_does_not_match_the_stored_batches_has_a_broken_link(held: int):
    book = book_with(*batches([1, 2, 3, held], history=""))
    assert link_of(book.judge(gap(4, 6, history="rival"))) is LinkState.BROKEN


def test_first_stored_batch_is_linked_to_a_declared_gap_that_begins_at_sequence_one():
    book = book_with()
    assert link_of(book.judge(gap(1, 499))) is LinkState.LINKED
    assert link_of(book.judge(batch(500))) is LinkState.LINKED
    assert book.marks == LaneMarks(500)


def test_batch_that_exceeds_the_limit_of_missing_ranges_is_refused_until_a_missing_range_is_filled():
    book = book_with(*batches(range(2, 2 * HOLES_MAX + 1, 2)))
    refused = book.judge(batch(2 * HOLES_MAX + 2))
    assert isinstance(refused, Scattered)
    assert refused.missing[0] == (1, 1)
    assert isinstance(book.judge(batch(1)), Stored)
    assert isinstance(book.judge(batch(2 * HOLES_MAX + 2)), Ahead)


@pytest.mark.parametrize("seed", range(8))
def test_batches_received_in_any_order_with_repeats_form_one_linked_chain(seed: int):
    arrivals = batches(range(1, 60)) * 2
    random.Random(seed).shuffle(arrivals)
    book, links = book_with(), dict[int, LinkState]()
    stored = 0
    for arrival in arrivals:
        verdict = book.judge(arrival)
        if isinstance(verdict, Stored | Ahead):
            stored += 1
            links[arrival.sequence] = verdict.entry.link
            links.update({one.sequence: one.link for one in verdict.entry.resolved})
    assert (stored, book.marks) == (59, LaneMarks(59))
    assert set(links.values()) == {LinkState.LINKED}
