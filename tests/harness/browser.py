"""Debian's headless Chromium driven by Playwright. It has the engine of a tablet's browser, needs no download of its
own, and uses about half of the processor time of the browser with windows. It does not keep a screen on."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright, expect

EXPECTED_WITHIN_MS = 60_000
"""Limit for a state of a page that never comes, and for an action or a request that a test awaits. Playwright's own, 5
and 30 s, would let the load of the machine decide a test."""
expect.set_options(timeout=EXPECTED_WITHIN_MS)

TABLET = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
HOLD_DISK = """() => {
  const encrypt = SubtleCrypto.prototype.encrypt, held = new Promise((resolve) => { window.releaseDisk = resolve; });
  SubtleCrypto.prototype.encrypt = async function (...given) { await held; return encrypt.apply(this, given); };
}"""
"""Makes every write to the tablet's disk wait until the script calls `releaseDisk()`."""
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


def _program() -> str:
    program = shutil.which("chromium-headless-shell")
    if program is None:
        pytest.skip("chromium-headless-shell is absent")
    return program


async def persistent_chromium(playwright: Playwright, profile: Path) -> tuple[BrowserContext, int]:
    """Run a headless browser whose data is in `profile`; return its context and the id of its main process, so that a
    test can kill it. Skip the test where the browser is absent."""
    context = await playwright.chromium.launch_persistent_context(
        profile, executable_path=_program(), args=_FLAGS, locale="en-GB"
    )
    context.set_default_timeout(EXPECTED_WITHIN_MS)
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


async def stop_clock(page: Page) -> None:
    """Stop the clock of a page that was opened after `page.clock.install()`: none of its limits ends then, however slow
    the machine is. Its time of day is up to 20 s later than before. A crew page whose clock is installed later may see
    a wrong time for a moment, and locks itself."""
    await page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=20))


@asynccontextmanager
async def chromium(*, flags: Sequence[str] = (), home: Path | None = None) -> AsyncIterator[Browser]:
    """Run a headless browser; skip the test where the browser is absent. `home`: folder with the browser's own
    store of authorities (NSS, `.pki/nssdb`)."""
    program = _program()
    environment = None if home is None else {**os.environ, "HOME": str(home)}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*_FLAGS, *flags], env=environment)
        browser.on("context", lambda context: context.set_default_timeout(EXPECTED_WITHIN_MS))
        try:
            yield browser
        finally:
            await browser.close()


def install_authority(home: Path, authority: bytes | None) -> None:
    """Make the browser's store of authorities (NSS) below `home`, as a person does in the browser's settings.
    `authority`: a certificate as DER; None: the store stays empty. Skip the test where certutil is absent."""
    program = shutil.which("certutil")
    if program is None:
        pytest.skip("certutil is absent")
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    subprocess.run([program, "-d", f"sql:{store}", "-N", "--empty-password"], check=True)
    if authority is not None:
        (home / "ca.crt").write_bytes(authority)
        add = ["-A", "-t", "C,,", "-n", "vehicle", "-i", str(home / "ca.crt")]
        subprocess.run([program, "-d", f"sql:{store}", *add], check=True)
