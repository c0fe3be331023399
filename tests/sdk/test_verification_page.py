"""The verification page in Chromium, opened from a file without a network, reports what the published vectors list."""

import asyncio
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, FileChooser, Page, expect

from tests.builders.provenance_vectors import FOLDER as VECTORS
from tests.harness.axe import violations
from tests.harness.browser import PHONE, TABLET
from tests.harness.typescript_sdk import FOLDER, run

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE = FOLDER / "page" / "argus-verify.html"
EXPECTED: dict[str, Any] = json.loads((VECTORS / "expected.json").read_text())
TAMPERED = {name: case for name, case in EXPECTED.items() if name.startswith("tampered-")}
INTACT = VECTORS / "transcripts" / "intact-ml-dsa-65.json"
KEYS = VECTORS / "keys.json"

DROP = """(files) => {
  const dropped = new DataTransfer();
  for (const [name, text] of files) dropped.items.add(new File([text], name));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
}"""


@asynccontextmanager
async def opened(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """Open the page from its file with the network off. At the end, fail if it made a request or logged an error."""
    context = await browser.new_context(**{"locale": "en-GB", "viewport": TABLET, "offline": True, **options})
    page = await context.new_page()
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    try:
        await page.goto(PAGE.as_uri())
        yield page
        assert requests == [PAGE.as_uri()]
        assert errors == []
    finally:
        await context.close()


async def give(page: Page, transcript: Path | None = None, keys: Path | None = None) -> None:
    """Choose files in the two inputs."""
    if keys is not None:
        await page.locator("#keys").set_input_files(keys)
        await expect(page.locator("#keys-file")).to_contain_text(keys.name)
    if transcript is not None:
        await page.locator("#transcript").set_input_files(transcript)
        await expect(page.locator("#transcript-file")).to_contain_text(transcript.name)
    await expect(page.locator("#progress")).to_be_hidden()


async def test_verification_page_is_the_build_of_its_source(tmp_path: Path) -> None:
    run(FOLDER, "node", "tools/page.mjs", tmp_path / "built.html")
    assert (tmp_path / "built.html").read_bytes() == PAGE.read_bytes(), "run npm run page in sdk/typescript"


async def test_verification_page_allows_its_own_script_and_style_and_nothing_else() -> None:
    text = PAGE.read_text()
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)

    def named(tag: str) -> str:
        (content,) = re.findall(f"<{tag}[^>]*>(.*?)</{tag}>", text, re.DOTALL)
        return "sha256-" + b64encode(hashlib.sha256(content.encode()).digest()).decode()

    allowed = f"script-src '{named('script')}'; style-src '{named('style')}'"
    assert policy == [f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"]
    assert re.findall(r'(?:src|href|action)="', text.partition("<script")[0]) == []


@pytest.mark.contract("C-234", "C-235")
async def test_verification_page_reports_an_intact_transcript_with_the_hashes_of_both_files(browser: Browser) -> None:
    async with opened(browser) as page:
        await expect(page.locator("#status")).to_have_text("Choose a transcript to begin.")
        await give(page, INTACT, KEYS)
        await expect(page.locator(".verdict h3")).to_have_text("✓ Intact")
        await expect(page.locator("#status")).to_have_text("Intact")
        for path in (INTACT, KEYS):
            await expect(page.locator("dl")).to_contain_text("sha256:" + hashlib.sha256(path.read_bytes()).hexdigest())
        await expect(page.locator("dl")).to_contain_text("evd_test, as the transcript states")
        await expect(page.locator(".verdict")).to_contain_text("does not show whether the evidence has later records")
        await expect(page.locator(".faults")).to_have_count(0)


@pytest.mark.contract("C-234", "C-235")
async def test_verification_page_names_the_record_and_the_reason_of_each_kind_of_tampering(browser: Browser) -> None:
    assert len(TAMPERED) == 12
    async with opened(browser) as page:
        await give(page, keys=KEYS)
        await page.locator("details.panel summary").click()
        await page.locator("#expected-evidence").fill("evd_test")
        await page.locator("#expected-tenant").fill("tnt_test")
        for name, case in TAMPERED.items():
            await give(page, VECTORS / "transcripts" / name)
            await expect(page.locator("dl")).to_contain_text(name)
            headline = await page.locator(".verdict h3").inner_text()
            assert headline.startswith("✗ Not intact"), name
            found = await page.locator(".faults li").evaluate_all(
                "all => all.map(li => ['strong', 'code'].map(part => li.querySelector(part).textContent))"
            )
            assert found == [[place(link), link["reason"]] for link in case["broken_links"]], name


def place(link: dict[str, Any]) -> str:
    return "Whole transcript" if link["index"] is None else f"Record {link['index'] + 1} ({link['record_id']})"


@pytest.mark.parametrize(
    ("transcript", "keys", "advice"),
    [
        ("intact-ml-dsa-65.json", None, "Add the published keys"),
        ("intact-hmac-sha256.json", "keys.json", "algorithm=ml-dsa-65"),
        ("intact-ml-dsa-65.json", "keys-withdrawn.json", "the key was withdrawn"),
    ],
)
@pytest.mark.contract("C-235")
async def test_verification_page_says_why_a_transcript_is_not_verified(
    browser: Browser, transcript: str, keys: str | None, advice: str
) -> None:
    async with opened(browser) as page:
        await give(page, VECTORS / "transcripts" / transcript, None if keys is None else VECTORS / keys)
        await expect(page.locator(".verdict h3")).to_have_text("? Not verified")
        await expect(page.locator(".verdict")).to_contain_text(advice)


async def test_dropped_files_are_told_apart_and_the_page_is_polish_for_a_polish_browser(browser: Browser) -> None:
    async with opened(browser, locale="pl-PL") as page:
        await page.evaluate(DROP, [["t.json", INTACT.read_text()], ["k.json", KEYS.read_text()]])
        await expect(page.locator(".verdict h3")).to_have_text("✓ Nienaruszony")
        assert await page.evaluate("document.documentElement.lang") == "pl"
        await page.get_by_role("button", name="English").click()
        await expect(page.locator(".verdict h3")).to_have_text("✓ Intact")
        await expect(page).to_have_title("Verify a transcript of evidence – Argus")


async def test_files_may_be_dropped_in_any_order_together_or_one_after_the_other(browser: Browser) -> None:
    transcript, keys = ["t.json", INTACT.read_text()], ["k.json", KEYS.read_text()]
    changed = ["changed.json", (VECTORS / "transcripts" / "tampered-value.json").read_text()]
    for drops, headline in (
        ([[transcript, keys]], "✓ Intact"),
        ([[keys, transcript]], "✓ Intact"),
        ([[transcript], [keys]], "✓ Intact"),
        ([[keys], [transcript]], "✓ Intact"),
        # The last transcript and the last keys count.
        ([[transcript, keys], [changed]], "✗ Not intact"),
        ([[changed, keys], [keys, transcript]], "✓ Intact"),
        ([[transcript], [["withdrawn.json", (VECTORS / "keys-withdrawn.json").read_text()]], [keys]], "✓ Intact"),
    ):
        async with opened(browser) as page:
            for files in drops:
                await page.evaluate(DROP, files)
            await expect(page.locator(".verdict h3")).to_have_text(headline)
            await expect(page.locator("#keys-file")).to_have_text("Chosen: k.json")
            await expect(page.locator("#transcript-file")).to_have_text(
                f"Chosen: {'changed' if headline[0] == '✗' else 't'}.json"
            )


async def test_sentence_about_a_refused_document_is_whole_in_both_languages(browser: Browser, tmp_path: Path) -> None:
    empty, no_json = tmp_path / "empty.json", tmp_path / "no.json"
    empty.write_text("{}")
    no_json.write_text("[")
    async with opened(browser, locale="pl-PL") as page:
        for field, path, reason in (
            ("#keys", empty, "it has no list `keys`"),
            ("#transcript", empty, "records is not a list"),
            ("#transcript", no_json, "it is not JSON (unexpected end at 1)"),
        ):
            kind = {"#keys": "dokumentem z opublikowanymi kluczami", "#transcript": "transkryptem materiału dowodowego"}
            await page.locator(field).set_input_files(path)
            await expect(page.locator("#status")).to_have_text(
                f"Plik „{path.name}” nie jest {kind[field]}. Opis błędu po angielsku: {reason}."
            )
            await expect(page.locator("#status [lang=en]")).to_have_text(reason)
        await page.get_by_text("Wklej klucze jako tekst").click()
        await page.locator("#pasted").fill("{}")
        await page.locator("#pasted").blur()
        await page.get_by_role("button", name="English").click()
        await expect(page.locator("#status")).to_have_text(
            "The pasted text is not a document of published keys: it has no list `keys`."
        )


async def test_keys_can_be_pasted_and_a_file_that_is_no_transcript_is_refused(browser: Browser, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"records": 1}')
    async with opened(browser) as page:
        await page.get_by_text("Paste the keys instead").click()
        await page.locator("#pasted").fill(KEYS.read_text())
        await page.locator("#pasted").blur()
        await expect(page.locator("#keys-file")).to_have_text("Chosen: pasted text")
        await give(page, INTACT)
        await expect(page.locator(".verdict h3")).to_have_text("✓ Intact")
        await give(page, other)
        await expect(page.locator("#status")).to_have_text(
            "The file other.json is not a transcript of evidence: records is not a list."
        )
        await expect(page.locator(".verdict")).to_have_count(0)


async def test_refused_file_leaves_no_result_of_the_file_before_it(browser: Browser) -> None:
    async with opened(browser) as page:
        await page.locator("details.panel summary").click()
        await give(page, INTACT, KEYS)
        await expect(page.locator(".verdict h3")).to_have_text("✓ Intact")
        await page.locator("#keys").set_input_files(INTACT)
        await expect(page.locator("#status")).to_contain_text(
            f"The file {INTACT.name} is not a document of published keys: it has no list `keys`."
        )
        await expect(page.locator("#keys-file")).to_contain_text("No file chosen")
        await page.locator("#expected-evidence").fill("evd_test")
        await page.locator("#expected-evidence").blur()
        await expect(page.locator(".verdict h3")).to_have_text("? Not verified")
        await page.evaluate("() => { Blob.prototype.arrayBuffer = () => Promise.reject(new Error()); }")
        await page.locator("#transcript").set_input_files(VECTORS / "transcripts" / "tampered-value.json")
        await expect(page.locator("#status")).to_have_text("The file tampered-value.json cannot be read.")
        await page.locator("#expected-evidence").fill("")
        await page.locator("#expected-evidence").blur()
        await expect(page.locator("#status")).to_contain_text("tampered-value.json")
        await expect(page.locator(".verdict")).to_have_count(0)


async def test_text_of_a_transcript_is_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    hostile = json.loads(INTACT.read_text())
    hostile["records"][0]["id"] = '<img src="x" onerror="document.title=1">\u202e'
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps(hostile))
    async with opened(browser) as page:
        await give(page, path, KEYS)
        await expect(page.locator(".faults li").first).to_contain_text(
            'Record 1 (<img src="x" onerror="document.title=1">�)'
        )
        assert await page.locator("#result img").count() == 0


