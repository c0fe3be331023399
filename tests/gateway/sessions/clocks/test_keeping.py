"""The gateway sets a device's clock if the device allows it, the clock is wrong, and the gateway's own time is right.

Observations made before, while and after the clock is set get correct times.
"""

from datetime import timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.sessions.clocks.policy import ClockPolicy, ClockRules, Verdict
from gateway.sessions.devices.history import SettingOutcome
from gateway.sessions.sections import placed_by
from protocols.device_time import DeviceTime, TimeKind
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ConfigObject
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import numeric
from protocols.observation import Channel, Observation
from protocols.uplink.observations import DeviceObservations
from tests.builders.clock_device import NAME
from tests.builders.clock_session import SECOND, ClockStories, ClockStory, associated
from tests.builders.ieee11073_devices import OXIMETER, PERCENT, SPO2
from tests.builders.requests_device import CAN_BE_SET

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
CHANNEL = Channel(handle=1, type=SPO2)
ADJUSTED = (AvaType(Attribute.DATE_AND_TIME_ADJUSTMENT, bytes(6)),)


def placed_us(section: DeviceObservations) -> int:
    """Return the time of a section's first observation: the device time plus the clock offset stated in the section."""
    time = section.observations[0].device_time
    assert time is not None
    assert section.device_offset_us is not None
    local_us = time.local_us()
    assert local_us is not None
    return local_us + section.device_offset_us


async def test_clock_set_event_contains_the_former_offset_of_the_device_clock() -> None:
    story = await associated(-HOUR)
    assert len(story.set_to) == 1
    assert abs(story.ahead_us) < MINUTE
    (event,) = [event for event in story.context.written if event.name == "device.clock_set"]
    assert event.fields["was_off_ms"] in range(-3_600_100, -3_599_900)
    (setting,) = story.context.histories.of(NAME, 0).settings
    assert (setting.outcome, round((setting.offset_us or 0) / SECOND)) == (SettingOutcome.SET, 3600)


async def test_device_clock_is_set_to_local_time_of_the_configured_zone() -> None:
    story = await associated(0, zone=timezone(timedelta(hours=2)))
    assert abs(story.ahead_us - 2 * HOUR) < SECOND
    right = await associated(2 * HOUR, zone=timezone(timedelta(hours=2)))
    assert right.set_to == []


@pytest.mark.parametrize("ahead_us", [0, 4 * SECOND, -5 * SECOND])
async def test_device_clock_within_the_tolerance_is_not_set(ahead_us: int) -> None:
    story = await associated(ahead_us)
    await story.passes(3600.0)
    assert (story.set_to, story.context.written) == ([], [])


async def test_clock_is_never_set_on_a_device_that_does_not_declare_set_time_support() -> None:
    for capabilities in (0, 0x8000, 0x8010):
        story = await associated(-HOUR, capabilities=capabilities)
        assert (story.set_to, story.context.written) == ([], [])


@pytest.mark.parametrize(
    ("verdict", "change"),
    [
        (Verdict.GATEWAY_UNSYNCHRONISED, {"synchronised": False}),
        (Verdict.UNWANTED, {"clock_rules": ClockRules(ClockPolicy(set_clocks=False))}),
    ],
)
async def test_reason_for_not_setting_a_wrong_device_clock_is_reported_once(
    verdict: Verdict, change: dict[str, Any]
) -> None:
    story = await associated(-HOUR, context=ClockStories(**change))
    await story.passes(7200.0)
    assert story.set_to == []
    (event,) = story.context.written
    assert (event.name, event.fields["why"]) == ("device.clock_left", verdict.value)
    (setting,) = story.context.histories.of(NAME, 0).settings
    assert (setting.outcome, setting.why) == (SettingOutcome.LEFT, verdict.value)


async def test_clock_of_a_self_synchronising_device_is_set_only_when_the_device_requests_it() -> None:
    assert (await associated(-HOUR, capabilities=CAN_BE_SET | 0x0080)).set_to == []
    assert (await associated(-HOUR, capabilities=CAN_BE_SET | 0x0080 | 0x0010)).set_to != []


