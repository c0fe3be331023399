"""The effort of a complete report: taps and typed characters of a call of 40 minutes, counted by the browser."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from gateway.crew import connections
from protocols.epcr.change import FieldChange
from protocols.epcr.gaps import find_gaps
from protocols.observation import Observation
from protocols.observation_record import utc_text
from protocols.uplink.observations import DeviceObservations
from tests.builders.buffer_observations import OXIMETER
from tests.builders.crew_live import blood_pressure, reading, spo2
from tests.harness.browser import TABLET
from tests.harness.crew_app import PARAMEDIC, PIN
from tests.harness.moved_clock import MovedClock
from tests.harness.report_tablets import ENCOUNTER, ReportVehicle, report_vehicle

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

TAPS_MAX, TYPED_MAX = 25, 60
"""The bar of the issue: taps and typed characters of a complete report, without the narrative's."""
NARRATIVE = "Pale and sweating on the sofa, pain since a walk. Better after nitrate."
COUNT = """
addEventListener("pointerdown", (event) => { if (event.isTrusted) counted("taps"); }, true);
addEventListener("keydown", (event) => {
  if (event.isTrusted) counted(event.target.closest("[data-key='narrative.text']") ? "narrative" : "typed");
}, true);
"""


class Call:
    """A vehicle whose clock, devices and tablet move together through the minutes of one call."""

    def __init__(self, vehicle: ReportVehicle, page: Page) -> None:
        assert isinstance(vehicle.clock, MovedClock)
        self.vehicle, self.page, self.clock = vehicle, page, vehicle.clock
        self._minute = 0

    async def at(self, minute: int) -> None:
        """Let the time pass until this minute. From minute 8 the monitor measures every minute, and the cuff every
        five."""
        while self._minute < minute:
            await self.clock.advance(60)
            self._minute += 1
            now_s = self.clock.monotonic_s()
            if self._minute >= 8:
                await self._measure(
                    [
                        spo2(93.0 + self._minute % 4, received_s=now_s),
                        reading("MDC_ECG_HEART_RATE", 96.0, "MDC_DIM_BEAT_PER_MIN", received_s=now_s, handle=3),
                        *([blood_pressure(148.0, 92.0, 110.0, received_s=now_s)] if self._minute % 5 == 0 else ()),
                    ]
                )
        await self.page.clock.set_fixed_time(datetime.fromtimestamp(self.clock.wall_us() / 1e6, UTC))

    async def _measure(self, observations: Sequence[Observation]) -> None:
        await self.vehicle.buffer.append_sections(
            [
                DeviceObservations(
                    device=OXIMETER,
                    boot_id="boot-1",
                    wall_offset_us=self.clock.wall_us() - round(self.clock.monotonic_s() * 1_000_000),
                    wall_synchronised=True,
                    device_offset_us=None,
                    uncertainty_us=40_000,
                    stored=False,
                    observations=list(observations),
                )
            ]
        )

    async def state(self, values: dict[str, str], *, encounter: str = ENCOUNTER, author: str = "dispatch") -> None:
        """State values as dispatch does, or as a crew did on the call before."""
        changes = [
            FieldChange(
                id=f"{encounter[-16:]}-{key.replace('.', '-')}",
                encounter=encounter,
                key=key,
                author=author,
                gateway_time_us=self.clock.wall_us(),
                value=value,
            )
            for key, value in values.items()
        ]
        await self.vehicle.drafts.append_changes(changes)


@asynccontextmanager
async def call(browser: Browser, folder: Path, counts: Counter[str]) -> AsyncIterator[Call]:
    async with report_vehicle(folder) as vehicle:
        context = await browser.new_context(viewport=TABLET, locale="en-GB", timezone_id="UTC")  # type: ignore[arg-type]
        page = await context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        await page.expose_function("counted", lambda kind: counts.update([kind]))
        await page.add_init_script(COUNT)
        for form in ({"pin": PIN}, {"pin": PARAMEDIC.pin, "member": PARAMEDIC.id}):
            await context.request.post(f"{vehicle.url}/sign-in", form=form, max_redirects=0)
        try:
            yield Call(vehicle, page)
            assert errors == []
        finally:
            await context.close()


def gap(page: Page, key: str) -> Locator:
    return page.locator(f'.page:not([hidden]) .gap .field[data-key="{key}"]')


