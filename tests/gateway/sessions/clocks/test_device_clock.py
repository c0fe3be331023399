"""The gateway's estimate of a device clock's offset, and the observation times that it derives from device times."""

from gateway.sessions.clocks.device_clock import DeviceClock, DeviceClocks
from protocols.device_time import TimeKind

SECOND = 1_000_000
HOUR = 3600 * SECOND


def test_device_clock_without_observed_time_stamps_has_no_offset():
    assert DeviceClock().relation().offset_us is None


def test_first_live_report_gives_the_device_clock_an_offset():
    clock = DeviceClock()
    clock.observe(500 * SECOND, 800 * SECOND, live=True)
    relation = clock.relation()
    assert relation.offset_us == 300 * SECOND
    assert relation.uncertainty_us >= SECOND


def test_offset_of_a_device_clock_comes_from_the_report_with_the_least_delay():
    clock = DeviceClock()
    for second in range(20):
        delay = 5_000 if second == 7 else 80_000
        clock.observe(second * SECOND, second * SECOND + 300 * SECOND + delay, live=True)
    assert clock.relation().offset_us == 300 * SECOND + 5_000
    assert 75_000 <= clock.relation().uncertainty_us < 77_000


def test_stored_measurement_of_last_week_does_not_change_the_known_clock_offset():
    clock = DeviceClock()
    for second in range(20):
        clock.observe(second * SECOND, second * SECOND + 300 * SECOND, live=True)
    clock.observe(20 * SECOND - 7 * 24 * HOUR, 320 * SECOND, live=False)
    assert clock.relation().offset_us == 300 * SECOND


def test_stored_measurements_sent_in_one_transfer_give_no_clock_offset():
    clock = DeviceClock()
    for hour in range(30):
        clock.observe(hour * HOUR, 900 * SECOND + hour * 20_000, live=False)
    assert clock.relation().offset_us is None


def test_confirmed_reports_with_time_stamps_as_far_apart_as_their_arrivals_give_a_clock_offset():
    clock = DeviceClock()
    for second in range(4):
        clock.observe(second * SECOND, 50 * SECOND + second * SECOND, live=False)
    assert clock.relation().offset_us == 50 * SECOND


def test_clock_offset_changes_after_a_few_reports_of_a_device_whose_clock_was_set():
    clock = DeviceClock()
    for second in range(20):
        clock.observe(second * SECOND, second * SECOND, live=True)
    for second in range(20, 24):
        clock.observe(second * SECOND + HOUR, second * SECOND, live=True)
    assert clock.relation().offset_us == -HOUR


def test_clock_offset_follows_a_jump_of_the_device_clock_only_after_several_consistent_reports():
    clock = DeviceClock()
    clock.observe_reading(0, 0)
    now_s = 0
    for offset_us in (3 * HOUR, -2 * HOUR, 3 * HOUR, 0):
        fitted = []
        for _ in range(6):
            now_s += 1
            fitted.append(clock.observe(now_s * SECOND + offset_us, now_s * SECOND, live=True))
        assert fitted[0] is False
        assert fitted[-3:] == [True] * 3
        assert clock.relation().offset_us == -offset_us
    for jump_us in (HOUR, -HOUR) * 20:
        assert not clock.observe(now_s * SECOND + jump_us, now_s * SECOND, live=True)
    assert clock.relation().offset_us == 0


def test_time_stamp_in_the_past_is_accepted_for_a_stored_measurement():
    clock = DeviceClock()
    clock.observe_reading(0, 0)
    assert not clock.observe(3 * HOUR, 60 * SECOND, live=False)
    assert clock.observe(-3 * HOUR, 61 * SECOND, live=False)
    assert not clock.observe(-3 * HOUR, 62 * SECOND, live=True)


def test_one_impossible_date_in_the_future_does_not_change_the_clock_offset():
    clock = DeviceClock()
    for second in range(20):
        clock.observe(second * SECOND, second * SECOND, live=True)
    clock.observe(24 * 365 * 70 * HOUR, 20 * SECOND, live=True)
    clock.observe(21 * SECOND, 21 * SECOND, live=True)
    assert clock.relation().offset_us == 0


def test_time_read_from_a_device_clock_determines_its_offset_immediately():
    clock = DeviceClock()
    clock.observe(0, 10 * SECOND, live=True)
    clock.observe_reading(100 * SECOND, 11 * SECOND)
    assert clock.relation().offset_us == -89 * SECOND


def test_known_device_clocks_are_kept_across_reassociation_and_limited_in_number():
    clocks = DeviceClocks()
    first = clocks.clock("a", TimeKind.ABSOLUTE)
    assert clocks.clock("a", TimeKind.ABSOLUTE) is first
    for number in range(1000):
        clocks.clock(f"device-{number}", TimeKind.ABSOLUTE)
    assert clocks.clock("a", TimeKind.ABSOLUTE) is not first
