"""The live page never shows a value as more recent than it is.

This holds for status chips, tiles, waveforms and devices, whether a device, the gateway or the cloud stops sending.
"""

from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, expect

from gateway.crew import CrewStatus
from gateway.live import LiveFeed
from protocols.observation import Special
from protocols.uplink.observations import DeviceRef
from tests.builders.crew_live import CUFF, MONITOR, OXIMETER, live_device, spo2
from tests.builders.crew_vitals import (
    compressions,
    defibrillator,
    fill_ambulance,
    heart_rate,
    monitor_values,
    send_monitor,
    send_oximeter,
    send_temperature,
    temperature,
)
from tests.harness.crew_app import ALL_SENT
from tests.harness.crew_browser import open_page
from tests.harness.page_requests import abort, intercept, pass_on

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def assert_nothing_is_green(page: Page) -> None:
    assert await page.locator(".chip.good, .state.good").count() == 0


async def test_status_chips_are_green_while_devices_send_and_all_data_is_acknowledged(browser: Browser) -> None:
    async with open_page(browser, send_monitor) as opened:
        await expect(opened.link).to_have_text("Live")
        await expect(opened.link).to_have_class("chip good")
        await expect(opened.network).to_have_text("Network: all sent")
        await expect(opened.page.locator("#devices .state")).to_have_text("sending · cable")


async def test_device_without_data_is_named_in_a_warning_after_ten_seconds(browser: Browser) -> None:
    async with open_page(browser, fill_ambulance) as opened:
        await opened.pass_time(12, each_second=lambda now_s: send_oximeter(opened.feed, now_s))
        await expect(opened.link).to_contain_text("No data from SIM MON-12, SIM DEFIB for 12 s")
        await expect(opened.link).to_have_class("chip warn")
        await opened.pass_time(20, each_second=lambda now_s: send_oximeter(opened.feed, now_s))
        await expect(opened.link).to_contain_text("No data from SIM MON-12, SIM DEFIB for 32 s")
        await expect(opened.link).to_have_class("chip bad")
        device = opened.page.locator("#devices li", has_text=MONITOR.model)
        await expect(device.locator(".state.bad")).to_contain_text("connected, but no data for 32 s")


async def test_device_status_chip_is_red_when_every_device_is_disconnected(browser: Browser) -> None:
    async with open_page(browser, send_monitor) as opened:
        opened.feed.device(live_device(MONITOR, connected=False, last_s=opened.now_s))
        await opened.pass_time(1)
        await expect(opened.link).to_have_text("No device connected: all values are old")
        await expect(opened.link).to_have_class("chip bad")


async def test_live_page_shows_stale_values_and_unknown_states_when_it_loses_the_connection_to_the_gateway(
    browser: Browser,
) -> None:
    """The stream stays open and carries nothing, as when the vehicle's Wi-Fi fails without closing connections."""
    async with open_page(browser, fill_ambulance) as opened:
        await opened.page.clock.run_for(8_000)
        await expect(opened.link).to_contain_text("No contact with the gateway for ")
        await expect(opened.link).to_have_class("chip bad")
        await expect(opened.network).to_have_text("Network: unknown")
        assert await opened.page.locator("article:not(.stale)").count() == 0
        assert await opened.page.locator(".strip:not(.stale):visible").count() == 0
        await expect(opened.page.locator("#devices .state").first).to_contain_text("unknown")
        await assert_nothing_is_green(opened.page)


async def test_live_page_shows_every_value_as_stale_after_tablet_sleep_until_it_reconnects(browser: Browser) -> None:
    async with open_page(browser, fill_ambulance) as opened:
        requests = await intercept(opened.page, "**/live*", abort)
        await opened.sleep_tablet(600)
        # On the connection from before the sleep, nothing shows the age of a message on arrival.
        send_oximeter(opened.feed, opened.now_s, 61.0)
        await opened.pass_time(0.5)
        await expect(opened.link).to_contain_text("No contact with the gateway for 10 min")
        await expect(opened.tile("spo2")).not_to_contain_text("61")
        assert await opened.page.locator("article:not(.stale)").count() == 0
        await assert_nothing_is_green(opened.page)
        requests.act = pass_on
        send_monitor(opened.feed, opened.now_s)
        await opened.page.clock.run_for(12_000)
        await expect(opened.tile("heart-rate")).to_have_class("value primary ecg fresh")
        await expect(opened.tile("temperature")).to_contain_text("11 min ago")


