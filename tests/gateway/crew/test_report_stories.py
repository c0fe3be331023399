"""Stories of the report on tablets: filled from the devices, two tablets at once, and a gateway that is killed."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, Route, expect

from gateway.security.crew_members import CrewMember
from gateway.transports.clock import SystemClock
from protocols.uplink.observations import DeviceObservations
from tests.builders.buffer_observations import OXIMETER
from tests.builders.crew_live import blood_pressure, reading, spo2
from tests.harness.axe import violations
from tests.harness.browser import HOLD_DISK, PHONE, TABLET
from tests.harness.crew_app import PARAMEDIC, PIN
from tests.harness.eventually import eventually
from tests.harness.page_requests import abort, intercept, once, pass_on
from tests.harness.report_tablets import ENCOUNTER, NURSE, ReportVehicle, Tablet, report_vehicle

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

AXE_SECTIONS = ("proposals", "patient", "medications", "arrest", "gaps", "sign")
"""Sections with all kinds of fields; axe-core needs a second for each."""
SMALL = """() => [...document.querySelectorAll("main button, nav a, main input, main textarea, main select")]
  .filter((each) => each.offsetParent)
  .filter((each) => { const { width, height } = each.getBoundingClientRect(); return Math.min(width, height) < 47.5; })
  .map((each) => each.textContent || each.name)"""
SMALL_CRITICAL = """() => [...document.querySelectorAll(
    ".critical button, .critical input, .answer.critical, .timer, .go.critical"
  )].filter((each) => each.offsetParent)
  .filter((each) => { const { width, height } = each.getBoundingClientRect(); return Math.min(width, height) < 63.5; })
  .map((each) => each.textContent || each.className)"""
CLOSE = """() => {
  const close = [], boxes = (list) => [...list.children].filter((each) => each.matches(".answer") && each.offsetParent)
    .map((each) => [each.textContent, each.getBoundingClientRect()]);
  for (const list of document.querySelectorAll(".page:not([hidden]) .answers")) {
    for (const [name, one] of boxes(list)) for (const [other, two] of boxes(list)) {
      if (name === other) continue;
      const x = Math.max(one.left - two.right, two.left - one.right);
      const y = Math.max(one.top - two.bottom, two.top - one.bottom);
      if (Math.max(x, y) < 7.5) close.push(`${name} and ${other}`);
    }
  }
  return close;
}"""
# Eight choices, and up to two reasons for a missing value.
LONG_WITHOUT_SEARCH = """() => [...document.querySelectorAll(".page:not([hidden]) .field[data-key]")]
  .filter((each) => each.querySelectorAll(":scope > .answers > .answer, :scope > div > .answers > .answer").length > 10)
  .filter((each) => !each.querySelector("input[type=search]")).map((each) => each.dataset.key)"""
LATE_LIMITS = """const before = setTimeout;
setTimeout = (act, limitMs, ...given) => before(act, limitMs === 10_000 ? 600_000 : limitMs, ...given);"""
"""Keeps the offer to undo, and the wait of a signature for its texts, until a slow machine has come to them."""


@asynccontextmanager
async def tablet(
    browser: Browser, url: str, member: CrewMember, *, pin: str = PIN, viewport: dict[str, int] = TABLET
) -> AsyncIterator[Page]:
    """Open a page on a tablet of its own whose member has signed in; after the block, check that it raised no error."""
    context: BrowserContext = await browser.new_context(viewport=viewport, locale="en-GB")  # type: ignore[arg-type]
    page = await context.new_page()
    await page.add_init_script(LATE_LIMITS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for form in ({"pin": pin}, {"pin": member.pin, "member": member.id}):
        await context.request.post(f"{url}/sign-in", form=form, max_redirects=0)
    try:
        yield page
        assert errors == []
    finally:
        await context.close()


async def open_report(page: Page, url: str, section: str) -> None:
    await page.goto(f"{url}/reports/{ENCOUNTER}#{section}")
    await expect(page.locator("#saved")).to_have_text("Saved")
    await wait_for_section(page, section)


async def wait_for_section(page: Page, section: str) -> None:
    """Wait until a section is shown: a page that is open already shows the one before for a moment."""
    await expect(page.locator(f'#sections a[href="#{section}"]')).to_have_attribute("aria-current", "page")


def field(page: Page, key: str) -> Locator:
    return page.locator(f'.page:not([hidden]) .field[data-key="{key}"]')


@asynccontextmanager
async def open_on_tablet(browser: Browser, folder: Path, section: str) -> AsyncIterator[tuple[Tablet, Page]]:
    """Open a section of an empty report on the paramedic's tablet; yield a client of the same member and the page."""
    async with (
        report_vehicle(folder, clock=SystemClock()) as vehicle,
        vehicle.tablet() as client,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await client.open_report()
        await open_report(page, vehicle.url, section)
        yield client, page


async def measure(vehicle: ReportVehicle) -> None:
    now_s = vehicle.clock.monotonic_s()
    await vehicle.buffer.append_sections(
        [
            DeviceObservations(
                device=OXIMETER,
                boot_id="boot-1",
                wall_offset_us=vehicle.clock.wall_us() - round(now_s * 1_000_000),
                wall_synchronised=True,
                device_offset_us=None,
                uncertainty_us=40_000,
                stored=False,
                observations=[
                    spo2(97.0, received_s=now_s),
                    reading("MDC_ECG_HEART_RATE", 88.0, "MDC_DIM_BEAT_PER_MIN", received_s=now_s, handle=3),
                    blood_pressure(121.0, 79.0, 93.0, received_s=now_s),
                ],
            )
        ]
    )


async def test_paramedic_opens_a_report_accepts_vital_signs_and_signs(browser: Browser, tmp_path: Path):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await measure(vehicle)
        await page.goto(f"{vehicle.url}/reports")
        await page.get_by_role("button", name="New report").click()
        await page.get_by_role("button", name="Accept").click()
        await expect(page.locator(".proposal")).to_have_count(0)
        await page.get_by_role("link", name="Vital signs").click()
        await expect(page.locator(".entry-card")).to_contain_text("SpO₂ 97")
        await page.get_by_role("link", name="Medications").click()
        await page.get_by_role("button", name="Add a medication").click()
        await page.get_by_role("button", name="Adrenaline").click()
        await field(page, "medications.dose").get_by_role("button", name="Enter").click()
        await page.get_by_role("dialog").get_by_role("button", name="1", exact=True).click()
        await page.get_by_role("dialog").get_by_role("button", name="Enter").click()
        await page.get_by_role("button", name="mg", exact=True).click()
        await expect(page.locator(".page:not([hidden]) .totals")).to_contain_text("Adrenaline: 1 mg (1 dose)")
        await page.get_by_role("link", name="Gaps").click()
        await page.get_by_role("button", name="A medication has no route").click()
        await field(page, "medications.route").get_by_role("button", name="Intravenous", exact=True).click()
        await page.get_by_role("button", name="Undo").click()
        await expect(field(page, "medications.route").locator("[aria-pressed=true]")).to_have_count(0)
        await page.get_by_role("link", name="Sign", exact=True).click()
        await page.get_by_role("button", name="Sign the report").click()
        await expect(page.locator("#sealed")).to_be_visible()
        await page.get_by_role("textbox", name="Reason for the addendum").fill("The age was found later")
        await page.get_by_role("button", name="Begin the addendum").click()
        await page.get_by_role("link", name="Patient").click()
        await field(page, "patient.sex").get_by_role("button", name="Female").click()
        await expect(page.locator("#saved")).to_have_text("Saved")
        (draft,) = vehicle.drafts.all()
        assert [each.value for each in draft.changes if each.key == "record.addendum"] == ["The age was found later"]
        assert draft.changes[-1].key == "record.seal"


async def statements(client: Tablet, key: str) -> list[dict[str, Any]]:
    """Return what the report keeps of a field: what it shows, and what contradicts that."""
    fields = [each for each in (await client.record())["fields"] if each["key"] == key]
    return [each for field in fields for each in (*field["shown"], *field["contradicting"])]


async def test_check_21_two_tablets_edit_one_report_and_both_show_what_contradicts(browser: Browser, tmp_path: Path):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        vehicle.tablet() as client,
        tablet(browser, vehicle.url, PARAMEDIC) as anna,
        tablet(browser, vehicle.url, NURSE, viewport=PHONE) as ewa,
    ):
        await client.open_report()
        for page in (anna, ewa):
            await open_report(page, vehicle.url, "patient")
        await expect(ewa.locator('#sections a[aria-current="page"]')).to_be_in_viewport(ratio=1)
        await field(anna, "patient.last_name").get_by_role("textbox").fill("Nowak")
        await expect(field(ewa, "patient.last_name").get_by_role("textbox")).to_have_value("Nowak")
        for page, sex in ((ewa, "Female"), (anna, "Male")):
            await page.context.set_offline(True)
            await field(page, "patient.sex").get_by_role("button", name=sex, exact=True).click()
            await expect(page.locator("#saved")).to_contain_text("No contact with the gateway: 1 entry")
        for page in (anna, ewa):
            await page.context.set_offline(False)
            await expect(page.locator("#saved")).to_have_text("Saved")
        assert sorted((each["author"], each["value"]) for each in await statements(client, "patient.sex")) == [
            (PARAMEDIC.id, "9919003"),
            (NURSE.id, "9919001"),
        ]
        for page in (anna, ewa):
            conflict = field(page, "patient.sex").get_by_role("group", name="Two different entries")
            await expect(conflict).to_contain_text("Female (Ewa Zielińska")
            await expect(conflict).to_contain_text("Male (Anna Nowak")
        await field(anna, "patient.sex").get_by_role("button", name="Female (Ewa Zielińska").click()
        for page in (anna, ewa):
            await expect(page.get_by_role("group", name="Two different entries")).to_have_count(0)
        await expect(field(ewa, "patient.sex").get_by_role("button", name="✓ Female")).to_have_attribute(
            "aria-pressed", "true"
        )


