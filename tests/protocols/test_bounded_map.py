"""A full bounded map drops its least recently used entry, and no other."""

from protocols.bounded_map import BoundedMap


def test_full_bounded_map_drops_the_least_recently_used_entry() -> None:
    known = BoundedMap[int, str](2)
    known[1], known[2] = "one", "two"
    assert known.use(1, str) == "one"
    known[3] = "three"
    assert list(known) == [1, 3]


def test_lookup_does_not_make_an_entry_the_most_recently_used_entry() -> None:
    known = BoundedMap(2, [(1, "one"), (2, "two")])
    assert known[1] == known.get(1) == "one"
    known[3] = "three"
    assert list(known) == [2, 3]


def test_use_method_of_a_bounded_map_creates_a_missing_entry_and_later_returns_the_same_entry() -> None:
    known = BoundedMap[int, list[int]](2)
    known.use(1, list).append(5)
    assert known.use(1, list) == [5]


def test_oldest_entries_are_dropped_when_a_bounded_map_is_filled_beyond_its_bound() -> None:
    known = BoundedMap(2, ((number, number) for number in range(5)))
    known.update({7: 7})
    assert list(known) == [4, 7]