async def test_live_page_shows_correct_value_ages_when_the_tablet_clock_is_set_forward(browser: Browser) -> None:
    async with open_page(browser, fill_ambulance) as opened:
        await opened.set_tablet_forward(86_400)
        await opened.page.clock.run_for(500)
        await expect(opened.tile("nibp")).to_contain_text("4 min ago")
        await expect(opened.link).to_have_text("Live")


async def test_continuous_value_without_updates_is_marked_after_ten_seconds(browser: Browser) -> None:
    async with open_page(browser, lambda feed, now_s: send_oximeter(feed, now_s)) as opened:
        saturation = opened.tile("spo2")
        await opened.pass_time(9)
        await expect(saturation).to_contain_text("9 s ago")
        assert "ageing" not in (await saturation.get_attribute("class") or "")
        await opened.pass_time(2)
        await expect(saturation).to_have_class("value primary spo2 ageing")
        await opened.pass_time(20)
        await expect(saturation).to_have_class("value primary spo2 stale")
        await expect(saturation).to_contain_text("old: 31 s ago")
        await expect(saturation.locator(".main")).to_have_text("–")
        await expect(saturation.locator(".age")).to_contain_text("last 97 at 13:00")


async def test_spot_check_value_of_a_disconnected_device_is_stale_after_fifteen_minutes(browser: Browser) -> None:
    def fill(feed: LiveFeed, now_s: float) -> None:
        send_monitor(feed, now_s)
        send_temperature(feed, now_s - 14 * 60, connected=False)

    async with open_page(browser, fill) as opened:
        await expect(opened.page.locator("#values [data-tile=temperature]")).to_contain_text("14 min ago")
        await expect(opened.tile("temperature")).to_have_class("value primary temp fresh")
        await opened.sleep_tablet(90)
        send_monitor(opened.feed, opened.now_s)
        await opened.pass_time(0.5)
        await expect(opened.page.locator("#left [data-tile=temperature]")).to_contain_text("old: 16 min ago")


async def test_stale_tiles_of_a_disconnected_device_move_to_the_bottom_of_the_page(
    browser: Browser,
) -> None:
    def fill(feed: LiveFeed, now_s: float) -> None:
        send_monitor(feed, now_s)
        send_oximeter(feed, now_s)

    async with open_page(browser, fill) as opened:
        opened.feed.device(live_device(MONITOR, connected=False, last_s=opened.now_s))
        await opened.pass_time(32, each_second=lambda now_s: send_oximeter(opened.feed, now_s))
        await expect(opened.page.locator("#left article")).to_have_count(2)
        assert await opened.tiles("#left") == ["etco2", "respiration"]
        assert await opened.tiles("#values") == ["heart-rate", "spo2"]
        assert await opened.top_of("#left") > await opened.bottom_of("#values")
        await expect(opened.link).to_contain_text("Old: EtCO₂, Resp")
        devices = opened.page.locator("#devices li")
        await expect(devices.last).to_contain_text(MONITOR.model)
        await expect(devices.last.locator(".state.warn")).to_contain_text("disconnected 17 min ago")


async def test_treatment_tile_is_shown_above_the_vital_signs_while_its_value_is_recent(browser: Browser) -> None:
    def compress(feed: LiveFeed, now_s: float) -> None:
        values = [heart_rate(74.0, received_s=now_s), compressions(110.0, received_s=now_s)]
        feed.observed(defibrillator(last_s=now_s), values, 0)

    def stop_compressing(feed: LiveFeed, now_s: float) -> None:
        feed.observed(defibrillator(last_s=now_s), [heart_rate(74.0, received_s=now_s)], 0)

    async with open_page(browser, compress) as opened:
        assert await opened.tiles("#treatment") == ["compression-rate"]
        assert await opened.bottom_of("#treatment") < await opened.top_of("#values")
        await opened.pass_time(31, each_second=lambda now_s: stop_compressing(opened.feed, now_s))
        assert await opened.tiles("#treatment") == []
        await expect(opened.page.locator("#left article")).to_contain_text("old: 31 s ago")
        await expect(opened.link).to_have_text("Live")


