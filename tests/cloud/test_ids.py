"""Identifiers have the form of the contract; a derived one depends on its arguments alone."""

from cloud.foundation.ids import UlidIds, checked_id, derived_id, time_of_ulid
from tests.builders.cloud_people import HandClock

AT_US = 1_774_353_600_000_000


def test_derived_id_depends_on_its_time_and_names_alone() -> None:
    one = derived_id("enr", AT_US, "job_1", "prf_1")
    assert one == derived_id("enr", AT_US, "job_1", "prf_1") == checked_id(one)
    assert time_of_ulid(one.removeprefix("enr_")) == AT_US
    others = [
        derived_id("enr", AT_US, "job_1", "prf_2"),
        derived_id("enr", AT_US, "job_2", "prf_1"),
        derived_id("enr", AT_US + 1_000, "job_1", "prf_1"),
    ]
    assert len({one, *others}) == 4
    assert one < others[-1]


def test_ids_of_a_process_increase_also_when_the_clock_steps_back() -> None:
    clock = HandClock(AT_US)
    ids = UlidIds(clock)
    made = [ids.new("") for _ in range(200)]
    clock.advance(us=-5_000_000)
    made += [ids.new("") for _ in range(200)]
    assert made == sorted(set(made))
    assert {time_of_ulid(checked_id(one)) for one in made} == {AT_US}