async def choose(page: Page, key: str, words: str) -> None:
    button = gap(page, key).get_by_role("button", name=words, exact=True)
    await button.click()
    await expect(gap(page, key).locator("[aria-pressed=true]")).to_have_count(1)


async def open_from_dispatch(made: Call) -> None:
    """Give the vehicle an earlier call, and then the one that dispatch opens."""
    before = {"disposition.transport": "4230001", "disposition.destination": "City Hospital"}
    await made.vehicle.drafts.open("enc_before", author=PARAMEDIC.id, change_ids=["b1", "b2"])
    await made.state(before, encounter="enc_before", author=PARAMEDIC.id)
    await made.vehicle.drafts.sign_off("enc_before", author=PARAMEDIC.id, device_time_us=None)
    await made.at(1)
    await made.vehicle.drafts.open(ENCOUNTER, author="dispatch", change_ids=["d1", "d2"])
    unit_notified = utc_text(made.clock.wall_us())
    await made.at(2)
    en_route = utc_text(made.clock.wall_us())
    await made.at(7)
    on_scene = utc_text(made.clock.wall_us())
    await made.state(
        {
            "call.incident_number": "2026-000815",
            "times.unit_notified": unit_notified,
            "times.en_route": en_route,
            "times.on_scene": on_scene,
        }
    )


async def test_complete_report_of_a_call_of_40_minutes_takes_at_most_25_taps_and_60_characters(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # The clock is moved by minutes while the browser uses its connections, which are not idle for so long.
    monkeypatch.setattr(connections, "IDLE_S_MAX", 86_400.0)
    counts: Counter[str] = Counter()
    async with call(browser, tmp_path, counts) as made:
        page, bar = made.page, made.page.locator("#bar")
        await open_from_dispatch(made)
        await page.goto(f"{made.vehicle.url}/reports")
        await page.locator(".draft", has_text="gaps").get_by_role("link").click()
        await made.at(9)
        await bar.get_by_role("button", name="Now: At the patient").click()
        await bar.get_by_role("link", name="Treatment").click()
        await made.at(13)
        await page.get_by_role("button", name="Aspirin 300 mg · By mouth").click()
        await made.at(14)
        await page.get_by_role("button", name="Glyceryl trinitrate 0.4 mg").click()
        await page.get_by_role("button", name="12-lead ECG").click()
        for minute, step in ((18, "Left the scene"), (31, "At the destination"), (38, "Transfer of care")):
            await made.at(minute)
            await bar.get_by_role("button", name=f"Now: {step}").click()
        await made.at(40)
        await page.get_by_role("link", name="Gaps").click()
        await page.get_by_role("button", name="entries of the devices").click()
        await page.locator('[data-group="unremarkable"]:visible').click()
        await page.locator('[data-group="normal_drive"]:visible').click()
        await gap(page, "disposition.destination").get_by_role("button", name="City Hospital").click()
        await choose(page, "patient.sex", "Female")
        await choose(page, "history.drug_allergies", "No known drug allergy")
        await choose(page, "history.conditions", "Hypertension")
        await choose(page, "situation.primary_impression", "Chest pain")
        await choose(page, "situation.acuity", "Urgent (yellow)")
        await gap(page, "situation.onset").get_by_role("button", name="1 h ago").click()
        await choose(page, "situation.possible_injury", "No")
        await choose(page, "vitals.rhythm", "Sinus rhythm")
        await choose(page, "disposition.acuity", "Less urgent (green)")
        await gap(page, "situation.complaint").get_by_role("textbox").click()
        for line in ("Chest pain", "Kowalska", "Maria", "14061958", NARRATIVE):
            await page.keyboard.type(line)
            if line is not NARRATIVE:
                await page.keyboard.press("Enter")
        await expect(page.get_by_text("Nothing is missing.")).to_be_visible()
        draft = made.vehicle.drafts.find(ENCOUNTER)
        assert draft is not None
        assert find_gaps(draft.record) == []
        await page.locator(".page:not([hidden])").get_by_role("button", name="Sign the report").click()
        await expect(page.locator("#sealed")).to_be_visible()
        assert draft.sealed
        assert counts["narrative"] >= len(NARRATIVE)
        assert counts["taps"] <= TAPS_MAX, counts
        assert counts["typed"] <= TYPED_MAX, counts
        print(dict(counts))