async def test_device_status_chip_shows_a_warning_when_one_parameter_is_stale(browser: Browser) -> None:
    async with open_page(browser, send_monitor) as opened:

        def send_all_but_co2(now_s: float) -> None:
            values = [each for each in monitor_values(now_s) if each.channel.handle != 4]
            opened.feed.observed(live_device(MONITOR, last_s=now_s), values, 0)

        await opened.pass_time(12, each_second=send_all_but_co2)
        await expect(opened.link).to_contain_text("Old: EtCO₂")
        await expect(opened.link).to_have_class("chip warn")


async def test_waveform_without_new_samples_is_marked_as_stale(browser: Browser) -> None:
    async with open_page(browser, send_monitor) as opened:

        def send_numbers(now_s: float) -> None:
            opened.feed.observed(live_device(MONITOR, last_s=now_s), monitor_values(now_s), 0)

        await opened.pass_time(4, each_second=send_numbers)
        strip = opened.page.locator("#ecg-strip")
        await expect(strip).to_have_class("strip ecg stale")
        await expect(strip).to_contain_text("old: no new samples for 4 s")
        await expect(opened.link).to_contain_text("ECG")
        await expect(opened.link).to_have_class("chip warn")


async def test_waveform_without_new_samples_is_not_drawn_again(browser: Browser) -> None:
    count_pictures = """() => {
      const clear = CanvasRenderingContext2D.prototype.clearRect;
      window.pictures = 0;
      CanvasRenderingContext2D.prototype.clearRect = function (...box) { window.pictures++; clear.apply(this, box); };
    }"""
    async with open_page(browser, send_monitor) as opened:
        await opened.pass_time(3)
        await expect(opened.page.locator("#ecg-strip")).to_have_class("strip ecg stale")
        await opened.page.evaluate(count_pictures)
        await opened.pass_time(2)
        assert await opened.page.evaluate("window.pictures") == 0
        send_monitor(opened.feed, opened.now_s)
        await opened.pass_time(0.5)
        assert await opened.page.evaluate("window.pictures") > 0


async def test_waveform_on_a_newly_opened_live_page_shows_the_age_of_its_samples(browser: Browser) -> None:
    def fill(feed: LiveFeed, now_s: float) -> None:
        send_monitor(feed, now_s - 300)

    async with open_page(browser, fill) as opened:
        await expect(opened.page.locator("#ecg-strip")).to_contain_text("old: no new samples for 5 min")


async def test_network_chip_is_not_green_while_the_cloud_sends_no_acknowledgement(browser: Browser) -> None:
    states = {"now": replace(ALL_SENT, backlog=40, acknowledged=7)}

    def status() -> CrewStatus:
        return states["now"]

    async with open_page(browser, send_monitor, status=status) as opened:
        await expect(opened.network).to_have_text("Network: connected")
        states["now"] = replace(ALL_SENT, backlog=35, acknowledged=8)
        await opened.pass_time(2)
        await expect(opened.network).to_have_text("Network: all sent")
        await opened.pass_time(14)
        await expect(opened.network).to_contain_text("The cloud has not confirmed anything for ")
        await expect(opened.network).to_have_class("chip warn")


async def test_tile_of_a_parameter_names_its_source_device_and_lists_other_source_devices(browser: Browser) -> None:
    async with open_page(browser, fill_ambulance) as opened:
        assert await opened.tiles("body") == [
            *("heart-rate", "spo2", "nibp", "etco2", "respiration", "temperature"),
            *("pads", "impedance"),
        ]
        rate = opened.tile("heart-rate")
        await expect(rate.locator(".main")).to_have_text("72")
        await expect(rate.locator(".from")).to_have_text("SIM MON-12 (most vital signs)")
        await expect(rate.locator("summary")).to_have_text("Also 74 · Pulse 71")
        await rate.locator("summary").click()
        await expect(rate.locator("li").nth(0)).to_contain_text("HR 74 /min · SIM DEFIB · now")
        await expect(rate.locator("li").nth(1)).to_contain_text("Pulse 71 /min · SIM OX-1 · now")


