"""Time from a device's APDU to its value on the crew's page.

The gateway is the installed program with its store, and serves three other simulated devices with waveforms meanwhile.
The time begins before the simulated glucose meter sends its report, so it includes the decoding, the durable commit and
the message to the page. It ends when the page has painted the value: a message that is posted in the frame after the
change is delivered when that frame's work is done.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from simulators.demo.free_ports import free_port
from tests.builders.gateway_device import Device, device
from tests.harness.browser import TABLET, chromium
from tests.harness.demo import program
from tests.harness.gateway_process import Vehicle, provisioned_vehicle

VALUES = 200
FIRST_MG_DL = 100
"""Each value is one more than the one before, so that its text on the page identifies its APDU."""
GLUCOSE_METER = 0x06A4
"""Standard configuration (10417) of a device whose parameter no other one measures."""
VALUE_EVERY_S = 0.113
"""No multiple of an interval of the gateway or of the page, so that values meet them at every phase."""
SETTLE_S = 5.0
OTHER_DEVICES = ("monitor", "ecg", "oximeter")
_WATCH = """() => {
  const shown = document.querySelector('[data-tile="glucose"] .main'), painted = new MessageChannel(), due = [];
  window.seen = {};
  painted.port1.onmessage = () => { for (const text of due.splice(0)) window.seen[text] ??= Date.now(); };
  new MutationObserver(() => {
    const text = shown.textContent;
    requestAnimationFrame(() => { due.push(text); painted.port2.postMessage(0); });
  }).observe(shown, { childList: true, characterData: true, subtree: true });
}"""


async def values_ms() -> list[float]:
    """Return the milliseconds from each APDU to the painted value. A value that the page did not show is left out only
    where a newer one had replaced it before the frame."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        crew = f'[crew]\nlisten = "127.0.0.1:{port}"\nmdns = false\n'
        async with AsyncExitStack() as parts:
            vehicle = await parts.enter_async_context(provisioned_vehicle(Vehicle(Path(folder), more_settings=crew)))
            for kind in OTHER_DEVICES:
                await parts.enter_async_context(_simulated(kind, vehicle.address))
            browser = await parts.enter_async_context(chromium())
            meter = await parts.enter_async_context(device(vehicle.address, kind=GLUCOSE_METER))
            page = await browser.new_page(viewport=TABLET)  # type: ignore[arg-type]  # a TypedDict of its own
            pin = (vehicle.state_dir / "crew.pin").read_text().strip()
            await page.context.request.post(f"http://127.0.0.1:{port}/sign-in", form={"pin": pin}, max_redirects=0)
            await page.goto(f"http://127.0.0.1:{port}/")
            await meter.measure(99)
            await expect(page.locator('[data-tile="glucose"] .main')).to_have_text("99")
            await asyncio.sleep(SETTLE_S)
            assert await page.locator(".strip:visible").count() > 1, "waveforms are drawn meanwhile"
            return await _measure(page, meter)


async def _measure(page: Page, meter: Device) -> list[float]:
    await page.evaluate(_WATCH)
    sent_ms = {}
    for mg_dl in range(FIRST_MG_DL, FIRST_MG_DL + VALUES):
        sent_ms[str(mg_dl)] = time.time() * 1000
        assert await meter.measure(mg_dl) == "answered"
        await asyncio.sleep(VALUE_EVERY_S)
    await asyncio.sleep(1.0)
    seen: dict[str, Any] = await page.evaluate("window.seen")
    assert len(seen) > 0.95 * VALUES, f"the page has shown {len(seen)} of {VALUES} values"
    return [float(at_ms) - sent_ms[text] for text, at_ms in seen.items() if text in sent_ms]


@asynccontextmanager
async def _simulated(kind: str, address: tuple[str, int]) -> AsyncIterator[None]:
    """Run a simulated device that is connected to the gateway, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(program("argus-sim"), "agent", kind, "--tcp", f"{address[0]}:{address[1]}"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()