async def test_page_is_used_with_the_keyboard_alone(browser: Browser) -> None:
    async with opened(browser) as page:
        # From the start: the key would otherwise overtake the request to intercept the dialog.
        choosers: asyncio.Queue[FileChooser] = asyncio.Queue()
        page.on("filechooser", choosers.put_nowait)
        await tab_to(page, "document.activeElement.id === 'keys'")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await page.keyboard.insert_text(KEYS.read_text())
        await page.keyboard.press("Shift+Tab")
        await expect(page.locator("#keys-file")).to_contain_text("Chosen")
        await tab_to(page, "document.activeElement.id === 'transcript'", key="Shift+Tab")
        outline = "getComputedStyle(document.querySelector('label[for=transcript]')).outlineStyle"
        assert await page.evaluate(outline) == "solid"
        await page.keyboard.press("Enter")
        await (await choosers.get()).set_files(INTACT)
        await expect(page.locator(".verdict h3")).to_have_text("✓ Intact")


async def tab_to(page: Page, condition: str, key: str = "Tab") -> None:
    """Press the key until the condition holds, at most ten times."""
    for _ in range(10):
        await page.keyboard.press(key)
        if await page.evaluate(condition):
            return
    pytest.fail(f"not reached with the keyboard: {condition}")


@pytest.mark.parametrize("locale", ["en-GB", "pl-PL"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, TABLET], ids=["phone", "tablet"])
async def test_verification_page_is_accessible_and_fits_the_screen(
    browser: Browser, viewport: dict[str, int], scheme: str, locale: str
) -> None:
    async with opened(browser, viewport=viewport, color_scheme=scheme, locale=locale) as page:
        await give(page, VECTORS / "transcripts" / "tampered-order.json", KEYS)
        for summary in await page.locator("summary").all():
            await summary.click()
        assert await violations(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
