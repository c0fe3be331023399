"""Statements of the live page in words: alarms of devices, leads that are off, deviations, and earlier pressures."""

from dataclasses import replace

import pytest
from playwright.async_api import Browser, expect

from gateway.crew.languages import language
from gateway.crew.presentation import trace_form, value_form
from gateway.live import LiveFeed
from tests.builders.crew_live import CUFF, MONITOR, blood_pressure, ecg, live_device, spo2
from tests.builders.crew_vitals import fill_ambulance
from tests.harness.crew_app import ALL_SENT
from tests.harness.crew_browser import open_page

ENGLISH = language("en")
IN_ALARM, INVALID = 0x0002, 0x8000


def test_value_in_alarm_and_samples_of_a_lead_that_is_off_are_marked():
    device = live_device(MONITOR)
    values = [value_form(device, spo2(82.0, received_s=1.0, status=status), 2.0, ENGLISH) for status in (0, IN_ALARM)]
    assert [each["alarm"] for each in values] == [False, True]
    samples = ecg(0, received_s=1.0)
    traces = [trace_form("w", [samples, replace(samples, status=status)], 2.0) for status in (0, INVALID)]
    assert [each["off"] for each in traces] == [False, True]


def alarm_and_lead_off(feed: LiveFeed, now_s: float) -> None:
    """Fill the ambulance; then the monitor raises an alarm, and its ECG lead is off."""
    fill_ambulance(feed, now_s)
    sent = [spo2(82.0, received_s=now_s, status=IN_ALARM), replace(ecg(1, received_s=now_s), status=INVALID)]
    feed.observed(live_device(MONITOR, last_s=now_s), sent, 0)


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_alarms_leads_deviations_and_earlier_pressures_are_stated_in_words(browser: Browser):
    status = replace(ALL_SENT, departures={MONITOR.system_id: (3, 1), CUFF.system_id: (2, 0)})
    async with open_page(browser, alarm_and_lead_off, status=status) as opened:
        alarm = opened.page.get_by_role("alert").filter(has_text="Alarm of the device")
        await expect(alarm).to_have_text("!!! Alarm of the device: SpO₂ (SIM MON-12). Look at its screen.")
        await expect(opened.page.locator("#ecg-strip .age")).to_have_text("No signal: a lead or the sensor is off")
        for at_s in (1.0, 2.0):
            await opened.pass_time(60)
            pressure = blood_pressure(120.0 + at_s, 79.0, 93.0, received_s=opened.now_s)
            opened.feed.observed(live_device(CUFF, last_s=opened.now_s), [pressure], 0)
            await opened.pass_time(1)
        await expect(opened.tile("nibp").locator(".main")).to_have_text("122/79")
        await expect(opened.tile("nibp").locator(".history li")).to_have_count(2)
        await expect(opened.tile("nibp").locator(".history li").first).to_contain_text("121/79 (93)")
        await expect(alarm).to_be_hidden()  # the value is stale, and so is its alarm
        devices = opened.page.locator("#devices li")
        await expect(devices.filter(has_text=MONITOR.model)).to_contain_text("Sent data that cannot be used (1 kind)")
        await expect(devices.filter(has_text=CUFF.model)).to_contain_text("Deviates from its standard in 2 ways")
        assert await opened.examine() == []
