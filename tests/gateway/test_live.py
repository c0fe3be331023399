"""The live feed of the crew page: its size is limited, and a slow reader gets the number of dropped updates."""

import asyncio

from gateway.live import CHANNELS_MAX, DEVICES_MAX, WAVEFORM_S, LiveFeed
from protocols.uplink.observations import DeviceRef
from tests.builders.crew_live import MONITOR, OXIMETER, ecg, live_device, reading, spo2


def test_live_feed_snapshot_has_the_latest_value_of_each_channel():
    feed = LiveFeed()
    feed.observed(live_device(), [spo2(97.0, received_s=1.0), spo2(96.0, received_s=2.0)], 0)
    (shown,) = feed.snapshot()
    assert [value.observation.value for value in shown.values] == [96.0]


def test_live_feed_keeps_the_last_ten_seconds_of_a_waveform():
    feed = LiveFeed()
    for second in range(30):
        feed.observed(live_device(MONITOR), [ecg(second, received_s=0.0)], 0)
    (wave,) = feed.snapshot()[0].waveforms
    assert len(wave.arrays) == WAVEFORM_S
    assert wave.arrays[-1].received_s == 29.0


def test_live_feed_keeps_values_and_receive_times_of_a_disconnected_device():
    feed = LiveFeed()
    feed.observed(live_device(), [spo2(97.0, received_s=1.0)], 0)
    feed.device(live_device(connected=False))
    (shown,) = feed.snapshot()
    assert not shown.device.connected
    assert shown.values[0].observation.received_s == 1.0


def test_live_feed_above_the_device_limit_removes_disconnected_devices_first():
    feed = LiveFeed()
    feed.device(live_device(OXIMETER, connected=True))
    for number in range(DEVICES_MAX + 5):
        feed.device(live_device(DeviceRef(f"{number:016x}", ""), connected=False))
    shown = [each.device.ref for each in feed.snapshot()]
    assert len(shown) == DEVICES_MAX
    assert OXIMETER in shown


def test_number_of_channels_per_device_in_the_live_feed_is_limited():
    feed = LiveFeed()
    values = [reading("MDC_PULS_OXIM_SAT_O2", 97.0, None, received_s=1.0, handle=number + 1) for number in range(1000)]
    feed.observed(live_device(), values, 0)
    assert len(feed.snapshot()[0].values) == CHANNELS_MAX


async def test_live_feed_subscriber_receives_each_update_after_subscribing():
    feed = LiveFeed()
    feed.observed(live_device(), [spo2(95.0, received_s=1.0)], 0)
    with feed.subscribe() as updates:
        feed.observed(live_device(), [spo2(96.0, received_s=2.0)], 0)
        first = await asyncio.wait_for(anext(updates), 30)
        assert [each.value for each in first.observations] == [96.0]
        waiting = asyncio.ensure_future(anext(updates))
        await asyncio.sleep(0)
        feed.device(live_device(connected=False))
        assert not (await asyncio.wait_for(waiting, 30)).device.connected


async def test_slow_live_feed_subscriber_loses_the_oldest_updates_and_receives_the_number_of_lost_updates():
    feed = LiveFeed()
    with feed.subscribe() as updates:
        for number in range(300):
            feed.observed(live_device(), [spo2(float(number), received_s=1.0)], 0)
        first = await anext(updates)
        assert first.lost == 44
        assert [each.value for each in first.observations] == [44.0]
        assert (await anext(updates)).lost == 0
