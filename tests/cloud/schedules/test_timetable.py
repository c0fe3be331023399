"""The times of a schedule are those of its cron expression in its zone, also when clocks change."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.foundation.moments import read_moment, write_moment
from cloud.work.schedules.errors import CronMalformed, TimeZoneUnknown
from cloud.work.schedules.timetable import PASSED_MAX, Timetable

MINUTE_US = 60_000_000


def times(cron: str, after: str, count: int, zone: str = "Europe/Warsaw") -> list[str]:
    """Return the first times after a time, as `month-day hour:minute` in UTC."""
    found = Timetable.read(cron, zone).times(read_moment(after))
    return [str(write_moment(at_us))[5:16].replace("T", " ") for at_us in itertools.islice(found, count)]


def test_daily_time_stays_at_its_hour_of_the_zone_when_clocks_go_forward():
    assert times("0 3 * * *", "2026-03-27T12:00:00Z", 3) == ["03-28 02:00", "03-29 01:00", "03-30 01:00"]


def test_time_that_does_not_exist_is_replaced_by_the_first_time_after_the_gap():
    assert times("30 2 * * *", "2026-03-27T12:00:00Z", 3) == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
    # Both times of the night are at 3:00, which counts once.
    assert times("0 2,3 * * *", "2026-03-28T12:00:00Z", 2) == ["03-29 01:00", "03-30 00:00"]


@pytest.mark.parametrize("after", ["2026-10-25T00:30:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z"])
def test_time_that_exists_twice_counts_once(after: str):
    assert times("30 2 * * *", "2026-10-23T12:00:00Z", 2) == ["10-24 00:30", "10-25 00:30"]
    assert times("30 2 * * *", after, 1) == ["10-26 01:30"]


def test_times_of_every_hour_follow_the_elapsed_time():
    assert times("30 * * * *", "2026-10-24T23:45:00Z", 3) == ["10-25 00:30", "10-25 01:30", "10-25 02:30"]
    assert times("30 * * * *", "2026-03-29T00:00:00Z", 2) == ["03-29 00:30", "03-29 01:30"]


def test_names_of_days_and_months_are_read_in_any_case_and_spaces_count_once():
    assert times("15  6 * jan-mar Mon", "2026-03-24T12:00:00Z", 1, "UTC") == ["03-30 06:15"]


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("", "five fields"),
        ("@daily", "five fields"),
        ("0 0 3 * * *", "five fields"),
        ("60 3 * * *", "Bad minute"),
        ("0 3 * * FRY", "Bad day-of-week"),
        ("0 3 30 2 *", "Bad day-of-month"),
        ("*/5 * * * *", "15 minutes"),
        ("0,50 * * * *", "15 minutes"),
        ("55,5 0,23 * * *", "15 minutes"),
        ("0 3 * * " + "1," * 60 + "1", "five fields"),
    ],
)
def test_expression_that_is_malformed_or_too_frequent_is_refused_with_the_reason(cron: str, says: str):
    with pytest.raises(CronMalformed, match=says):
        Timetable.read(cron, "UTC")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe"])
def test_unknown_time_zone_is_refused(zone: str):
    with pytest.raises(TimeZoneUnknown):
        Timetable.read("0 3 * * *", zone)


@settings(max_examples=60, deadline=None)
@given(cron=st.text("0123456789*,-/#LWMONJA ", max_size=20) | st.from_regex(r"([0-9L*,/#-]{1,4} ){4}[0-9L*,/#-]{1,4}"))
def test_any_text_is_a_timetable_or_malformed(cron: str):
    try:
        found = Timetable.read(cron, "Europe/Warsaw")
    except CronMalformed:
        return
    first, second = itertools.islice(found.times(read_moment("2026-10-24T12:00:00Z")), 2)
    assert first < second


def test_passed_times_are_counted_up_to_a_limit():
    timetable = Timetable.read("*/15 * * * *", "UTC")
    first_us = read_moment("2026-03-24T12:00:00Z")
    assert timetable.passed(first_us, first_us) == (first_us, 0, first_us + 15 * MINUTE_US)
    assert timetable.passed(first_us, first_us + 44 * MINUTE_US) == (
        first_us + 30 * MINUTE_US,
        2,
        first_us + 45 * MINUTE_US,
    )
    passed = timetable.passed(first_us, first_us + 2 * PASSED_MAX * 15 * MINUTE_US)
    assert passed.missed == PASSED_MAX
    assert passed.latest_us == first_us + PASSED_MAX * 15 * MINUTE_US
