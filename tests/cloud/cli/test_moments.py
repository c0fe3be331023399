"""Times are read with their UTC offset and written in UTC."""

import pytest

from cloud.foundation.moments import MomentMalformed, read_moment, write_moment
from tests.builders.cloud_people import NOON_US


def test_time_argument_with_any_utc_offset_is_accepted_and_written_in_utc() -> None:
    assert read_moment("2026-03-24T12:00:00Z") == read_moment("2026-03-24T13:00:00.000+01:00") == NOON_US
    assert write_moment(NOON_US + 1) == "2026-03-24T12:00:00.000001Z"
    assert read_moment("1969-12-31T23:59:59Z") == -1_000_000
    assert write_moment(None) is None


@pytest.mark.parametrize("text", ["", "noon", "2026-03-24T12:00:00", "2026-13-01T00:00:00Z", "1774353600"])
def test_malformed_time_or_time_without_a_utc_offset_is_refused(text: str) -> None:
    with pytest.raises(MomentMalformed, match="2026-03-24T10:00:00Z"):
        read_moment(text)


@pytest.mark.finding("security-2")
@pytest.mark.parametrize(
    ("at_us", "text"),
    [(-9 * 10**18, "0001-01-01T00:00:00.000000Z"), (9 * 10**18, "9999-12-31T23:59:59.999999Z")],
)
def test_time_outside_the_calendar_range_is_written_as_the_nearest_date(at_us: int, text: str) -> None:
    assert write_moment(at_us) == text
