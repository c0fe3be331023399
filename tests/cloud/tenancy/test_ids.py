"""Generated ids sort by time of creation, even when the clock stands still or moves back; they have the contract's
form.
"""

from cloud.foundation.ids import SHAPE, UlidIds
from tests.builders.cloud_people import MINUTE_US, HandClock


def test_generated_ids_sort_in_order_of_creation_even_when_the_clock_moves_back() -> None:
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


def test_ulid_without_a_prefix_has_26_characters_and_no_ambiguous_letter() -> None:
    (ulid,) = {UlidIds(HandClock()).new("")}
    assert len(ulid) == 26
    assert not set(ulid) & set("ILOU")
