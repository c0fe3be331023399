"""A real cloud with users, apps and a webhook, for tests that administer it in a real browser.

The webhook's receiver sometimes fails. So the pages show what an administrator meets on an ordinary bad day: a
successful delivery, one with a retry due, one that was rejected with a reason, and a secret in rotation. Tests examine
the pages, and `make docs-shots` takes their pictures.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyotp
from playwright.async_api import Browser, Page

from cloud.partners.webhooks.catalogue import EVENTS
from simulators.demo.free_ports import free_port
from tests.harness.axe import violations
from tests.harness.eventually import eventually
from tests.harness.receiver import receiving, respond_with
from tests.harness.running_cloud import RunningCloud, cloud_running

CLIENT_ID = "app_case_sync"
PASSWORD = "correct horse battery"
ADA, BO = "ada@rescue.example", "bo@rescue.example"
REDIRECT = "https://integrator.example/callback"
DOWN = b'{"error":"the case system is being upgraded","retry":"later"}'


@dataclass
class Administered:
    """A running cloud. `people` maps the names of its users to their ids; `webhook_id` is the id of its webhook, and
    `schedule_id` that of its schedule."""

    cloud: RunningCloud
    people: dict[str, str]
    webhook_id: str
    schedule_id: str

    def url(self, path: str) -> str:
        return self.cloud.urls["auth"] + path

    @property
    def addresses(self) -> dict[str, str]:
        """Map a short name to the path of each administration and sign-in page that has content."""
        one = f"/admin/apps/{CLIENT_ID}"
        return {
            "home": "/admin",
            "apps": "/admin/apps",
            "app": one,
            "app-new": "/admin/apps/new",
            "app-delete": f"{one}/delete",
            "webhooks": "/admin/webhooks",
            "webhook": f"/admin/webhooks/{self.webhook_id}",
            "jobs": "/admin/jobs",
            "schedules": "/admin/schedules",
            "schedule": f"/admin/schedules/{self.schedule_id}",
            "schedule-new": "/admin/schedules/new",
            "users": "/admin/users",
            "user": f"/admin/users/{self.people[BO]}",
            "user-self": f"/admin/users/{self.people[ADA]}",
            "user-new": "/admin/users/new",
            "audit": "/admin/audit",
            "audit-none": "/admin/audit?trace_id=00000000000000000000000000000000",
            "keys": "/admin/keys",
            "password": "/sign-in/password",
            "recovery-codes": "/sign-in/recovery-codes",
            "authenticator": "/sign-in/authenticator",
            "signed-in": "/sign-in",
        }

    @property
    def authorization(self) -> str:
        """Return path and query of an OAuth authorization request by the app."""
        asked = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT,
            "scope": "argus:devices:write argus:epcr:write",
            "state": "s",
            "code_challenge": "a" * 43,
            "code_challenge_method": "S256",
        }
        return f"/v1/oauth/authorize?{urlencode(asked)}"

    async def sign_in(self, page: Page, username: str, *, at: str = "/sign-in") -> None:
        """Type user name and password on the page at `at`, and return when the next page is shown."""
        await page.goto(self.url(at))
        await page.fill("#username", username)
        await page.fill("#password", PASSWORD)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")

    async def set_up(self, page: Page) -> None:
        """Set up the second factor on the open page that requires it; return when the recovery codes are shown."""
        secret = (await page.inner_text("code.key")).strip()
        await page.fill("#code", pyotp.TOTP(secret).now())
        async with page.expect_navigation():
            await page.keyboard.press("Enter")


async def open_all(page: Page) -> None:
    """Open every folded part of a page, so that the checks see its content too."""
    await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")


class Looking:
    """A page under examination: its console messages, its accessibility violations (axe-core), and its width."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(message.text) if message.type in _LOUD else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    async def faults(self, *, refused: bool = False) -> list[str]:
        """Return every fault of the page as it is now.

        With `refused`, the page is an error response: the browser logs such a response to the console, so earlier
        console messages are ignored.
        """
        if refused:
            self.said.clear()
        wide = await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        spilt = await self.page.evaluate(_SPILT)
        found = [f"{self.page.url}: {one}" for one in await violations(self.page)]
        found += [f"{self.page.url}: {one!r} spills out of its card" for one in spilt]
        found += [f"{self.page.url}: the console says {text}" for text in self.said]
        self.said.clear()
        return found + ([f"{self.page.url}: {wide} px too wide"] if wide > 0 else [])


