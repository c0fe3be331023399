"""The other views of the live page and the settings that a tablet keeps: 12-lead, trends, devices, ruler, colours."""

import struct

import pytest
from playwright.async_api import Browser, expect

from gateway.crew.trends import STEP_S
from gateway.live import LiveFeed
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation, SampleArray, SampleFormat
from protocols.uplink.observations import DeviceRef
from tests.builders.crew_live import CUFF, MONITOR, blood_pressure, live_device, reading, spo2
from tests.builders.crew_vitals import fill_ambulance, send_monitor
from tests.harness.browser import PHONE
from tests.harness.crew_browser import open_page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
_ARRAY = SampleArray(format=SampleFormat.I16, period_s=0.004, slope=0.005, offset=0.0)
CHANNELS = [
    Channel(
        handle=100 + at, type=code_of(f"MDC_ECG_ELEC_POTL_{lead}"), unit=code_of("MDC_DIM_MILLI_VOLT"), array=_ARRAY
    )
    for at, lead in enumerate(LEADS)
]

EIGHT = (
    ("MDC_ECG_HEART_RATE", "MDC_DIM_BEAT_PER_MIN"),
    ("MDC_PULS_OXIM_SAT_O2", "MDC_DIM_PERCENT"),
    ("MDC_AWAY_CO2_ET", "MDC_DIM_MMHG"),
    ("MDC_RESP_RATE", "MDC_DIM_RESP_PER_MIN"),
    ("MDC_TEMP_BODY", "MDC_DIM_DEGC"),
    ("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "MDC_DIM_MILLI_G_PER_DL"),
    ("MDC_PULS_OXIM_PERF_REL", "MDC_DIM_PERCENT"),
    ("MDC_AWAY_CO2_INSP", "MDC_DIM_MMHG"),
)
"""Types and units of eight parameters, each with a plot of its own."""


def twelve_leads(received_s: float, *, millivolts: float = 1.0) -> list[Observation]:
    """Return one second of all twelve leads: a pulse of `millivolts` that lasts 0.1 s."""
    samples = [round(millivolts / 0.005) if 100 <= at < 125 else 0 for at in range(250)]
    packed = struct.pack(">250h", *samples)
    return [Observation(channel, None, packed, 0, None, received_s) for channel in CHANNELS]


def fill_twelve(feed: LiveFeed, now_s: float) -> None:
    fill_ambulance(feed, now_s)
    for second in range(10):
        feed.observed(live_device(MONITOR, last_s=now_s), twelve_leads(now_s - 9 + second), 0)


async def test_twelve_lead_view_draws_every_lead_and_a_snapshot_keeps_ten_seconds(browser: Browser) -> None:
    async with open_page(browser, fill_twelve) as opened:
        page = opened.page
        await page.get_by_role("link", name="12-lead").click()
        await expect(page.locator(".leads .lead")).to_have_count(12)
        captions = await page.locator(".leads figcaption").all_text_contents()
        assert captions == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
        await expect(page.locator(".rhythm .lead")).to_have_count(1)
        await page.get_by_role("button", name="Snapshot").click()
        about = page.locator(".snapshot figcaption")
        await expect(about).to_contain_text("Preliminary, not reviewed")
        await expect(about).to_contain_text("SIM MON-12")
        await expect(about).to_contain_text("25 mm/s · 10 mm/mV")
        await expect(about).to_contain_text("true scale")
        # The rows of the paper are at least 2 mV apart: four of them, 20 mm each, and a line for the uppermost label.
        height = await page.locator(".snapshot canvas").evaluate("e => e.clientHeight")
        assert height >= 4 * 20 * 96 / 25.4
        await page.get_by_role("button", name="Back to live").click()
        await expect(page.locator(".leads")).to_be_visible()


async def test_twelve_lead_view_names_leads_that_no_device_sends(browser: Browser) -> None:
    async with open_page(browser, fill_ambulance) as opened:
        await opened.page.goto(f"{opened.page.url.partition('#')[0]}#twelve")
        await opened.handle_events()
        state = opened.page.locator(".twelve-state")
        await expect(state).to_have_text("Not sent: I, III, aVR, aVL, aVF, V1, V2, V3, V4, V5, V6")


async def test_trends_view_shows_plots_blood_pressures_and_events(browser: Browser) -> None:
    async with open_page(browser, send_monitor) as opened:
        now_s = opened.now_s
        opened.feed.observed(live_device(MONITOR, last_s=now_s), [spo2(96.0, received_s=now_s)], 0)
        opened.feed.observed(live_device(CUFF, last_s=now_s), [blood_pressure(121.0, 79.0, 93.0, received_s=now_s)], 0)
        await opened.pass_time(0.5)
        opened.feed.device(live_device(CUFF, connected=False, last_s=now_s))
        await opened.pass_time(0.5)
        await opened.page.get_by_role("link", name="Trends").click()
        await expect(opened.page.locator(".plot figcaption")).to_have_text(["SpO₂ % · SIM MON-12"])
        await expect(opened.page.locator(".pressures tbody tr")).to_contain_text("121/79 (93)")
        await expect(opened.page.locator(".marks li")).to_contain_text("Disconnected: SIM CUFF-3")


async def test_check_20_twenty_minutes_of_eight_devices_are_drawn_at_once_on_a_tablet_that_entered_the_code(
    browser: Browser,
) -> None:
    points = round(20 * 60 / STEP_S)
    async with open_page(browser, lambda feed, now_s: None) as opened:  # no time passes on the tablet
        now_s = opened.now_s
        for number, (kind, unit) in enumerate(EIGHT):
            device = live_device(DeviceRef(f"{number:016x}", f"SIM {number}"), last_s=now_s)
            values = [reading(kind, 40.0, unit, received_s=now_s - at * STEP_S) for at in reversed(range(points))]
            opened.feed.observed(device, values, 0)
        async with opened.page.expect_response("**/trends") as response:
            await opened.page.get_by_role("link", name="Trends").click()
        series = (await (await response.value).json())["series"]
        assert [len(each["points"]) for each in series] == [points] * 8
        await expect(opened.page.locator(".plot canvas:visible")).to_have_count(8)


async def test_devices_view_shows_a_low_battery_and_doubtful_values(browser: Browser) -> None:
    def fill(feed: LiveFeed, now_s: float) -> None:
        battery = reading("MDC_ATTR_VAL_BATT_CHARGE", 15.0, "MDC_DIM_PERCENT", received_s=now_s, handle=60)
        doubtful = spo2(88.0, received_s=now_s, status=0x4000)
        feed.observed(live_device(MONITOR, last_s=now_s), [battery, doubtful], 0)

    async with open_page(browser, fill, viewport=PHONE) as opened:
        await opened.page.get_by_role("link", name="Devices").click()
        device = opened.page.locator("#devices li")
        await expect(device).to_be_visible()
        await expect(device).to_contain_text("battery low: 15 %")
        await expect(device).to_contain_text("SpO₂ (questionable)")


async def test_measured_millimetre_of_a_tablet_scales_the_ecg_and_is_kept(browser: Browser) -> None:
    async with open_page(browser, send_monitor) as opened:
        page = opened.page
        await page.locator(".settings summary").click()
        await expect(page.locator(".ruler-state")).to_have_text("Not measured yet")
        await page.locator("#ruler-width").fill("6")
        await expect(page.locator(".ruler-state")).to_have_text("Measured on this tablet")
        width = await page.locator(".ruler-bar rect").get_attribute("width")
        assert float(width or 0) == pytest.approx(6 * 53.98)
        assert await page.evaluate("localStorage.getItem('argus-px-per-mm')") == "6"


async def test_chosen_colour_of_a_parameter_is_that_of_its_value_and_its_waveform(browser: Browser) -> None:
    async with open_page(browser, fill_ambulance) as opened:
        page = opened.page

        async def colour(selector: str) -> str:
            return str(await page.locator(selector).evaluate("e => getComputedStyle(e).color"))

        await page.locator(".settings summary").click()
        await page.locator("[data-colour-of=spo2]").select_option("violet")
        violet = "rgb(166, 132, 204)"
        assert await colour("[data-tile=spo2] .main") == await colour("#pleth-strip canvas") == violet


async def test_page_informs_when_the_tablet_refuses_to_keep_its_screen_on(browser: Browser) -> None:
    async with open_page(browser, send_monitor) as opened:
        await opened.page.add_init_script("""
          const request = () => Promise.reject(new Error("low battery"));
          Object.defineProperty(navigator, "wakeLock", { value: { request } });
        """)
        await opened.page.reload()
        await expect(opened.page.locator("#wake")).to_contain_text("The screen may switch off")


@pytest.mark.parametrize("view", ["twelve", "trends", "devices"])
async def test_other_views_of_the_live_page_have_no_wcag_violation(browser: Browser, view: str) -> None:
    async with open_page(browser, fill_twelve) as opened:
        await opened.page.locator(f"[data-view-link={view}]").click()
        await opened.page.locator(".settings summary").click()
        await opened.handle_events()
        assert await opened.examine() == []