async def test_text_typed_over_a_text_that_was_not_shown_contradicts_it(browser: Browser, tmp_path: Path):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        vehicle.tablet(NURSE) as ewa,
        tablet(browser, vehicle.url, PARAMEDIC) as anna,
    ):
        await ewa.open_report()
        await open_report(anna, vehicle.url, "narrative")
        narrative = field(anna, "narrative.text").get_by_role("textbox")
        await narrative.press_sequentially("Pain")

        async def is_stored() -> bool:
            return await ewa.values("narrative.text") == ["Pain"]

        await eventually(is_stored)
        (shown,) = [each["shown"] for each in (await ewa.record())["fields"] if each["key"] == "narrative.text"]
        await ewa.append(
            {"id": "n1", "key": "narrative.text", "value": "Found on the floor", "replaces": [shown[0]["id"]]},
            {"id": "n2", "key": "patient.last_name", "value": "Nowak"},
        )
        gaps = (await ewa.record())[
            "gaps"
        ]  # none that the page had before: the narrative and the name were two of them
        await expect(anna.locator('a[href="#gaps"] .badge')).to_have_text(str(len(gaps)))
        await narrative.press_sequentially(" since noon")
        conflict = field(anna, "narrative.text").get_by_role("group", name="Two different entries")
        await expect(conflict).to_contain_text("Found on the floor (Ewa")
        await expect(conflict).to_contain_text("Pain since noon (Anna")


