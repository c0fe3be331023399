"""The time of an observation never differs from the true time by more than its stated uncertainty.

The simulated device (`clock_device`) also has the true time, for comparison. In random order, the device reports,
stores measurements and sends them later, and restarts; its clock is read and set; hours or days pass. Some commands to
set the clock are acknowledged but have no effect, and some are sent while reports are in transit.
"""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sessions.clocks.clock_relation import ClockRelation
from gateway.sessions.clocks.device_clock import RELATIVE_SPAN_US
from protocols.device_time import TimeKind
from tests.builders.clock_device import DAY, HOUR, SECOND, ClockDevice
from tests.builders.fuzz_counts import count

COUNTERS = (TimeKind.RELATIVE, TimeKind.HIGH_RESOLUTION)
WAITS = st.sampled_from([SECOND, 30 * SECOND, 10 * 60 * SECOND, 3 * HOUR, 2 * DAY])


def check(placed: Iterable[tuple[int, ClockRelation]]) -> None:
    for wrong_us, relation in placed:
        assert abs(wrong_us) <= relation.uncertainty_us


@settings(max_examples=count(150))
@given(
    kind=st.sampled_from(COUNTERS),
    ppm=st.integers(-60, 60),
    powered_us=st.integers(-2 * RELATIVE_SPAN_US, 0),
    course=st.lists(st.one_of(WAITS, st.sampled_from(["report", "keep", "send", "ask", "restart"])), max_size=30),
)
def test_counter_time_stamps_are_converted_correctly_before_and_after_a_counter_roll_over_or_restart(
    kind: TimeKind, ppm: int, powered_us: int, course: list[int | str]
) -> None:
    device = ClockDevice(kind, ppm=ppm, powered_us=powered_us)
    device.send_its_time()
    for step in course:
        match step:
            case "report":
                check([device.reports()])
            case "keep":
                device.keeps()
            case "send":
                check(device.sends_memory())
            case "ask":
                device.send_its_time()
            case "restart":
                device.restarts()
            case int():
                if device.memory and device.now_us + step - device.memory[0].at_us > RELATIVE_SPAN_US // 2:
                    device.memory.clear()  # beyond the counter's range, where no date is possible
                device.passes(step)


@settings(max_examples=count(150))
@given(
    ahead_us=st.integers(-400 * DAY, -10 * SECOND),
    ppm=st.integers(-60, 60),
    tick_us=st.sampled_from([10_000, SECOND]),
    redates=st.booleans(),
    course=st.lists(
        st.one_of(WAITS, st.sampled_from(["report", "keep", "send", "ask", "set", "set in vain", "set amid reports"])),
        max_size=30,
    ),
)
def test_absolute_time_stamps_are_converted_correctly_before_and_after_the_device_clock_is_set(
    ahead_us: int, ppm: int, tick_us: int, redates: bool, course: list[int | str]
) -> None:
    device = ClockDevice(TimeKind.ABSOLUTE, ahead_us=ahead_us, ppm=ppm, tick_us=tick_us, redates=redates)
    device.send_its_time()
    for step in course:
        match step:
            case "report":
                check([device.reports()])
            case "keep":
                device.keeps()
            case "send":
                check(device.sends_memory())
            case "ask":
                device.send_its_time()
            case "set":
                check(device.is_set())
            case "set in vain":
                check(device.is_set(obeys=False))
            case "set amid reports":
                check(device.is_set(reports=True))
            case int():
                device.passes(step)
