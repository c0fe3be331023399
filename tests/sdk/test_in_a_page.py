"""The SDK for TypeScript in a web page: Chromium lists through a relay on the page's origin, and verifies offline."""

import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page

from tests.builders.provenance_vectors import FOLDER as VECTORS
from tests.harness.typescript_sdk import FOLDER, run

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STORIES = json.loads((Path(__file__).parent / "stories.json").read_text())
ENTRY = """
import { Argus } from "./src/index.ts";
import { verifyWebhook } from "./src/webhooks.ts";
import { verifyProvenanceLocal } from "./src/evidence/index.ts";
Object.assign(globalThis, { Argus, verifyWebhook, verifyProvenanceLocal });
"""
LIST = """async () => {
  const apiUrl = `${location.origin}/relay`;
  const argus = new Argus({ apiUrl, authUrl: apiUrl, credentials: { token: "token-of-the-page" } });
  const found = [];
  for await (const device of argus.devices.list()) found.push(device.id);
  return found;
}"""
WEBHOOK = "async ({ headers, body, secrets, now_s }) => await verifyWebhook({ headers, body, secrets, nowS: now_s })"
EVIDENCE = "async ([transcript, keys]) => (await verifyProvenanceLocal(transcript, keys)).outcome"


def a_page(script: str) -> web.Application:
    """Return the page's own server: the page, its script, and a relay that has the devices of two pages."""

    async def document(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><script type=module src=/sdk.js></script>", content_type="text/html")

    async def sdk(request: web.Request) -> web.Response:
        return web.Response(text=script, content_type="text/javascript")

    async def devices(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer token-of-the-page"
        if "cursor" in request.query:
            return web.json_response([{"id": "dev_2"}])
        following = request.url.with_query(cursor="c2")
        return web.json_response([{"id": "dev_1"}], headers={"Link": f'<{following}>; rel="next"'})

    app = web.Application()
    app.add_routes([web.get("/", document), web.get("/sdk.js", sdk), web.get("/relay/api/v1/devices", devices)])
    return app


async def test_sdk_lists_through_a_relay_and_verifies_in_a_page(browser: Browser) -> None:
    script = run(FOLDER, "node_modules/.bin/esbuild", "--bundle", "--format=esm", "--loader=ts", text=ENTRY)
    story = STORIES["webhooks"][0]
    vectors = [(VECTORS / name).read_text() for name in ("transcripts/intact-ml-dsa-65.json", "keys.json")]
    async with TestServer(a_page(script), host="127.0.0.1") as server:
        page: Page = await browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(str(server.make_url("/")))
        assert await page.evaluate(LIST) == ["dev_1", "dev_2"]
        assert await page.evaluate(WEBHOOK, story["call"]) == story["expect"]["result"]
        assert await page.evaluate(EVIDENCE, vectors) == "intact"
        assert errors == []
