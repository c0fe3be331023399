"""Identifiers have the form of the contract; a derived one depends on its arguments alone."""

from cloud.foundation.ids import checked_id, derived_id, time_of_ulid

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
