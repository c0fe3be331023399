"""The hand-over's pages: a code for one reader, before signing and without a PIN, and the receipt of the patient."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from gateway.buffer import StoreFull
from gateway.buffer.reading import CareRecordSpan
from gateway.crew.handover import READER_COOKIE, READING, HandoverParts
from gateway.epcr.handover.codes import (
    ALPHABET,
    CODE_S,
    CODES_MAX,
    READ_S,
    WRONG_MAX,
    WRONG_S,
    HandoverCodes,
    Opened,
    Refused,
)
from gateway.security.crew_members import CrewMember
from protocols.epcr.change import FieldChange
from protocols.epcr.crew_role import CrewRole
from tests.builders.care_changes import ENCOUNTER, change
from tests.builders.fhir_encounters import observed
from tests.builders.handovers import NOW_US, ListedSource, chest_pain, handover_parts, numerics, twelve_leads
from tests.harness.axe import violations
from tests.harness.browser import PHONE, TABLET
from tests.harness.crew_app import PARAMEDIC, PIN, new_crew_app, serving
from tests.harness.moved_clock import MovedClock

CREW = f"/handover/{ENCOUNTER}"
DRIVER = CrewMember(id="usr_18", name="Piotr", role=CrewRole.DRIVER, pin="180018")


# ---- codes


def opened(codes: HandoverCodes, code: str, address: str = "10.0.0.9") -> str:
    found = codes.open(code, address)
    assert isinstance(found, Opened), found
    return found.token


def test_code_opens_the_hand_over_for_one_reader_only():
    codes = HandoverCodes(MovedClock())
    issued = codes.issue(ENCOUNTER)
    assert re.fullmatch(rf"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", issued.code)
    assert codes.has_code(ENCOUNTER)
    token = opened(codes, issued.code)
    assert codes.encounter_of(token) == ENCOUNTER
    assert codes.opened_us(ENCOUNTER) is not None
    assert not codes.has_code(ENCOUNTER)
    assert codes.open(issued.code, "10.0.0.9") == Refused()
    assert codes.encounter_of("another token") is None
    assert codes.is_spent_by(issued.code.lower(), token)
    assert not codes.is_spent_by("0000-0000", token)
    assert not codes.is_spent_by(issued.code, "another token")


def test_typed_code_may_have_small_letters_spaces_and_similar_characters():
    codes = HandoverCodes(MovedClock())
    code = codes.issue(ENCOUNTER).code
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert codes.encounter_of(opened(codes, typed)) == ENCOUNTER


async def test_code_expires_after_ten_minutes_and_a_reader_after_half_an_hour():
    clock = MovedClock()
    codes = HandoverCodes(clock)
    expired = codes.issue(ENCOUNTER).code
    await clock.advance(CODE_S)
    assert codes.open(expired, "10.0.0.9") == Refused()
    token = opened(codes, codes.issue(ENCOUNTER).code)
    await clock.advance(READ_S - 1)
    assert codes.encounter_of(token) == ENCOUNTER
    await clock.advance(1)
    assert codes.encounter_of(token) is None
    assert codes.opened_us(ENCOUNTER) is None


def test_new_code_ends_the_code_and_the_reader_before_it():
    codes = HandoverCodes(MovedClock())
    first = codes.issue(ENCOUNTER).code
    second = codes.issue(ENCOUNTER).code
    assert codes.open(first, "10.0.0.9") == Refused()
    token = opened(codes, second)
    codes.issue(ENCOUNTER)
    assert codes.encounter_of(token) is None


def test_codes_of_two_encounters_stand_beside_each_other_within_a_limit():
    codes = HandoverCodes(MovedClock())
    issued = [codes.issue(f"enc_{number}") for number in range(CODES_MAX + 1)]
    assert codes.open(issued[0].code, "10.0.0.9") == Refused()
    assert codes.encounter_of(opened(codes, issued[1].code)) == "enc_1"


async def test_guessing_address_has_to_wait_and_locks_nobody_else_out():
    clock = MovedClock()
    codes = HandoverCodes(clock)
    code = codes.issue(ENCOUNTER).code
    for _ in range(WRONG_MAX):
        assert codes.open("0000-0000", "10.0.0.66") == Refused()
    assert codes.open(code, "10.0.0.66") == Refused(wait_s=WRONG_S)
    await clock.advance(WRONG_S - 10)
    assert codes.open(code, "10.0.0.66") == Refused(wait_s=10.0)
    assert codes.encounter_of(opened(codes, code, "10.0.0.9")) == ENCOUNTER


# ---- pages


class Stored:
    """The requests to store field changes, and the events. A sealed record takes only addenda."""

    def __init__(self, *, sealed: bool = False) -> None:
        self.requests: list[Mapping[str, Any]] = []
        self.events: list[tuple[str, str]] = []
        self._sealed = sealed

    async def note(self, name: str, encounter: str) -> None:
        self.events.append((name, encounter))

    async def append(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._sealed and request["changes"][0]["key"] != "record.addendum":
            return {"refused": [{"index": None, "code": "sealed", "text": "This report is signed."}]}
        self.requests.append(request)
        return {"stored": [each["id"] for each in request["changes"]]}


@asynccontextmanager
async def tablet(
    stored: Stored | None = None,
    source: ListedSource | None = None,
    *,
    parts: HandoverParts | None = None,
    member: CrewMember = PARAMEDIC,
) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Serve the pages of a call with chest pain; yield their address, and a tablet on which a member signed in."""
    shown = source or ListedSource(chest_pain(), numerics(2))
    stored = stored or Stored()
    parts = parts or handover_parts(source=shown, append=stored.append, note=stored.note)
    app = new_crew_app(members=[member], handover=parts)
    async with serving(app) as url, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await session.post(f"{url}/sign-in", data={"pin": PIN}, allow_redirects=False)
        form = {"member": member.id, "pin": member.pin}
        await session.post(f"{url}/sign-in", data=form, allow_redirects=False)
        yield url, session