_LOUD = ("error", "warning")
_SPILT = """
[...document.querySelectorAll("tr, .panel")].filter((card) => card.offsetWidth).flatMap((card) =>
  [...card.querySelectorAll("td *, td, p, dd, code")].filter((one) =>
    one.offsetWidth && !one.closest("pre") &&
    one.getBoundingClientRect().right > card.getBoundingClientRect().right + 1
  ).map((one) => one.textContent.trim().slice(0, 60)))
"""
"""Texts that reach beyond the right edge of their card."""


async def window(browser: Browser, viewport: dict[str, int], locale: str, state: Any = None) -> Page:
    """Open a page in a new browser context with this viewport and locale.

    `state` is the storage state of another context, whose cookies the new one starts with.
    """
    context = await browser.new_context(viewport=viewport, locale=locale, storage_state=state)  # type: ignore[arg-type]  # a TypedDict of its own
    return await context.new_page()


@asynccontextmanager
async def administered_cloud(folder: Path, database_url: str | None = None) -> AsyncIterator[Administered]:
    """Run the cloud and the receiver of its webhook. Yield the cloud once three deliveries of the webhook were
    attempted."""
    port = free_port()
    allowed = f'[egress]\nallow = ["127.0.0.1:{port}"]\n'
    async with receiving(port, always=respond_with(200)) as receiver:
        with cloud_running(folder, database_url, more_settings=allowed) as cloud:
            it = await asyncio.to_thread(_peopled, cloud, receiver.url("/case-sync"))
            receiver.answers += [
                respond_with(200),
                respond_with(503, DOWN, Retry_After="1800"),
                respond_with(404, b"gone?"),
            ]
            await asyncio.to_thread(_happened, cloud, it.webhook_id)
            await eventually(lambda: len(receiver.received) >= 3, what="three deliveries")
            yield it


def _peopled(cloud: RunningCloud, hook: str) -> Administered:
    password = cloud.folder / "password"
    password.write_text(f"{PASSWORD}\n")
    whose = ["--tenant", "tnt_one"]
    people = [
        ["users", "add", *whose, "--username", name, "--role", role, *level, "--password-file", str(password), "--json"]
        for name, role, level in ((ADA, "administrator", ["--secrecy-level", "secret"]), (BO, "member", []))
    ]
    app = ["apps", "add", *whose, "--id", CLIENT_ID, "--name", "Case sync connector", "--scope", "all"]
    app += ["--allow-service-tokens", "--grant", "authorization_code", "--grant", "client_credentials"]
    app += ["--redirect-uri", REDIRECT, "--json"]
    schedule = ["jobs", "schedule", "add", *whose, "--app", "app_north", "--name", "Nightly export", "--json"]
    schedule += ["--cron", "0 3 * * *", "--payload", '{"data": "encounters", "format": "fhir_ndjson"}']
    rotation = ["apps", "rotate-secret", CLIENT_ID, *whose, "--json"]
    ada, bo, *_, planned = cloud.commands(*people, app, rotation, schedule)
    events = [one.name for one in EVENTS if one.scope is not None]
    with cloud.client("north", "auth") as client:
        answer = client.post("/v1/webhooks", json={"url": hook, "events": events, "description": "Case system"})
    assert answer.status_code == 201, answer.text
    return Administered(cloud, {ADA: ada["id"], BO: bo["id"]}, answer.json()["id"], planned["id"])


def _happened(cloud: RunningCloud, webhook_id: str) -> None:
    """Cause one test delivery and then two events, in this order, which the receiver's scripted responses require."""
    with cloud.client("north", "auth") as auth, cloud.client("north") as api:
        auth.post(f"/v1/webhooks/{webhook_id}/test").raise_for_status()
        for number in (1, 2):
            body = {"care_model": "prehospital_emergency", "cad_incident_id": f"CAD-{number}"}
            api.post("/api/v1/epcr/encounters", json=body).raise_for_status()
