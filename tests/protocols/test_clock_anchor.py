"""A time computed from clock anchors differs from the true time by no more than the stated uncertainty.

A clock anchor is one observation of the monotonic clock and the UTC time at the same moment.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.clock_anchor import DRIFT_PPM, ClockAnchor
from protocols.uplink.clock_events import CLOCK_LEARNT, CLOCK_LOST, anchor_fields, anchor_of
from protocols.uplink.events import GatewayEvent

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
moments = st.integers(0, DAY_US)


def seen(monotonic_us: int, *, drift_ppm: int, error_us: int, within_us: int) -> ClockAnchor:
    """Return an anchor at this monotonic time, with this drift of the monotonic clock and this error of the UTC time.

    `within_us` is the uncertainty that the anchor states.
    """
    true_us = 10**15 + monotonic_us + monotonic_us * drift_ppm // 1_000_000
    return ClockAnchor.at(monotonic_us=monotonic_us, utc_us=true_us + error_us, uncertainty_us=within_us)


@st.composite
def clocks(draw: st.DrawFn) -> tuple[int, list[ClockAnchor]]:
    """Draw a drift within the allowed range, and one to four anchors of a clock with this drift."""
    drift_ppm = draw(st.integers(-DRIFT_PPM, DRIFT_PPM))
    noted = []
    for monotonic_us in draw(st.lists(moments, min_size=1, max_size=4)):
        within_us = draw(st.integers(0, 2_000_000))
        error_us = draw(st.integers(-within_us, within_us))
        noted.append(seen(monotonic_us, drift_ppm=drift_ppm, error_us=error_us, within_us=within_us))
    return drift_ppm, noted


@given(clocks(), moments)
def test_true_time_lies_within_the_uncertainty_of_a_merged_clock_anchor(clock, monotonic_us):
    drift_ppm, noted = clock
    anchor = noted[0]
    for another in noted[1:]:
        anchor = anchor.merged(another)
    true_us = 10**15 + monotonic_us + monotonic_us * drift_ppm // 1_000_000
    assert abs(monotonic_us + anchor.offset_us - true_us) <= anchor.uncertainty_at(monotonic_us) + 4


@given(clocks(), clocks())
def test_merging_two_clock_anchors_is_commutative(first, second):
    one, other = first[1][0], second[1][0]
    assert one.merged(other) == other.merged(one)
    assert one.merged(one) == one


def test_later_clock_anchor_replaces_a_contradicting_earlier_clock_anchor():
    false = ClockAnchor.at(monotonic_us=0, utc_us=10**15 + HOUR_US, uncertainty_us=1000)
    right = ClockAnchor.at(monotonic_us=HOUR_US, utc_us=10**15 + HOUR_US, uncertainty_us=5000)
    assert false.merged(right) == right == right.merged(false)


def test_clock_uncertainty_grows_with_the_distance_in_time_from_the_anchored_period():
    anchor = ClockAnchor(offset_us=0, uncertainty_us=1000, first_us=HOUR_US, last_us=2 * HOUR_US)
    assert [anchor.uncertainty_at(hour * HOUR_US) for hour in (0, 1, 2, 4)] == [1_801_000, 1000, 1000, 3_601_000]


def event(name: str = CLOCK_LEARNT, **fields: object) -> GatewayEvent:
    return GatewayEvent(name=name, at_us=0, boot_id="b", device=None, fields=fields)  # type: ignore[arg-type]  # nonsense


@pytest.mark.parametrize("name", [CLOCK_LEARNT, CLOCK_LOST])
def test_clock_anchor_encoded_in_an_event_is_decoded_to_the_same_anchor(name: str):
    anchor = ClockAnchor.at(monotonic_us=5, utc_us=1_795_000_000_000_000, uncertainty_us=7)
    assert anchor_of(event(name, **anchor_fields(anchor))) == anchor


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"monotonic_us": 1, "wall_us": 1},
        {"monotonic_us": True, "wall_us": 1, "uncertainty_us": 1},
        {"monotonic_us": 1.5, "wall_us": 1, "uncertainty_us": 1},
        {"monotonic_us": -1, "wall_us": 1, "uncertainty_us": 1},
        {"monotonic_us": 1, "wall_us": 1 << 62, "uncertainty_us": 1},
        {"monotonic_us": 1, "wall_us": "1", "uncertainty_us": 1},
        {"monotonic_us": 1, "wall_us": 1, "uncertainty_us": 1 << 62},
    ],
)
def test_event_with_invalid_or_missing_fields_gives_no_clock_anchor(fields: dict[str, object]):
    assert anchor_of(event(**fields)) is None
    assert anchor_of(event("device.connected", monotonic_us=1, wall_us=1, uncertainty_us=1)) is None