def reader() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


async def shown_code(url: str, session: aiohttp.ClientSession) -> str:
    async with session.post(f"{url}{CREW}/code") as reply:
        text = await reply.text()
    assert reply.status == 200
    found = re.search(r'class="letters">([^<]+)<', text)
    assert found is not None
    return found[1]


async def test_check_4_hospital_reads_the_hand_over_by_code_before_it_is_signed_without_a_pin():
    async with tablet() as (url, session), reader() as hospital:
        code = await shown_code(url, session)
        async with hospital.get(f"{url}/h/{code}") as reply:
            page = await reply.text()
        assert (reply.status, reply.url.path) == (200, "/h/view")
        assert "Łucja Żółć" in page
        assert "Preliminary, not signed" in page
        assert code not in page
        assert reply.headers["Cache-Control"] == "no-store"
        async with hospital.get(f"{url}/h/view/bundle") as reply:
            assert (reply.content_type, (await reply.json())["resourceType"]) == ("application/fhir+json", "Bundle")
        async with hospital.get(f"{url}/h/view/pdf") as reply:
            assert (await reply.read()).startswith(b"%PDF-")
        async with hospital.get(f"{url}/h/{code}") as reply:  # the same reader again
            assert reply.url.path == "/h/view"
        async with session.get(f"{url}{CREW}") as reply:
            assert "Opened by a reader at" in await reply.text()


async def test_reader_of_one_patient_who_scans_the_code_of_another_reads_the_other():
    early = [*chest_pain(), change("patient.last_name", "Inny", encounter="enc_other", gateway_time_us=NOW_US)]
    async with tablet(source=ListedSource(early, numerics(2))) as (url, session), reader() as hospital:
        async with session.post(f"{url}/handover/enc_other/code") as reply:
            found = re.search(r'class="letters">([^<]+)<', await reply.text())
        assert found is not None
        async with hospital.get(f"{url}/h/{found[1]}") as reply:
            assert "Inny" in await reply.text()
        async with hospital.get(f"{url}/h/{await shown_code(url, session)}") as reply:
            text = await reply.text()
        assert ("Łucja Żółć" in text, "Inny" in text) == (True, False)


async def test_second_device_cannot_open_the_code_and_reads_nothing():
    async with tablet() as (url, session), reader() as hospital, reader() as stranger:
        code = await shown_code(url, session)
        await hospital.get(f"{url}/h/{code}")
        async with stranger.get(f"{url}/h/{code}") as reply:
            assert (reply.status, "not valid" in await reply.text()) == (403, True)
        for path in ("/h/view", "/h/view/pdf", "/h/view/bundle"):
            async with stranger.get(f"{url}{path}", allow_redirects=False) as reply:
                assert (reply.status, reply.headers["Location"]) == (303, "/h")
        for path in (CREW, "/handover", "/", f"{CREW}/pdf"):
            async with hospital.get(f"{url}{path}", allow_redirects=False) as reply:
                assert reply.status in (303, 401), path