async def test_tile_shows_another_source_device_when_the_first_source_device_stops_sending(browser: Browser) -> None:
    async with open_page(browser, fill_ambulance) as opened:
        await opened.pass_time(32, each_second=lambda now_s: send_oximeter(opened.feed, now_s))
        rate = opened.tile("heart-rate")
        await expect(rate.locator(".name")).to_have_text("Pulse")
        await expect(rate.locator(".from")).to_have_text("SIM OX-1 (only live source)")
        await expect(rate).to_have_class("value primary spo2 fresh")
        await expect(rate.locator("summary")).to_have_text("Also 2 old")


async def test_values_of_an_unverified_device_do_not_displace_values_of_a_verified_device(browser: Browser) -> None:
    invented = DeviceRef("aabbccddeeff0011", "SIM OX-1", unverified_link=True)

    def fill(feed: LiveFeed, now_s: float) -> None:
        send_oximeter(feed, now_s - 5, 91.0)
        feed.observed(live_device(invented, last_s=now_s), [spo2(99.0, received_s=now_s)], 0)

    async with open_page(browser, fill) as opened:
        saturation = opened.tile("spo2")
        await expect(saturation.locator(".main")).to_have_text("91")
        await expect(saturation.locator(".from")).to_have_text("SIM OX-1 …7788 (verified link)")
        await saturation.locator("summary").click()
        await expect(saturation.locator("li")).to_contain_text("99 % · SIM OX-1 …0011 · now · unverified link")
        opened.feed.device(live_device(OXIMETER, connected=False, last_s=opened.now_s))
        opened.feed.observed(live_device(invented, last_s=opened.now_s), [spo2(98.0, received_s=opened.now_s)], 0)
        await opened.pass_time(0.25)
        await expect(saturation.locator(".main")).to_have_text("98")
        await expect(saturation.locator(".flags")).to_have_text("unverified link")
        await expect(saturation).to_have_class("value primary spo2 fresh flagged")


async def test_newest_spot_check_value_is_shown_regardless_of_the_measuring_device(browser: Browser) -> None:
    def fill(feed: LiveFeed, now_s: float) -> None:
        fill_ambulance(feed, now_s)
        other = live_device(DeviceRef("11223344556677dd", "EAR-2"), last_s=now_s)
        feed.observed(other, [temperature(38.1, received_s=now_s - 30)], 0)

    async with open_page(browser, fill) as opened:
        await expect(opened.tile("temperature").locator(".main")).to_have_text("38.1")
        await expect(opened.tile("temperature").locator(".from")).to_have_text("EAR-2 (newest)")


async def test_nan_value_of_a_device_is_marked_as_no_reading_on_the_live_page(browser: Browser) -> None:
    def fill(feed: LiveFeed, now_s: float) -> None:
        feed.observed(live_device(MONITOR, last_s=now_s), [heart_rate(Special.NAN, received_s=now_s)], 0)

    async with open_page(browser, fill) as opened:
        await expect(opened.tile("heart-rate").locator(".main")).to_have_text("—")
        await expect(opened.tile("heart-rate").locator(".flags")).to_have_text("no reading")
        await expect(opened.tile("heart-rate")).to_have_class("value primary ecg fresh flagged")


async def test_live_page_with_only_spot_check_values_has_no_green_status_chip(browser: Browser) -> None:
    def fill(feed: LiveFeed, now_s: float) -> None:
        send_temperature(feed, now_s - 200)
        feed.device(live_device(CUFF, last_s=None))

    async with open_page(browser, fill) as opened:
        await expect(opened.link).to_have_text("Last value 3 min ago")
        await expect(opened.link).to_have_class("chip")
