"""The documentation in Chromium: the script that composes samples, copies them and shows search results, and each kind
of page with the keyboard alone. `test_every_page` examines what all pages have in common."""

import asyncio

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from cloud.foundation.http import Host
from tests.builders.http_surface import Surface
from tests.harness.axe import violations
from tests.harness.browser import PHONE, TABLET, stop_clock

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def docs(served: Surface) -> str:
    """Return the address of the docs host."""
    return served.url("", Host.DOCS)


async def open_page(browser: Browser, url: str, **context: object) -> Page:
    page = await browser.new_page(**context)  # type: ignore[arg-type]
    await page.goto(url)
    return page


async def test_page_without_javascript_has_the_samples_and_the_search_works(browser: Browser, docs: str) -> None:
    context = await browser.new_context(java_script_enabled=False, viewport=PHONE)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(docs + "/en/docs/api-reference/listDevices")
    await expect(page.locator('code[data-language="curl"]')).to_contain_text("<access-token>")
    await expect(page.locator("form.compose")).to_be_hidden()
    await expect(page.locator("button.copy").first).to_be_hidden()
    await page.get_by_role("searchbox").fill("webhook")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_role("link", name="Webhooks", exact=True).first).to_be_visible()
    await context.close()


async def test_keyboard_alone_reaches_the_content_the_composer_and_the_samples(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/inspectJob", viewport=TABLET)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in range(3):
        await page.keyboard.press("Tab")
    await expect(page.get_by_label("id path, required")).to_be_focused()
    await page.keyboard.type("job 1")
    await expect(page.locator('code[data-language="curl"]')).to_contain_text("/v1/jobs/job%201")
    await press_tab_until(page, page.locator("details.sample summary").first)
    await page.keyboard.press("Enter")
    await expect(page.locator("details.sample").first).not_to_have_attribute("open", "")
    await page.close()


async def test_keyboard_alone_changes_the_language_of_a_page_with_one_address_and_follows_its_links(
    browser: Browser, served: Surface
) -> None:
    page = await open_page(browser, served.url("/problems/insufficient-scope"), viewport=PHONE, locale="en-GB")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Argus for developers")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Odpowiedź z tym błędem")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_have_attribute("lang", "en")
    for _ in range(4):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Rodzaje błędów")
    await page.close()


async def test_values_of_the_reader_appear_in_each_sample_and_are_neither_sent_nor_stored(
    browser: Browser, docs: str
) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/enqueueJob", viewport=TABLET)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    await page.get_by_label("Base URL").fill("https://argus.example.net/ignored")
    await page.get_by_label("Access token").fill("synthetic.token")
    await page.get_by_label("Body (JSON)").fill('{"kind": "it\'s", "payload": {"deep": [true, null, 1.5]}}')
    samples = {
        name: await page.locator(f'code[data-language="{name}"]').inner_text()
        if name == "curl"
        else await page.locator(f'code[data-language="{name}"]').text_content() or ""
        for name in ("curl", "python", "typescript")
    }
    for text in samples.values():
        assert '"https://argus.example.net' in text
        assert "synthetic.token" in text
        assert "<access-token>" not in text
    assert """-d '{\n  "kind": "it'\\''s",""" in samples["curl"]
    assert '"deep": [True, None, 1.5]' in samples["python"]
    compile(samples["python"], "sample", "exec")
    assert '"kind": "it\'s"' in samples["typescript"]
    assert requested == []
    assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    await page.reload()
    await expect(page.locator('code[data-language="curl"]')).to_contain_text("<access-token>")
    await page.close()