async def test_code_is_typed_on_the_page_of_codes():
    async with tablet() as (url, session), reader() as hospital:
        code = await shown_code(url, session)
        async with hospital.get(f"{url}/h") as reply:
            assert "Code from the crew’s tablet" in await reply.text()
        async with hospital.post(f"{url}/h", data={"code": "wrong"}) as reply:
            assert reply.status == 403
        async with hospital.post(f"{url}/h", data={"code": code.lower()}) as reply:
            assert reply.url.path == "/h/view"


async def test_preview_of_a_link_does_not_spend_the_code():
    async with tablet() as (url, session), reader() as hospital:
        code = await shown_code(url, session)
        headers = {"Sec-Purpose": "prefetch;prerender", "Accept": "text/html"}
        async with hospital.get(f"{url}/h/{code}", headers=headers) as reply:
            assert (reply.status, "preview" in await reply.text()) == (403, True)
        async with hospital.get(f"{url}/h/{code}") as reply:
            assert reply.url.path == "/h/view"


async def test_complaint_in_the_list_cannot_turn_the_words_around_it():
    source = ListedSource([*chest_pain(), change("situation.complaint", "\u202epain\u2066")], numerics(2))
    async with tablet(source=source) as (url, session), session.get(f"{url}/handover") as reply:
        text = await reply.text()
    assert "<bdi>pain</bdi>" in text


async def test_guesses_of_one_address_end_with_a_time_to_wait():
    async with tablet() as (url, _), reader() as stranger:
        statuses = []
        for _ in range(WRONG_MAX + 1):
            async with stranger.get(f"{url}/h/0000-0000") as reply:
                statuses.append(reply.status)
        assert statuses == [403] * WRONG_MAX + [429]


async def test_check_9_receipt_of_the_patient_is_one_tap_with_time_and_author():
    stored = Stored()
    async with (
        tablet(stored=stored) as (url, session),
        session.post(f"{url}{CREW}/received", data={"name": " dr  Ewa Żak "}, allow_redirects=False) as reply,
    ):
        assert (reply.status, reply.headers["Location"]) == (303, CREW)
    (request,) = stored.requests
    assert (request["encounter"], request["author"]) == (ENCOUNTER, PARAMEDIC.id)
    values = {each["key"]: each["value"] for each in request["changes"]}
    assert values["signatures.last_name"] == "dr Ewa Żak"
    assert (values["signatures.signer"], values["signatures.reason"]) == ("4512005", "4513007")
    assert values["times.transfer_of_care"] == values["signatures.time"]


async def test_receipt_after_sign_off_is_an_addendum_with_its_reason():
    stored = Stored(sealed=True)
    async with tablet(stored=stored) as (url, session):
        reply = await session.post(f"{url}{CREW}/received", data={}, allow_redirects=False)
        assert reply.status == 303
    (request,) = stored.requests
    assert (request["changes"][0]["key"], request["changes"][0]["value"]) == ("record.addendum", "Patient received")
    assert request["changes"][-1]["key"] == "times.transfer_of_care"


async def test_second_tap_on_received_records_nothing_more():
    source = ListedSource(chest_pain(), numerics(2))
    stored = Stored()

    async def append(request: Mapping[str, Any]) -> Mapping[str, Any]:
        source.add([change(each["key"], each["value"], entry=each.get("entry")) for each in request["changes"]])
        return await stored.append(request)

    parts = handover_parts(source=source, append=append, note=stored.note)
    async with tablet(parts=parts) as (url, session):
        replies = [await session.post(f"{url}{CREW}/received", data={}, allow_redirects=False) for _ in range(2)]
    assert [each.status for each in replies] == [303, 303]
    assert (len(stored.requests), len(stored.events)) == (1, 1)


async def test_receipt_after_sign_off_needs_a_member_who_may_sign():
    stored = Stored(sealed=True)
    async with (
        tablet(stored=stored, member=DRIVER) as (url, session),
        session.post(f"{url}{CREW}/received", data={}, allow_redirects=False) as reply,
    ):
        assert (reply.status, "may sign" in await reply.text()) == (403, True)
    assert stored.requests == []
    assert stored.events == []