LIVE_ONLY = Configuration(0x4022, (numeric(1, SPO2, PERCENT, metric_spec=0x0040),))
WITH_MEMORY = Configuration(0x4021, (*LIVE_ONLY.objects, ConfigObject(ObjectClass.PM_STORE, 20, ())))


async def test_device_clock_is_not_set_back_before_the_times_of_stored_measurements() -> None:
    for configuration in (WITH_MEMORY, OXIMETER):
        fast = await associated(HOUR, configuration=configuration)
        assert fast.set_to == []
        assert fast.context.written[0].fields["why"] == Verdict.WOULD_REPEAT_TIMES.value
        assert (await associated(HOUR, configuration=configuration, more=ADJUSTED)).set_to != []
        assert (await associated(-HOUR, configuration=configuration)).set_to != []
    assert (await associated(HOUR, configuration=LIVE_ONLY)).set_to != []


async def test_device_clock_is_set_at_the_next_check_after_the_gateway_clock_is_synchronised() -> None:
    story = await associated(-HOUR, context=ClockStories(synchronised=False))
    story.context.synchronised = True
    story.context.clock.refresh()
    await story.passes(601.0)
    assert len(story.set_to) == 1


async def test_ineffective_attempt_to_set_a_device_clock_is_repeated_with_growing_delays() -> None:
    story = await associated(-HOUR, obeys=False)
    assert story.context.names() == ["device.clock_set", "device.clock_not_set", "device.clock_left"]
    await story.passes(24 * 3600.0)
    assert len(story.set_to) == 4  # after 2, 4 and 8 hours
    assert abs(story.ahead_us + HOUR) < SECOND


async def test_refused_attempt_to_set_a_device_clock_is_not_repeated_at_the_next_association() -> None:
    story = await associated(-HOUR, refuses=True)
    assert story.context.names() == ["device.clock_not_set"]
    (setting,) = story.context.histories.of(NAME, 0).settings
    assert (setting.outcome, setting.why) == (SettingOutcome.REFUSED, "ROER not-allowed-by-object (24)")
    again = await associated(-HOUR, context=story.context)
    assert again.set_to == []


async def test_clock_change_is_detected_when_the_device_did_not_respond_to_set_time() -> None:
    story = await associated(-HOUR, answers=False)
    await story.passes(10.0)
    assert story.context.names() == ["device.clock_not_set"]
    (section,) = story.reports(story.shows())
    assert abs(placed_us(section) - story.context.clock.wall_us()) < SECOND


async def test_clock_change_is_detected_at_the_next_association_when_the_set_time_response_was_lost() -> None:
    story = await settable_later(-HOUR)
    story.ahead_us = 0  # it obeyed, and its response was lost
    await story.context.wall.advance(1800.0)
    again = await associated(0, context=story.context)
    assert again.set_to == []
    (section,) = again.reports(again.shows())
    assert abs(placed_us(section) - story.context.clock.wall_us()) <= section.uncertainty_us < 2 * SECOND


# No observation is misdated meanwhile.


async def settable_later(ahead_us: int) -> ClockStory:
    """Associate a device with a wrong clock, and let the gateway send the command to set the clock. The device has not
    responded to the command yet."""
    story = await associated(ahead_us, context=ClockStories(synchronised=False))
    await story.passes(5.0)
    story.context.synchronised = True
    story.context.clock.refresh()
    story.device.manager.clock_setting.read_clocks(story.device.now_s)
    (asked,) = story.device.asked()
    await story.heard(story.device.manager.receive(story.answer(asked) or b"", story.device.now_s))
    await story.heard(story.device.manager.expire(story.device.now_s))
    return story


async def test_time_stamps_of_reports_sent_during_clock_setting_are_converted_correctly() -> None:
    story = await settable_later(-HOUR)
    old = story.shows()
    await story.moved_to(story.device.now_s + 0.05)
    (before,) = story.reports(old)
    assert abs(placed_us(before) - story.context.clock.wall_us()) <= before.uncertainty_us < 2 * SECOND
    story.ahead_us = 0  # the device obeys, and reports before it responds
    (between,) = story.reports(story.shows())
    assert abs(placed_us(between) - story.context.clock.wall_us()) <= between.uncertainty_us < 2 * SECOND
    await story.settles()
    (late,) = story.reports(old)
    assert abs(placed_us(late) - story.context.clock.wall_us()) <= late.uncertainty_us < 2 * SECOND
    (after,) = story.reports(story.shows())
    assert abs(placed_us(after) - story.context.clock.wall_us()) <= after.uncertainty_us < 2 * SECOND