async def test_path_and_query_of_the_reader_appear_in_each_sample(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/listEncounterObservations", viewport=TABLET)
    await page.get_by_label("encounterId path, required").fill("enc/1")
    await page.get_by_label("limit query").fill("50")
    await page.get_by_label("mdc_code query").fill("A,B")
    for language, text in (
        ("curl", "/api/v1/epcr/encounters/enc%2F1/observations?mdc_code=A%2CB&limit=50"),
        ("python", "/api/v1/epcr/encounters/enc%2F1/observations?mdc_code=A%2CB&limit=50"),
        ("typescript", '{\n  path: { encounterId: "enc/1" },\n  query: { mdc_code: "A,B", limit: 50 },\n});'),
    ):
        assert text in (await page.locator(f'code[data-language="{language}"]').text_content() or "")
    await page.close()


async def test_fields_of_a_form_appear_in_each_sample(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/issueToken", viewport=TABLET)
    await page.get_by_label("scope form field").fill("argus:epcr:read argus:jobs:read")
    await expect(page.locator('code[data-language="curl"]')).to_contain_text("client_secret=<client-secret>")
    await page.get_by_label("client_secret form field").fill("it's & <mine>")
    for language, texts in (
        ("curl", ("client_secret=it%27s+%26+%3Cmine%3E", "scope=argus:epcr:read+argus:jobs:read")),
        ("python", ('"client_secret": "it\'s & <mine>"', '"scope": "argus:epcr:read argus:jobs:read"')),
        ("typescript", ('"client_secret": "it\'s & <mine>"', '"scope": "argus:epcr:read argus:jobs:read"')),
    ):
        sample = await page.locator(f'code[data-language="{language}"]').text_content() or ""
        assert [text for text in ("client_credentials", *texts) if text not in sample] == []
    await page.close()


async def test_headers_of_the_reader_appear_in_each_sample(browser: Browser, docs: str) -> None:
    page = await browser.new_page(viewport=TABLET)
    for operation, header, value, expected in (
        (
            "enqueueJob",
            "Idempotency-Key",
            "import-7",
            ('-H "Idempotency-Key: import-7"', 'idempotency_key="import-7"', 'idempotencyKey: "import-7"'),
        ),
        (
            "updateWebhook",
            "If-Match",
            '"3f2a"',
            (
                '-H "If-Match: \\"3f2a\\""',
                'headers={"If-Match": "\\"3f2a\\""}',
                'headers: { "If-Match": "\\"3f2a\\"" }',
            ),
        ),
    ):
        await page.goto(f"{docs}/en/docs/api-reference/{operation}")
        samples = [page.locator(f'code[data-language="{name}"]') for name in ("curl", "python", "typescript")]
        before = [await sample.text_content() or "" for sample in samples]
        field = page.get_by_label(f"{header} header")
        await field.fill(value)
        for sample, text in zip(samples, expected, strict=True):
            assert text in (await sample.text_content() or ""), text
        await field.fill('"$(id)"')
        await expect(page.locator(".wrong:visible")).to_have_count(1)
        await field.fill("")
        assert [await sample.text_content() or "" for sample in samples] == before
    await page.close()


async def test_invalid_values_are_reported_and_leave_the_samples_as_they_were(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/enqueueJob", viewport=TABLET)
    before = await page.locator('code[data-language="curl"]').inner_text()
    for label, value, message in (
        ("Base URL", "javascript:alert(1)", "Not an address"),
        ("Base URL", "https://a$(id).example", "Not an address"),
        ("Access token", 'x" --evil "', "A token has no spaces"),
        ("Body (JSON)", "{", "Not valid JSON"),
        ("Body (JSON)", '{"kind": "a", "payload": {"id": [9007199254740993]}}', "an integer beyond"),
    ):
        await page.get_by_label(label).fill(value)
        await expect(page.get_by_text(message)).to_be_visible()
        assert await page.locator('code[data-language="curl"]').inner_text() == before
    await page.close()


async def test_body_that_was_not_changed_is_composed_as_the_server_wrote_it(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/createApp", viewport=TABLET)
    read = "() => [...document.querySelectorAll('code[data-language]')].map((e) => e.textContent)"
    before = await page.evaluate(read)
    body = page.get_by_label("Body (JSON)")
    await body.fill("{}")
    assert await page.evaluate(read) != before
    await body.fill(await body.evaluate("(e) => e.defaultValue"))
    assert await page.evaluate(read) == before
    await page.close()


async def test_search_shows_results_while_typing_and_escape_closes_them(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/pl/docs", viewport=PHONE)
    field = page.get_by_role("searchbox")
    await field.press_sequentially("zadani")
    results = page.locator(".found a")
    await expect(results.first).to_have_attribute("href", "/pl/docs/guides/jobs")
    assert await violations(page) == []
    await field.press("Escape")
    await expect(page.locator(".found")).to_be_hidden()
    held: asyncio.Queue[Route] = asyncio.Queue()
    await page.route("**/docs/search?*", held.put_nowait)
    await field.press_sequentially("e")
    route = await held.get()
    await field.press("Escape")
    # The page does not read the late response, so the browser may keep it unfinished.
    async with page.expect_response("**/docs/search?*"):
        await route.continue_()
    await page.evaluate("new Promise((done) => setTimeout(done))")
    await expect(page.locator(".found")).to_be_hidden()
    await page.close()


SCROLLED = """new Promise((done) => {
  const look = () => (document.querySelector("pre").scrollLeft > 0 ? done() : requestAnimationFrame(look));
  look();
})"""
SAMPLE = 'document.querySelector("details.sample code").textContent'
ABSENT = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"
FORBIDDEN = "navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
COPIED = """document.addEventListener('copy', () => { window.copied = getSelection().toString(); })"""


@pytest.mark.parametrize("clipboard", ["", ABSENT, FORBIDDEN], ids=["present", "absent", "forbidden"])
async def test_copy_button_copies_the_sample_with_and_without_the_clipboard_of_a_secure_page(
    browser: Browser, docs: str, clipboard: str
) -> None:
    context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await page.add_init_script(clipboard or "0")
    await page.add_init_script(COPIED)
    await page.clock.install()
    await page.goto(docs + "/en/docs/api-reference/listDevices")
    await stop_clock(page)  # the button states the copy for four seconds
    await page.get_by_role("button", name="Copy").first.click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = await page.evaluate("window.copied" if clipboard else "navigator.clipboard.readText()")
    assert copied.strip() == (await page.evaluate(SAMPLE)).strip()
    await context.close()


async def test_copy_button_says_so_if_the_browser_copies_nothing_and_leaves_the_sample_selected(
    browser: Browser, docs: str
) -> None:
    page = await browser.new_page()
    await page.add_init_script(f"{ABSENT}; document.execCommand = () => false")
    await page.clock.install()
    await page.goto(docs + "/pl/docs/api-reference/listDevices")
    await stop_clock(page)
    await page.get_by_role("button", name="Kopiuj").first.press("Enter")
    await expect(page.get_by_role("button", name="naciśnij Ctrl+C")).to_be_visible()
    selected = await page.evaluate("getSelection().toString()")
    assert selected.strip() == (await page.evaluate(SAMPLE)).strip()
    await page.close()


async def press_tab_until(page: Page, wanted: Locator) -> None:
    """Press Tab until an element of a loaded page has the focus; fail after a whole page."""
    await page.wait_for_load_state()
    for _ in range(150):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError(f"Tab does not reach {wanted}")


async def test_keyboard_alone_opens_a_guide_from_the_home_page_and_changes_its_language(
    browser: Browser, docs: str
) -> None:
    page = await open_page(browser, docs + "/en/docs", viewport=PHONE)
    await press_tab_until(page, page.locator("a.start"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("First call")
    await press_tab_until(page, page.locator("a.language"))
    await page.keyboard.press("Enter")
    await expect(page.locator("html")).to_have_attribute("lang", "pl")
    await press_tab_until(page, page.locator("a.menu"))
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.locator("nav a").first).to_be_focused()
    await page.close()


async def test_keyboard_alone_scrolls_a_wide_block_of_a_guide(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/guides/first-call", viewport=PHONE)
    block = page.locator("pre").first
    await press_tab_until(page, block)
    await page.keyboard.press("ArrowRight")
    await page.evaluate(SCROLLED)
    await page.close()


async def test_keyboard_alone_searches_with_and_without_the_list_of_results(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs", viewport=TABLET)
    field = page.get_by_role("searchbox")
    await press_tab_until(page, field)
    await page.keyboard.type("webhooks")
    await expect(page.locator(".found a").first).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Search")
    await press_tab_until(page, page.get_by_role("main").get_by_role("link", name="Webhooks", exact=True))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Webhooks")
    await press_tab_until(page, field)
    await page.keyboard.type("idempotency")
    await expect(page.locator(".found a").first).to_be_visible()
    await press_tab_until(page, page.locator(".found a").first)
    await page.keyboard.press("Escape")
    await expect(page.locator(".found")).to_be_hidden()
    await expect(field).to_be_focused()
    await page.keyboard.type(" ")
    await expect(page.locator(".found a").first).to_be_visible()
    await press_tab_until(page, page.locator(".found a").first)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(docs + "/en/docs/guides/idempotency")
    await page.close()


async def test_optional_headers_appear_in_each_sample_when_they_have_a_value(browser: Browser, docs: str) -> None:
    page = await browser.new_page(viewport=TABLET)  # type: ignore[arg-type]
    etag, tenant = '"3f2a"', "tnt_1"
    for operation, header, value, expected in (
        (
            "inspectWebhook",
            "If-None-Match",
            etag,
            (
                '-H "If-None-Match: \\"3f2a\\""',
                ', headers={"If-None-Match": "\\"3f2a\\""})',
                'headers: { "If-None-Match": "\\"3f2a\\"" }',
            ),
        ),
        (
            "getOpenApiJson",
            "If-None-Match",
            etag,
            ('-H "If-None-Match: ', "print(response.status_code", ', {\n  headers: { "If-None-Match": '),
        ),
        (
            "executeGraphql",
            "X-Tenant-ID",
            tenant,
            ('-H "X-Tenant-ID: tnt_1"', 'headers={"X-Tenant-ID": "tnt_1"},', 'headers: { "X-Tenant-ID": "tnt_1" },'),
        ),
    ):
        await page.goto(f"{docs}/en/docs/api-reference/{operation}")
        samples = [page.locator(f'code[data-language="{name}"]') for name in ("curl", "python", "typescript")]
        before = [await sample.text_content() or "" for sample in samples]
        assert not any(header in text for text in before)
        field = page.get_by_label(f"{header} header")
        await field.fill(value)
        texts = [await sample.text_content() or "" for sample in samples]
        for text, part in zip(texts, expected, strict=True):
            assert part in text, text
        compile(texts[1], "sample", "exec")
        await field.fill("$(id) x")
        await expect(page.locator(".wrong:visible")).to_have_count(1)
        await field.fill("")
        assert [await sample.text_content() or "" for sample in samples] == before
    await page.close()