async def test_long_text_that_was_typed_without_contact_is_saved_with_everything_before_it(
    browser: Browser, tmp_path: Path
):
    async with open_on_tablet(browser, tmp_path, "narrative") as (client, page):
        await page.context.set_offline(True)
        narrative = field(page, "narrative.text").get_by_role("textbox")
        texts = [f"{number} {'x' * 9_000}" for number in range(20)]
        for text in texts:
            await narrative.fill(text)
            await narrative.blur()
        await expect(page.locator("#saved")).to_contain_text("No contact with the gateway: 20 entries")
        await page.context.set_offline(False)
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert await client.values("narrative.text") == [texts[-1]]


async def test_request_that_is_refused_without_a_reason_is_sent_again(browser: Browser, tmp_path: Path):
    async with open_on_tablet(browser, tmp_path, "patient") as (client, page):
        late = "The request did not arrive completely. Try again.\n"
        await intercept(page, "**/changes", once(lambda route: route.fulfill(status=408, body=late)))
        await field(page, "patient.sex").get_by_role("button", name="Female").click()
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert await client.values("patient.sex") == ["9919001"]


async def test_entries_that_the_report_as_a_whole_does_not_take_stay_on_the_tablet(browser: Browser, tmp_path: Path):
    async with open_on_tablet(browser, tmp_path, "patient") as (client, page):
        full = {"refused": [{"index": None, "code": "draft_full"}]}
        requests = await intercept(page, "**/changes", lambda route: route.fulfill(status=409, json=full))
        await page.evaluate(HOLD_DISK)
        async with page.expect_response("**/changes"):
            await field(page, "patient.sex").get_by_role("button", name="Female").click()
        saved = page.locator("#saved")
        await expect(saved).to_have_text("Saving 1 entry …")
        await page.evaluate("releaseDisk()")
        await expect(saved).to_have_text("Entries that this report does not take: 1. They stay on this tablet.")
        requests.act = pass_on
        await page.reload()
        await expect(saved).to_have_text("Saved")
        assert await client.values("patient.sex") == ["9919001"]


