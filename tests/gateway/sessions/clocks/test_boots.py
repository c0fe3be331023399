"""The age of a time stamp is known even if the machine was rebooted after the time stamp was made."""

import pytest

from gateway.buffer.devices import STATE_VALUE_LENGTH_MAX
from gateway.sessions.clocks.boots import BOOTS_MAX, Boots
from protocols.clock_anchor import ClockAnchor
from tests.harness.moved_clock import MovedClock

HOUR_S = 3600.0


def rebooted(before: Boots, boot_id: str, monotonic_s: float = 0.0) -> tuple[Boots, MovedClock]:
    """Save the records of the machine's boots, and load them as the gateway does after the next boot.

    Return the loaded records and the clock of the new boot.
    """
    before.present()
    clock = MovedClock(monotonic_s=monotonic_s, boot_id=boot_id)
    boots = Boots(clock)
    boots.load(before.text())
    return boots, clock


def anchor(offset_us: int) -> ClockAnchor:
    return ClockAnchor.at(monotonic_us=0, utc_us=offset_us, uncertainty_us=1000)


async def test_age_of_a_time_stamp_within_one_boot_ignores_wall_clock_jumps():
    clock = MovedClock(monotonic_s=100.0)
    boots = Boots(clock)
    await clock.advance(HOUR_S)
    clock.set_wall_us(0)
    assert boots.age_s("boot-1", 100.0) == HOUR_S
    assert boots.age_s("boot-1", 100.0 + 2 * HOUR_S) is None
    assert boots.age_s("boot-0", 0.0) is None


async def test_age_of_a_time_stamp_after_reboots_is_the_sum_of_the_running_times_when_no_time_is_known():
    first = Boots(MovedClock(monotonic_s=500.0, boot_id="boot-1"))
    second, _ = rebooted(first, "boot-2", 300.0)
    third, clock = rebooted(second, "boot-3")
    await clock.advance(50.0)
    assert third.age_s("boot-1", 400.0) == 100.0 + 300.0 + 50.0


async def test_age_of_a_time_stamp_across_a_reboot_is_exact_when_both_boots_have_a_clock_anchor():
    first = Boots(MovedClock(monotonic_s=500.0, boot_id="boot-1"))
    first.present().anchor = anchor(1_000_000_000)
    second, clock = rebooted(first, "boot-2")
    second.present().anchor = anchor(1_000_000_000 + 7_200_000_000)
    await clock.advance(50.0)
    assert second.age_s("boot-1", 400.0) == 7200.0 - 400.0 + 50.0


async def test_age_of_a_time_stamp_across_a_machine_sleep_follows_the_monotonic_clock():
    first = Boots(MovedClock(monotonic_s=500.0, boot_id="boot-1"))
    second, clock = rebooted(first, "boot-1-s30", 510.0)
    await clock.advance(10.0)
    assert second.age_s("boot-1", 400.0) == 120.0


def test_remembered_machine_boots_are_limited_in_number_and_fit_in_one_stored_value():
    boots = Boots(MovedClock())
    for number in range(BOOTS_MAX + 5):
        boots, _ = rebooted(boots, f"{number:08x}-0123-4567-89ab-0123456789ab-s604800", 604800.123)
        boot = boots.present()
        boot.anchor = ClockAnchor(
            offset_us=1_795_000_000_000_000,
            uncertainty_us=16_000_000,
            first_us=604_800_123_456,
            last_us=604_800_123_456,
        )
    assert len(boots.anchors) == BOOTS_MAX
    assert len(boots.text()) < STATE_VALUE_LENGTH_MAX


@pytest.mark.parametrize("text", [None, "", "{", "[1]", '[["b"]]', '[["b", 1, [1], false]]', "5"])
def test_invalid_persisted_boot_records_are_discarded(text: str | None):
    boots = Boots(MovedClock())
    boots.load(text)
    assert boots.anchors == {}