async def test_time_stamp_from_before_a_clock_correction_is_converted_with_the_earlier_offset() -> None:
    story = await associated(-HOUR, context=ClockStories(synchronised=False))
    taken_us, kept = story.context.clock.wall_us(), story.shows()
    await story.passes(1200.0)
    story.context.synchronised = True
    story.context.clock.refresh()
    await story.passes(1200.0)
    assert len(story.set_to) == 1
    (section,) = story.reports(kept, confirmed=True)
    assert abs(placed_us(section) - taken_us) < SECOND
    assert HOUR <= section.uncertainty_us < HOUR + 10 * SECOND


async def test_uncertainty_of_stored_values_stays_small_when_the_device_reports_its_clock_adjustment() -> None:
    story = await associated(-HOUR, context=ClockStories(synchronised=False), more=ADJUSTED)
    taken_us, kept = story.context.clock.wall_us(), story.shows()
    await story.passes(1200.0)
    story.context.synchronised = True
    story.context.clock.refresh()
    await story.passes(1200.0)
    story.context.clocks.clock(NAME, TimeKind.ABSOLUTE).adjustment_us = HOUR
    (section,) = story.reports(kept, confirmed=True)
    assert abs(placed_us(section) - taken_us) <= section.uncertainty_us < 2 * SECOND


async def test_relative_time_stamp_is_converted_with_the_counter_value_read_at_association() -> None:
    counter = AvaType(Attribute.RELATIVE_TIME, (8000 * 7).to_bytes(4, "big"))
    story = await associated(0, more=(counter,))
    taken_us = story.context.clock.monotonic_s() * SECOND
    await story.passes(3600.0)
    relation = story.context.clocks.clock(NAME, TimeKind.RELATIVE).place(7 * SECOND, round(taken_us) + HOUR, live=False)
    assert relation.offset_us is not None
    assert abs(7 * SECOND + relation.offset_us - taken_us) <= relation.uncertainty_us < 2 * SECOND


async def test_device_report_contains_the_drift_of_the_device_clock() -> None:
    story = await associated(0)
    for _ in range(20):
        story.ahead_us += 600 * 50  # µs, at 50 parts per million
        await story.passes(600.0)
    drift_ppm = story.context.histories.of(NAME, 0).clocks[TimeKind.ABSOLUTE].drift_ppm
    assert drift_ppm is not None
    assert 45 < drift_ppm < 55


async def test_report_with_a_roll_over_of_the_time_counter_is_split_at_the_roll_over() -> None:
    context = ClockStories()
    clock = context.clocks.clock(NAME, TimeKind.RELATIVE)
    now_us = round(context.clock.monotonic_s() * SECOND)
    clock.observe_reading((1 << 32) * 125 - SECOND, now_us, sent_us=now_us)
    await context.wall.advance(2.0)
    stamps = [DeviceTime(TimeKind.RELATIVE, count.to_bytes(4, "big")) for count in ((1 << 32) - 4000, 4000)]
    received_us = round(context.clock.monotonic_s() * SECOND)
    pieces = list(
        placed_by(clock, [Observation(CHANNEL, 97.0, None, 0, stamp, 0.0) for stamp in stamps], received_us, live=True)
    )
    taken = []
    for relation, observations in pieces:
        time, offset_us = observations[0].device_time, relation.offset_us
        assert time is not None
        assert offset_us is not None
        taken.append((time.local_us() or 0) + offset_us)
    assert [each - now_us for each in taken] == [SECOND // 2, SECOND + SECOND // 2]


def test_time_zone_offset_follows_daylight_saving_time() -> None:
    policy = ClockPolicy(zone=ZoneInfo("Europe/Zurich"))
    winter, summer = 1_767_225_600 * SECOND, 1_782_864_000 * SECOND
    assert (policy.zone_min(winter), policy.zone_min(summer)) == (60, 120)