async def test_signature_waits_for_a_text_that_the_tap_on_its_button_has_ended(browser: Browser, tmp_path: Path):
    async with open_on_tablet(browser, tmp_path, "narrative") as (client, page):
        held: asyncio.Queue[Route] = asyncio.Queue()
        await intercept(page, "**/changes", held.put)
        await field(page, "narrative.text").get_by_role("textbox").fill("Pale and sweating")
        await page.get_by_role("link", name="Sign", exact=True).click()
        await page.get_by_role("button", name="Sign the report").click()
        await expect(page.get_by_role("button", name="Sign the report")).to_be_disabled()
        await expect(page.locator("#sealed")).to_be_hidden()
        await (await held.get()).continue_()
        await expect(page.locator("#sealed")).to_be_visible()
        assert await client.values("narrative.text") == ["Pale and sweating"]


async def test_text_that_is_refused_after_the_tap_on_the_signature_is_stated_first(browser: Browser, tmp_path: Path):
    async with open_on_tablet(browser, tmp_path, "narrative") as (_, page):
        held: asyncio.Queue[Route] = asyncio.Queue()
        await intercept(page, "**/changes", held.put)
        await field(page, "narrative.text").get_by_role("textbox").fill("Pale and sweating")
        await page.get_by_role("link", name="Sign", exact=True).click()
        await page.get_by_role("button", name="Sign the report").click()
        await expect(page.get_by_role("button", name="Sign the report")).to_be_disabled()
        refused = {"refused": [{"index": 0, "code": "value_malformed"}]}
        await (await held.get()).fulfill(status=422, json=refused)
        await expect(page.get_by_text("The report could not be signed.")).to_be_visible()
        await expect(page.locator("#sealed")).to_be_hidden()


async def test_report_whose_form_did_not_arrive_completes_itself_when_the_contact_is_back(
    browser: Browser, tmp_path: Path
):
    async with open_on_tablet(browser, tmp_path, "patient") as (client, page):
        requests = await intercept(page, "**/report-form", abort)
        await page.reload()
        await expect(page.locator("#saved")).to_contain_text("No contact with the gateway")
        requests.act = pass_on
        await expect(page.locator("#saved")).to_have_text("Saved")
        await field(page, "patient.sex").get_by_role("button", name="Female").click()
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert await client.values("patient.sex") == ["9919001"]


async def test_undo_restores_what_was_replaced(browser: Browser, tmp_path: Path):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        vehicle.tablet(NURSE) as ewa,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await ewa.open_report()
        await ewa.append({"id": "n1", "key": "history.drug_allergies", "value": "7980"})
        await open_report(page, vehicle.url, "history")
        allergies = field(page, "history.drug_allergies")
        penicillin = allergies.get_by_role("button", name="Penicillin")
        await expect(penicillin).to_have_attribute("aria-pressed", "true")
        await allergies.get_by_role("button", name="refused").click()
        await allergies.get_by_role("button", name="No known drug allergy").click()
        await expect(penicillin).to_have_attribute("aria-pressed", "false")
        await page.get_by_role("button", name="Undo").click()
        await expect(penicillin).to_have_attribute("aria-pressed", "true")
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert await ewa.values("history.drug_allergies") == ["7980"]


