"""Identifiers sort by age, even when the clock stands still or steps back, and have the contract's form."""

from cloud.foundation.ids import SHAPE, UlidIds
from tests.builders.cloud_people import MINUTE_US, HandClock


def test_ids_sort_in_the_order_in_which_they_were_made() -> None:
    clock = HandClock()
    ids = UlidIds(clock)
    made = [ids.new("dev") for _ in range(100)]
    clock.advance(us=-MINUTE_US)
    made += [ids.new("dev") for _ in range(100)]
    clock.advance(us=2 * MINUTE_US)
    made += [ids.new("dev") for _ in range(100)]
    assert made == sorted(made)
    assert len(set(made)) == 300
    assert all(SHAPE.fullmatch(id) and len(id) == 30 for id in made)


def test_a_bare_ulid_has_twenty_six_characters_and_no_ambiguous_letter() -> None:
    (ulid,) = {UlidIds(HandClock()).new("")}
    assert len(ulid) == 26
    assert not set(ulid) & set("ILOU")