async def test_code_its_opening_and_the_receipt_are_events_for_the_audit():
    stored = Stored()
    async with tablet(stored=stored) as (url, session), reader() as hospital:
        await hospital.get(f"{url}/h/{await shown_code(url, session)}")
        await session.post(f"{url}{CREW}/received", data={})
    names = ("handover.code_issued", "handover.opened", "handover.received")
    assert stored.events == [(name, ENCOUNTER) for name in names]


async def test_reading_of_hand_overs_has_a_rate_for_each_address():
    async with tablet() as (url, session):
        replies = [await session.get(f"{url}/h/view", allow_redirects=False) for _ in range(READING.burst + 1)]
        assert [each.status for each in replies] == [303] * READING.burst + [429]
        assert 1 <= int(replies[-1].headers["Retry-After"]) <= READING.every_s
        other = aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))
        async with aiohttp.ClientSession(connector=other) as hospital:
            assert (await hospital.get(f"{url}/h/view", allow_redirects=False)).status == 303


async def test_check_7_order_is_switched_by_one_tap_and_an_unknown_one_is_refused():
    async with tablet() as (url, session):
        async with session.get(f"{url}{CREW}?order=atmist") as reply:
            assert re.search(r'order=atmist" aria-current="true"', await reply.text())
        async with session.get(f"{url}{CREW}?order=abc") as reply:
            assert reply.status == 400


async def test_unknown_encounter_is_not_found():
    async with tablet() as (url, session):
        for method, path in (
            ("GET", ""),
            ("GET", "/pdf"),
            ("GET", "/bundle"),
            ("POST", "/code"),
            ("POST", "/received"),
        ):
            async with session.request(method, f"{url}/handover/enc_other{path}", allow_redirects=False) as reply:
                assert reply.status == 404, path


async def test_store_that_cannot_be_read_is_reported_as_unavailable():
    class Failing(ListedSource):
        async def care_records(self) -> Sequence[CareRecordSpan]:
            raise StoreFull("no store can be used")

        async def care_changes(self, encounter: str) -> Sequence[FieldChange]:
            raise StoreFull("no store can be used")

    async with tablet(source=Failing([])) as (url, session):
        for method, path in (("GET", "/handover"), ("GET", CREW), ("GET", f"{CREW}/bundle"), ("POST", f"{CREW}/code")):
            async with session.request(method, f"{url}{path}") as reply:
                assert (reply.status, "hand over by voice" in await reply.text()) == (503, True)


async def test_page_takes_the_language_of_the_browser():
    async with tablet() as (url, session), session.get(f"{url}{CREW}", headers={"Accept-Language": "de"}) as reply:
        text = await reply.text()
    assert "Übergabe" in text
    assert "Vorläufig, nicht unterschrieben" in text


async def test_codes_and_tokens_are_in_no_log(capsys: pytest.CaptureFixture[str]):
    async with tablet() as (url, session), reader() as hospital:
        code = await shown_code(url, session)
        await hospital.get(f"{url}/h/{code}")
        cookies = {each.key: each.value for each in hospital.cookie_jar}
        await hospital.get(f"{url}/h/view/pdf")
    captured = capsys.readouterr()
    for secret in (code, cookies[READER_COOKIE], "Łucja", ENCOUNTER):
        assert secret not in captured.out + captured.err


