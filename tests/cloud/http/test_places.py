"""The choice of the connection to close when the connection limit is reached.

The choice takes the same time for any number of connections.
"""

import random

from cloud.foundation.http.body_room import BodyRoom
from cloud.foundation.http.places import Places
from tests.harness.work import work_of


def test_connection_limit_closes_the_longest_waiting_connection_of_the_address_with_most_connections() -> None:
    places: Places[str] = Places()
    places.wait("quiet", "a", in_progress=False)
    for name in ("first", "second", "third"):
        places.wait(name, "b", in_progress=True)
    assert places.first_to_give_way() == "first"
    places.leave("first")
    assert places.first_to_give_way() == "second"
    places.wait("unasked", "b", in_progress=False)
    assert places.first_to_give_way() == "unasked", "nothing is lost with a connection that asked for nothing"


def test_connection_is_not_closed_for_a_new_connection_while_its_request_is_served() -> None:
    places: Places[str] = Places()
    places.wait("only", "a", in_progress=True)
    places.serve("only")
    assert len(places) == 0
    assert places.first_to_give_way() is None
    places.wait("only", "a", in_progress=False)
    assert places.first_to_give_way() == "only"
    places.leave("only")
    places.leave("only")
    assert places.first_to_give_way() is None


def test_connection_limit_closes_a_long_waiting_connection_before_a_recently_served_connection() -> None:
    places: Places[str] = Places()
    for name in ("first", "second"):
        places.wait(name, "a", in_progress=False)
    places.serve("first")
    places.wait("first", "a", in_progress=False)
    assert places.first_to_give_way() == "second"


def test_connection_chosen_to_be_closed_always_belongs_to_the_address_with_most_connections() -> None:
    dice = random.Random(11)
    places: Places[int] = Places()
    model: dict[int, str] = {}
    for _ in range(5_000):
        item = dice.randrange(40)
        if dice.random() < 0.5:
            address = "abcdefg"[item % 7]
            places.wait(item, address, in_progress=dice.random() < 0.5)
            model[item] = address
        else:
            places.leave(item)
            model.pop(item, None)
        counts = {address: list(model.values()).count(address) for address in model.values()}
        found = places.first_to_give_way()
        assert (found is None) == (not model)
        if found is not None:
            assert counts[model[found]] == max(counts.values())
    for item in list(model):
        places.leave(item)
    assert len(places) == 0


def test_work_to_choose_the_connection_to_close_does_not_grow_with_the_number_of_connections() -> None:
    def work(count: int) -> int:
        places: Places[int] = Places()
        for item in range(count):
            places.wait(item, f"address {item % (count // 4)}", in_progress=True)

        def give_way() -> None:
            found = places.first_to_give_way()
            assert found is not None
            places.leave(found)
            places.wait(-1, "newcomer", in_progress=False)

        return work_of(give_way)

    assert work(4_000) == work(1_000) == work(100)


def test_unfinished_request_body_of_the_address_with_most_body_bytes_is_aborted_when_memory_is_full() -> None:
    ended: list[str] = []
    room: BodyRoom[str] = BodyRoom(ended.append, bytes_max=100)
    room.take("honest", "a", 30)
    room.take("small", "b", 20)
    room.take("large", "b", 40)
    assert ended == []
    room.take("small", "b", 20)
    assert ended == ["large"] or ended == ["small"]
    assert room.held_bytes <= 100
    for item, address in (("honest", "a"), ("small", "b"), ("large", "b")):
        room.release(item, address)
    assert room.held_bytes == 0
