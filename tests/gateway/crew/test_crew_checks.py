"""Requirements of crews on a report (reference epcr §6), for the checks that no story of its own tests.

docs/crew-checks.md lists all 25 checks with their tests.
"""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from gateway.transports.clock import SystemClock
from protocols.epcr.annotations import Annotation
from protocols.observation import Observation
from protocols.uplink.observations import DeviceObservations
from tests.builders.buffer_observations import OXIMETER
from tests.builders.crew_live import reading, spo2
from tests.gateway.crew.test_report_stories import field, open_on_tablet, open_report, tablet
from tests.harness.browser import TABLET, stop_clock
from tests.harness.crew_app import PARAMEDIC
from tests.harness.page_requests import intercept
from tests.harness.report_tablets import ENCOUNTER, ReportVehicle, report_vehicle

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

THUMB_PX = 300
"""Reach of a thumb from the lower left or right corner of a tablet that two hands hold (check 12)."""


async def record(vehicle: ReportVehicle, *observations: Observation) -> None:
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
                observations=list(observations),
            )
        ]
    )


async def test_check_1_tap_is_shown_before_the_gateway_has_responded(browser: Browser, tmp_path: Path):
    async with open_on_tablet(browser, tmp_path, "patient") as (_, page):
        held: asyncio.Queue[Route] = asyncio.Queue()
        await intercept(page, "**/changes", held.put)
        pressed = await field(page, "patient.sex").evaluate(
            """(field) => {
                 const answer = field.querySelector(".answer");
                 answer.click();
                 return answer.getAttribute("aria-pressed");
               }"""
        )
        assert pressed == "true"
        await expect(page.locator("#saved")).to_contain_text("Saving")
        await (await held.get()).continue_()
        await expect(page.locator("#saved")).to_have_text("Saved")


async def test_check_3_time_from_arrival_to_the_signature_is_shown_and_nothing_prevents_the_hand_over(
    browser: Browser, tmp_path: Path
):
    async with open_on_tablet(browser, tmp_path, "sign") as (client, page):
        assert await page.locator("#bar").get_by_role("link", name="Hand-over").is_visible()
        arrived = await page.evaluate("new Date(Date.now() - 722_000).toISOString()")  # 58 s before the 13th minute
        await client.append({"id": "t1", "key": "times.at_destination", "value": arrived})
        shown = page.locator(".page:not([hidden]) .since-arrival")
        await expect(shown).to_have_text("12 minutes since the arrival at the destination")
        await page.get_by_role("button", name="Sign the report").click()
        await expect(shown).to_have_text("Signed 12 minutes after the arrival at the destination")


async def test_checks_8_and_12_time_mark_vital_signs_and_drug_take_few_taps_within_reach_of_the_thumbs(
    browser: Browser, tmp_path: Path
):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        vehicle.tablet() as client,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await client.open_report()
        now_s = vehicle.clock.monotonic_s()
        await record(vehicle, spo2(97.0, received_s=now_s))
        await open_report(page, vehicle.url, "narrative")
        bar = page.locator("#bar")
        await bar.get_by_role("button", name="Now: En route").click()  # a time: one tap
        await bar.get_by_role("link", name="From the devices").click()
        await page.locator(".proposal").get_by_role("button", name="Accept").click()  # vital signs: two taps
        await bar.get_by_role("link", name="Treatment").click()
        await page.get_by_role("button", name="Morphine 5 mg").click()  # a usual dose: two taps
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert len(await client.values("times.en_route")) == 1
        assert await client.values("vitals.spo2") == ["97"]
        assert await client.values("medications.dose") == ["5"]
        for action in await bar.locator("a, button").all():
            box = await action.bounding_box()
            assert box is not None
            inner = max(min(box["x"] + box["width"], TABLET["width"] - box["x"]), 0)
            assert inner <= THUMB_PX, await action.inner_text()
            assert TABLET["height"] - box["y"] <= THUMB_PX
            assert box["height"] >= 63.5


async def test_entries_of_one_second_keep_their_order_when_the_report_is_loaded_again(browser: Browser, tmp_path: Path):
    async with open_on_tablet(browser, tmp_path, "medications") as (_, page):
        for dose in ("Morphine 5 mg", "Aspirin 300 mg", "Glyceryl trinitrate 0.4 mg"):
            await page.get_by_role("button", name=dose).click()
        heads = page.locator(".page:not([hidden]) .entry-head")
        await expect(heads).to_have_count(3)
        await expect(page.locator("#saved")).to_have_text("Saved")
        before = await heads.all_inner_texts()
        await page.reload()
        await expect(heads).to_have_text(before)


async def test_doses_of_adults_are_not_offered_for_a_child(browser: Browser, tmp_path: Path):
    async with open_on_tablet(browser, tmp_path, "medications") as (client, page):
        dose = page.get_by_role("button", name="Morphine 5 mg")
        await expect(dose).to_be_visible()
        await client.append({"id": "a1", "key": "patient.age", "value": "6"})
        await expect(dose).to_be_hidden()


async def test_check_15_time_of_a_shock_comes_from_the_device_and_editing_keeps_both(tmp_path: Path):
    async with report_vehicle(tmp_path) as vehicle, vehicle.tablet() as anna:
        await anna.open_report()
        now_s = vehicle.clock.monotonic_s()
        await record(
            vehicle,
            reading("X_PRIVATE_05", 0.0, None, received_s=now_s),
            reading("X_PRIVATE_05", 1.0, None, received_s=now_s + 1),
        )
        (shock,) = [
            each
            for each in (await anna.get(f"/drafts/{ENCOUNTER}/proposals")).body["proposals"]
            if each["kind"] == "shock"
        ]
        await anna.post(f"/drafts/{ENCOUNTER}/proposals", {"accept": [shock["id"]]})
        (measured,) = await anna.values("procedures.time")
        draft = vehicle.drafts.find(ENCOUNTER)
        assert draft is not None
        before = next(each for each in draft.changes if each.key == "procedures.time")
        later = "2023-11-14T22:14:00+00:00"
        edit = {"id": "e1", "key": "procedures.time", "entry": shock["id"], "value": later, "replaces": [before.id]}
        assert (await anna.append(edit)).status == 200
        assert await anna.values("procedures.time") == [later]
        assert [each.value for each in draft.changes if each.key == "procedures.time"] == [measured, later]
        assert any(each.key == Annotation.SOURCE and each.entry == before.id for each in draft.changes)


async def test_check_19_entry_is_sent_within_a_second_without_a_sync_and_the_state_is_in_words(
    browser: Browser, tmp_path: Path
):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        vehicle.tablet() as client,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await client.open_report()
        await page.clock.install()
        await open_report(page, vehicle.url, "narrative")
        await stop_clock(page)
        async with page.expect_request("**/changes") as sent:
            await field(page, "narrative.text").get_by_role("textbox").press_sequentially("Pale")
            await page.clock.run_for(1000)
        assert "Pale" in str((await sent.value).post_data)
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert await page.get_by_role("button", name="Sync").count() == 0
