"""Debian's Chromium driven by Playwright. It has the engine of a tablet's browser and needs no download of its own."""

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Playwright, async_playwright, expect

EXPECTED_WITHIN_MS = 60_000
"""Limit for a state of a page that never comes. Playwright's 5 s would let the load of the machine decide a test."""
expect.set_options(timeout=EXPECTED_WITHIN_MS)

TABLET = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# Root may not use the sandbox; the other flags stop requests to the browser's maker, which a closed network lacks.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


async def persistent_chromium(playwright: Playwright, profile: Path) -> tuple[BrowserContext, int]:
    """Run a headless browser whose data is in `profile`; return its context and the id of its main process, so that a
    test can kill it. Skip the test where Debian's Chromium is absent."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is absent")
    context = await playwright.chromium.launch_persistent_context(
        profile, executable_path=program, args=_FLAGS, locale="en-GB"
    )
    return context, _main_process(profile)


def _main_process(profile: Path) -> int:
    """Return the id of the browser process of a profile; its children have a type."""
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = found.read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        named = f"--user-data-dir={profile}".encode() in words
        if named and not any(word.startswith(b"--type=") for word in words):
            return int(found.parent.name)
    raise AssertionError(f"no browser runs with {profile}")


@asynccontextmanager
async def chromium(*, flags: Sequence[str] = (), home: Path | None = None) -> AsyncIterator[Browser]:
    """Run a headless browser; skip the test where Debian's Chromium is absent. `home`: folder with the browser's own
    store of authorities (NSS, `.pki/nssdb`)."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is absent")
    environment = None if home is None else {**os.environ, "HOME": str(home)}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*_FLAGS, *flags], env=environment)
        try:
            yield browser
        finally:
            await browser.close()
