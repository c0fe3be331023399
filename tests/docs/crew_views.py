"""Views of the crew's pages for the review: the address of each, what opens it, and the content of its reports."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Page, expect

REPORT = "enc_review"
SEALED = "enc_review_signed"
SILENT = "live-silent"
"""View of a page whose gateway has stopped: the review freezes its process once the page is open."""
ALARM_S = 2.5
"""Seconds until a page has noticed that there is no contact, or lists the Bluetooth devices."""

Opening = Callable[[Page, str], Awaitable[None]]


def content(encounter: str, now: str) -> list[dict[str, Any]]:
    """Return the changes of a report whose pages are filled, with long words and names. `now`: time of each entry."""
    fields = {
        "patient.age": "67", "patient.age_unit": "2516009", "patient.sex": "9919001",
        "patient.last_name": "Brzęczyszczykiewicz-Wiśniewska", "patient.first_name": "Wacława Apolonia",
        "situation.complaint": "Chest pain that radiates into the left arm, for half an hour",
        "situation.onset": now, "situation.primary_impression": "I21.9", "situation.acuity": "2813003",
        "disposition.care": "4228001", "disposition.transport": "4230001",
        "disposition.destination": "Samodzielny Publiczny Zakład Opieki Zdrowotnej w Grodzisku Mazowieckim",
        "times.en_route": now, "times.on_scene": now, "times.at_patient": now,
        "narrative.text": "Found sitting at the kitchen table. Pale, sweating, oriented. Pain 8 of 10 on arrival.",
        "arrest.present": "3001003",
    }  # fmt: skip
    entries = {
        "vitals": {
            "time": now, "systolic": "92", "diastolic": "58", "heart_rate": "118", "spo2": "91",
            "breathing_rate": "26", "rhythm": "9901047", "avpu": "3326001", "gcs_eye": "4", "pain": "8",
        },
        "medications": {
            "time": now, "drug": "1191", "dose": "300", "dose_unit": "3706021", "route": "9927035",
        },
        "procedures": {"time": now, "procedure": "268400002", "success": "9923003"},
        "signatures": {"time": now, "signer": "4512015", "reason": "4513007", "last_name": "Wiśniewska"},
    }  # fmt: skip
    single = [{"id": f"{encounter}-head", "key": "exam.head", "entry": "trauma", "value": "3505029"}]
    single += [
        {"id": f"{encounter}-{key.replace('.', '-')}", "key": key, "value": value} for key, value in fields.items()
    ]
    repeated = [
        {"id": f"{encounter}-{group}-{name}", "key": f"{group}.{name}", "entry": f"{group}-1", "value": value}
        for group, values in entries.items()
        for name, value in values.items()
    ]
    return single + repeated


async def _at(page: Page, url: str) -> None:
    await page.goto(url)
    await page.wait_for_load_state()


async def _snapshot(page: Page, url: str) -> None:
    await _at(page, url)
    await asyncio.sleep(2.0)
    await page.locator("[data-take]").click()


async def _settings(page: Page, url: str) -> None:
    await _at(page, url)
    await page.locator("details.settings > summary").click()


async def _code(page: Page, url: str) -> None:
    await _at(page, url)
    await page.get_by_role("button", name="code").first.click()


async def _share(page: Page, url: str) -> None:
    await _at(page, url)
    again = page.get_by_role("link", name="Show the share link")
    await (again if await again.count() else page.get_by_role("button", name="Share over the cloud")).click()


async def _pairing(page: Page, url: str) -> None:
    await _at(page, url)
    await page.locator("#pairing > summary").click()
    await asyncio.sleep(ALARM_S)


async def _addendum(page: Page, url: str) -> None:
    await _at(page, url)
    await page.get_by_role("textbox", name="Reason for the addendum").fill("The age was found later")
    await page.get_by_role("button", name="Begin the addendum").click()
    await page.get_by_role("link", name="Patient", exact=True).click()


async def _number_pad(page: Page, url: str) -> None:
    await _at(page, url)
    await page.locator('.field[data-key="patient.age"] .value-button').click()


async def _opened_entry(page: Page, url: str) -> None:
    await _at(page, url)
    await page.locator(".page:not([hidden]) .entry-head").first.click()


async def _report_offline(page: Page, url: str) -> None:
    await _at(page, url)
    narrative = page.locator('.field[data-key="narrative.text"] textarea')
    await expect(narrative).to_be_visible()
    await page.context.set_offline(True)
    await narrative.fill(f"Found on the floor beside the bed, pale and sweating. {time.monotonic():.1f}")
    await narrative.blur()
    await expect(page.locator("#saved")).to_contain_text("No contact")


async def _shell(page: Page, url: str) -> None:
    await page.context.set_offline(True)
    await _at(page, url)


async def _lock(page: Page, url: str) -> None:
    await _at(page, url)
    await page.locator("[data-lock] button").click()
    await expect(page.get_by_role("link", name="Sign in")).to_be_visible()


async def _wrong_pin(page: Page, url: str) -> None:
    await _at(page, url)
    await page.fill("#pin", "000000")  # six digits are sent at once
    await expect(page.locator("#message")).not_to_be_empty()


_WITH_ENTRIES = ("vitals", "assessment", "medications", "procedures", "signatures")
_SECTIONS = (
    "timeline",
    "patient",
    "situation",
    "history",
    "trauma",
    "arrest",
    "disposition",
    "narrative",
    "gaps",
    "sign",
)

VIEWS: dict[str, tuple[str, Opening]] = {
    "live": ("/#live", _at),
    "twelve": ("/#twelve", _at),
    "snapshot": ("/#twelve", _snapshot),
    "trends": ("/#trends", _at),
    "devices": ("/#devices", _at),
    "pairing": ("/#devices", _pairing),
    "settings": ("/#live", _settings),
    "sign-in": ("/sign-in", _at),
    "reports": ("/reports", _at),
    "report": (f"/reports/{REPORT}", _at),
    **{f"report-{section}": (f"/reports/{REPORT}#{section}", _at) for section in _SECTIONS},
    **{f"report-{section}": (f"/reports/{REPORT}#{section}", _opened_entry) for section in _WITH_ENTRIES},
    "number-pad": (f"/reports/{REPORT}#patient", _number_pad),
    "sealed": (f"/reports/{SEALED}#sign", _at),
    "addendum": (f"/reports/{SEALED}#sign", _addendum),
    "handovers": ("/handover", _at),
    "handover": ("/handover/{encounter}", _at),
    "code": ("/handover/{encounter}", _code),
    "share": ("/handover/{encounter}", _share),
    "code-entry": ("/h", _at),
    "code-wrong": ("/h/AAAA-AAAA", _at),
    "report-unknown": ("/reports/enc_unknown", _at),
    "report-offline": (f"/reports/{REPORT}#narrative", _report_offline),
    SILENT: ("/#live", _at),
    "shell": ("/reports", _shell),
    "locked": ("/#live", _lock),
    "sign-in-wrong": ("/sign-in", _wrong_pin),
}
"""Address and opening of each view by its name. The last ones take the contact or the session away, which the review
restores after each view."""