# ---- in a browser


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_check_6_first_screen_is_without_scrolling_and_pages_are_accessible(browser: Browser):
    parts = handover_parts(chest_pain(), [*numerics(5), *twelve_leads()])
    async with serving(new_crew_app(members=[PARAMEDIC], handover=parts)) as url:
        crew = await browser.new_context(viewport=TABLET, reduced_motion="reduce", locale="pl-PL")
        await crew.request.post(f"{url}/sign-in", form={"pin": PIN})
        await crew.request.post(f"{url}/sign-in", form={"member": PARAMEDIC.id, "pin": PARAMEDIC.pin})
        page = await crew.new_page()
        noted: list[str] = []
        page.on("console", lambda message: noted.append(message.text))
        await page.goto(f"{url}/handover")
        listed = page.locator("main li")
        await expect(listed).to_contain_text("Ucisk za mostkiem, promieniuje do lewej ręki · wiek 63 · zmieniono o")
        assert await violations(page) == []
        await page.goto(f"{url}{CREW}")
        assert await violations(page) == []
        bottom = await page.evaluate("document.querySelector('.first').getBoundingClientRect().bottom")
        assert bottom <= TABLET["height"]
        await page.get_by_role("button", name="Pokaż kod").click()
        await page.locator(".qr svg").wait_for()
        assert await violations(page) == []
        size = await page.locator(".qr svg").bounding_box()
        assert size is not None
        # Version 3 has 29 modules, and the border four on each side.
        assert size["width"] >= 8 * (29 + 8)
        code = await page.locator(".letters").inner_text()
        phone = await browser.new_context(viewport=PHONE, reduced_motion="reduce", locale="pl-PL")
        opened_page = await phone.new_page()
        opened_page.on("console", lambda message: noted.append(message.text))
        await opened_page.goto(f"{url}/h")
        assert await violations(opened_page) == []
        await opened_page.get_by_label("Kod z tabletu zespołu").fill(code)
        await opened_page.get_by_role("button", name="Otwórz").click()
        await opened_page.wait_for_url(f"{url}/h/view")
        assert await violations(opened_page) == []
        assert await opened_page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert noted == []
        await crew.close()
        await phone.close()


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_open_page_does_not_turn_into_that_of_another_patient(browser: Browser):
    other = change("patient.last_name", "Inny", encounter="enc_other", gateway_time_us=NOW_US)
    app = new_crew_app(members=[PARAMEDIC], handover=handover_parts([*chest_pain(), other], numerics(1)))
    async with serving(app) as url:
        crew = await browser.new_context()
        await crew.request.post(f"{url}/sign-in", form={"pin": PIN})
        await crew.request.post(f"{url}/sign-in", form={"member": PARAMEDIC.id, "pin": PARAMEDIC.pin})
        phone = await browser.new_context(locale="en")
        pages = [await phone.new_page(), await phone.new_page()]
        await pages[0].clock.install()
        for page, encounter in zip(pages, (ENCOUNTER, "enc_other"), strict=True):
            text = await (await crew.request.post(f"{url}/handover/{encounter}/code")).text()
            code = re.search(r'class="letters">([^<]+)<', text)
            assert code is not None
            await page.goto(f"{url}/h/{code[1]}")
        await expect(pages[1].get_by_text("Inny").first).to_be_visible()
        await pages[0].clock.run_for(60_000)
        await expect(pages[0].get_by_role("alert")).to_contain_text("No contact with the vehicle")
        await expect(pages[0].get_by_text("Łucja Żółć").first).to_be_visible()
        await expect(pages[0].get_by_text("Inny")).to_have_count(0)
        await crew.close()
        await phone.close()


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_open_page_is_renewed_until_the_access_ends_and_states_a_lost_contact(browser: Browser):
    observations = numerics(1)
    app = new_crew_app(members=[PARAMEDIC], handover=handover_parts(chest_pain(), observations))
    async with serving(app) as url:
        crew = await browser.new_context()
        await crew.request.post(f"{url}/sign-in", form={"pin": PIN})
        await crew.request.post(f"{url}/sign-in", form={"member": PARAMEDIC.id, "pin": PARAMEDIC.pin})
        code = re.search(r'class="letters">([^<]+)<', await (await crew.request.post(f"{url}{CREW}/code")).text())
        assert code is not None
        page = await (await browser.new_context(locale="en")).new_page()
        await page.clock.install()
        await page.goto(f"{url}/h/{code[1]}")
        await expect(page.get_by_text("SpO₂ 88→93 %")).to_be_visible()
        observations.append(observed(71.0, at_us=NOW_US, index=9_999))
        await page.clock.run_for(15_000)
        await expect(page.get_by_text("SpO₂ 88→71 %")).to_be_visible()
        await page.context.set_offline(True)
        await page.clock.run_for(60_000)
        await expect(page.get_by_role("alert")).to_contain_text("No contact with the vehicle")
        await page.context.set_offline(False)
        await page.clock.run_for(15_000)
        await expect(page.locator("#lost")).to_be_hidden()
        await crew.request.post(f"{url}{CREW}/code")
        await page.clock.run_for(15_000)
        await expect(page.get_by_label("Code from the crew’s tablet")).to_be_visible()
        await crew.close()
        await page.context.close()