async def test_undo_withdraws_nothing_that_another_author_stated_meanwhile(browser: Browser, tmp_path: Path):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        vehicle.tablet(NURSE) as ewa,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await ewa.open_report()
        await open_report(page, vehicle.url, "patient")
        sex = field(page, "patient.sex")
        await sex.get_by_role("button", name="Female").click()
        await expect(page.locator("#saved")).to_have_text("Saved")
        (shown,) = [each["shown"] for each in (await ewa.record())["fields"] if each["key"] == "patient.sex"]
        await ewa.append({"id": "n1", "key": "patient.sex", "value": "9919003", "replaces": [shown[0]["id"]]})
        await expect(sex.locator("[aria-pressed=true]")).to_contain_text("Male")
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator("#undo")).to_contain_text("nothing was undone")
        assert await ewa.values("patient.sex") == ["9919003"]


async def test_phone_number_that_is_typed_slowly_is_one_number(browser: Browser, tmp_path: Path):
    async with open_on_tablet(browser, tmp_path, "patient") as (client, page):
        phone = field(page, "patient.phone").get_by_role("textbox")
        for digits in ("501", "501 234", "501 234 567"):
            await phone.fill(digits)
            await phone.blur()
            await expect(page.locator("#saved")).to_have_text("Saved")
        assert await client.values("patient.phone") == ["501 234 567"]
        await phone.fill("")
        await phone.blur()
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert await client.values("patient.phone") == []


async def test_checks_16_and_18_arrest_page_takes_one_tap_for_each_act_and_the_pad_offers_the_last_value(
    browser: Browser, tmp_path: Path
):
    async with open_on_tablet(browser, tmp_path, "arrest") as (client, page):
        for act in ("Adrenaline 1 mg", "Shock", "Compressions"):
            timer = page.locator(".timer", has_text=act)
            await expect(timer).to_contain_text("not yet")
            await timer.click()
            await expect(timer).to_contain_text(re.compile(r"\d:\d\d"))
        await page.get_by_role("button", name="PEA", exact=True).first.click()
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert await client.values("medications.drug") == ["3992"]
        assert await client.values("medications.dose") == ["1"]
        assert sorted(await client.values("procedures.procedure")) == ["426220008", "89666000"]
        assert await client.values("vitals.rhythm") == ["9901035"]
        await client.append({"id": "v1", "key": "vitals.spo2", "entry": "before", "value": "96"})
        await page.get_by_role("link", name="Vital signs").click()
        saturation = field(page, "vitals.spo2")
        await saturation.get_by_role("button", name="SpO₂: Enter").click()
        await page.get_by_role("button", name="Last 96").click()
        await page.get_by_role("dialog").get_by_role("button", name="Enter").click()
        await saturation.get_by_role("button", name="SpO₂: more").click()
        await expect(saturation.locator(".value-button")).to_have_text("97 %")
        await field(page, "vitals.heart_rate").get_by_role("button", name="refused").click()
        await field(page, "vitals.heart_rate").get_by_role("button", name="Not recorded", exact=True).click()
        await expect(field(page, "vitals.heart_rate").locator(".mark")).to_have_text("Not recorded")
        await client.append(
            {"id": "e1", "key": "procedures.procedure", "entry": "ecg", "value": "268400002"},
            {"id": "e2", "key": "procedures.success", "entry": "ecg", "value": "9923003"},
        )
        await page.get_by_role("link", name="Procedures").click()
        await expect(page.locator(".page:not([hidden]) .entry-head").last).to_have_text("12-lead ECG · Success Yes")


async def test_checks_11_and_13_report_page_passes_axe_and_its_targets_have_48_pixels(browser: Browser, tmp_path: Path):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await measure(vehicle)
        async with vehicle.tablet() as client:
            await client.open_report()
        await open_report(page, vehicle.url, "proposals")
        await expect(page.locator(".proposal")).to_be_visible()
        names = await page.locator("#sections a").evaluate_all("all => all.map((each) => each.hash.slice(1))")
        assert set(AXE_SECTIONS) < set(names)
        for section in names:
            await page.goto(f"{vehicle.url}/reports/{ENCOUNTER}#{section}")
            await wait_for_section(page, section)
            if await (add := page.locator(".page:not([hidden]) > .add")).count():
                await add.click()
            assert await page.evaluate(SMALL) == [], section
            assert await page.evaluate(CLOSE) == [], section
            assert await page.evaluate(LONG_WITHOUT_SEARCH) == [], section
            assert await page.evaluate(SMALL_CRITICAL) == [], section
            if section in AXE_SECTIONS:
                assert await violations(page) == [], section
