"""A hash chain reveals every change, omission and insertion, and accepts a gap record for deleted batches."""

from dataclasses import replace

import pytest

from protocols.provenance.hash_chain import (
    Broken,
    Hole,
    Intact,
    Link,
    chain_order,
    check_chain,
    digest,
    genesis,
    link_hash,
)

START = genesis("gw_test", "epoch-1", "numeric")


def links(count: int) -> list[Link]:
    chain, previous = [], START
    for sequence in range(1, count + 1):
        after = link_hash(previous, sequence.to_bytes(8, "big"))
        chain.append(Link(first=sequence, last=sequence, previous=previous, after=after))
        previous = after
    return chain


def stand_in(chain: list[Link], first: int, last: int) -> Link:
    return Link(first=first, last=last, previous=chain[first - 1].previous, after=chain[last - 1].after, stands_in=True)


def check(*chain: Link) -> object:
    return check_chain(sorted(chain, key=chain_order), START)


def test_complete_hash_chain_is_intact():
    chain = links(5)
    assert check(*chain) == Intact(5, chain[-1].after, 0)


def test_empty_hash_chain_is_intact_with_its_genesis_hash():
    assert check() == Intact(0, START, 0)


def test_genesis_hash_differs_for_each_gateway_epoch_and_lane():
    beginnings = {genesis(*names) for names in [("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("", "ab", "c")]}
    assert len(beginnings) == 4


def test_digest_differs_when_the_same_bytes_are_split_into_fields_differently():
    assert (
        len({digest(b"d", b"ab", b"c"), digest(b"d", b"a", b"bc"), digest(b"d", b"abc"), digest(b"da", b"b", b"c")})
        == 4
    )


@pytest.mark.parametrize("at", [1, 3, 5])
def test_changed_link_breaks_the_hash_chain_at_the_next_link(at: int):
    chain = links(6)
    chain[at - 1] = replace(chain[at - 1], after=bytes(32))
    assert check(*chain) == Broken(at + 1)


def test_dropped_links_of_a_hash_chain_are_reported_as_a_hole():
    chain = links(6)
    assert check(*chain[:2], *chain[4:]) == Hole(3, 4)


def test_hash_chain_with_another_genesis_hash_is_broken_at_its_first_link():
    assert check_chain(links(3), bytes(32)) == Broken(1)


def test_hash_chain_is_intact_when_a_gap_record_replaces_dropped_links():
    chain = links(9)
    assert check(*chain[:3], stand_in(chain, 4, 7), *chain[7:]) == Intact(9, chain[-1].after, 4)


def test_gap_record_may_be_the_last_record_of_a_hash_chain():
    chain = links(9)
    assert check(*chain[:3], stand_in(chain, 4, 9)) == Intact(9, chain[-1].after, 6)


def test_gap_record_that_overlaps_received_links_replaces_only_missing_links():
    chain = links(9)
    assert check(*chain[:6], stand_in(chain, 4, 8), chain[8]) == Intact(9, chain[-1].after, 2)


def test_wider_gap_record_after_a_narrower_gap_record_keeps_the_hash_chain_intact():
    chain = links(9)
    wide = stand_in(chain, 2, 8)
    assert check(chain[0], stand_in(chain, 3, 5), wide, chain[1], chain[8]) == Intact(9, chain[-1].after, 6)


def test_two_adjacent_gap_records_keep_the_hash_chain_intact():
    chain = links(9)
    assert check(chain[0], stand_in(chain, 2, 4), stand_in(chain, 5, 8), chain[8]) == Intact(9, chain[-1].after, 7)


def test_gap_record_with_a_wrong_hash_breaks_the_hash_chain():
    chain = links(9)
    assert check(*chain[:3], replace(stand_in(chain, 4, 7), previous=bytes(32)), *chain[7:]) == Broken(4)
    assert check(*chain[:3], replace(stand_in(chain, 4, 7), after=bytes(32)), *chain[7:]) == Broken(8)


def test_hash_chain_can_be_checked_from_a_middle_link():
    chain = links(9)
    assert check_chain(chain[4:], chain[3].after, after=4) == Intact(9, chain[-1].after, 0)
