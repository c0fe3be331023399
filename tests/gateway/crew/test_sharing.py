"""The crew shares a hand-over over the cloud, revokes the link, states the arrival, and stores an ECG snapshot."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from gateway.buffer import Buffer
from gateway.crew.handover import HandoverParts
from gateway.epcr.call_observations import CallObservations
from gateway.epcr.drafts import Drafts
from gateway.epcr.handover.bundle import describe_nothing
from gateway.epcr.handover.handovers import Handovers
from gateway.epcr.handover.source import BufferSource
from gateway.epcr.handover.statements import HandoverStatements, TooManyLinks
from gateway.epcr.record_writer import RecordWriter
from gateway.security.crew_members import CrewMember
from protocols.clock_anchor import NO_ANCHORS
from protocols.epcr.change import FieldChange
from protocols.epcr.handover.arrival import expected_arrival
from protocols.epcr.handover.twelve_lead import TWELVE_LEAD
from protocols.epcr.sharing import LINKS_MAX, open_links, token_hash
from protocols.uplink.lanes import Lane
from tests.builders.buffer_store import acked, new_store, opened
from tests.builders.fhir_encounters import KEY
from tests.builders.missions import CALL, changed, signed
from tests.builders.report_drafts import drafts_of, missions_of
from tests.harness.axe import violations
from tests.harness.browser import TABLET
from tests.harness.crew_app import PARAMEDIC, PIN, new_crew_app, serving
from tests.harness.moved_clock import MovedClock
from tests.harness.report_tablets import STUDENT, Tablet

ENCOUNTER = "enc_1"
HANDOVER = f"/handover/{ENCOUNTER}"
DOCS = "https://docs.example"


@dataclass
class Vehicle:
    """A vehicle with one open report. `notes` are the audited events."""

    url: str
    buffer: Buffer
    drafts: Drafts
    clock: MovedClock
    statements: HandoverStatements
    notes: list[str] = field(default_factory=list)

    async def changes(self) -> list[FieldChange]:
        return list(await self.buffer.care_changes(ENCOUNTER))


@asynccontextmanager
async def vehicle(folder: Path, *, docs_url: str | None = DOCS) -> AsyncIterator[Vehicle]:
    clock, zone = MovedClock(), ZoneInfo("UTC")
    async with opened(new_store(folder), clock=clock) as buffer:
        drafts = drafts_of(buffer, clock)
        found = Vehicle("", buffer, drafts, clock, HandoverStatements(drafts, buffer, clock, docs_url=docs_url))

        async def note(name: str, encounter: str) -> None:
            found.notes.append(name)

        source = BufferSource(buffer, lambda: NO_ANCHORS)
        parts = HandoverParts(
            handovers=Handovers(source, tenant="ten_test", key=KEY, now_us=clock.wall_us, zone=zone),
            append=RecordWriter(drafts, clock).append,
            describe=describe_nothing,
            note=note,
            zone=zone,
            statements=found.statements,
        )
        await drafts.open(ENCOUNTER, author=PARAMEDIC.id, change_ids=[f"c{number}" for number in range(16)])
        app = new_crew_app(
            clock=clock,
            members=[PARAMEDIC, STUDENT],
            handover=parts,
            drafts=drafts,
            observations=CallObservations(buffer, drafts),
        )
        async with serving(app) as url:
            found.url = url
            yield found


@asynccontextmanager
async def tablet_of(vehicle: Vehicle, member: CrewMember = PARAMEDIC) -> AsyncIterator[Tablet]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        tablet = Tablet(session, vehicle.url)
        await tablet.sign_in(member)
        yield tablet


async def post(tablet: Tablet, path: str, **fields: str) -> tuple[int, str]:
    async with tablet.session.post(f"{tablet.url}{path}", data=fields) as reply:
        return reply.status, await reply.text()


def token_in(page: str) -> str:
    found = re.search(rf"{re.escape(DOCS)}/h#([A-Za-z0-9_-]+)<", page)
    assert found is not None, page
    return found[1]


async def test_link_is_shown_as_code_and_text_and_the_log_has_only_its_hash(tmp_path: Path):
    async with vehicle(tmp_path) as here, tablet_of(here) as tablet:
        status, page = await post(tablet, f"{HANDOVER}/share")
        assert status == 200
        token = token_in(page)
        assert "<svg" in page
        (change,) = open_links(await here.changes()).values()
        assert (change.value, change.author) == (token_hash(token), PARAMEDIC.id)
        assert all(token not in repr(each) for each in await here.changes())
        assert "has not sent this link yet" in page
        assert here.notes == ["handover.shared"]


async def test_link_of_a_report_without_a_call_is_stated_to_open_once_the_join_is_sent(tmp_path: Path):
    async with vehicle(tmp_path) as here, tablet_of(here) as tablet:
        missions = missions_of(here.drafts, here.clock)

        async def acknowledge() -> None:
            await here.buffer.acknowledge(acked(here.buffer, Lane.EPCR, here.buffer.marks()[Lane.EPCR].last))

        async def state() -> str:
            async with tablet.session.get(f"{tablet.url}{HANDOVER}/share") as reply:
                found = re.search(r'role="status">([^<]+)<', await reply.text())
            assert found is not None
            return found[1]

        await post(tablet, f"{HANDOVER}/share")
        assert "has not sent this link yet" in await state()
        await acknowledge()
        assert "belongs to no call from dispatch yet" in await state()
        assert await missions.receive(signed(changed(1, expires_at_us=1 << 62)))
        assert "belongs to no call from dispatch yet" in await state()
        await missions.join(CALL.encounter, ENCOUNTER, author=PARAMEDIC.id)
        assert "has not sent this link yet" in await state()
        await acknowledge()
        assert "it can be opened now" in await state()


async def test_second_tap_shows_the_same_link_and_does_not_make_another(tmp_path: Path):
    async with vehicle(tmp_path) as here, tablet_of(here) as tablet:
        _, first = await post(tablet, f"{HANDOVER}/share")
        _, again = await post(tablet, f"{HANDOVER}/share")
        assert token_in(first) == token_in(again)
        assert len(open_links(await here.changes())) == 1


async def test_revoked_link_is_withdrawn_in_the_log_and_shown_no_more(tmp_path: Path):
    async with vehicle(tmp_path) as here, tablet_of(here) as tablet:
        _, first = await post(tablet, f"{HANDOVER}/share")
        status, page = await post(tablet, f"{HANDOVER}/share/revoked")
        assert (status, "Share over the cloud" in page) == (200, True)
        assert not open_links(await here.changes())
        _, second = await post(tablet, f"{HANDOVER}/share")
        assert token_in(first) != token_in(second)
        assert here.notes == ["handover.shared", "handover.share_revoked", "handover.shared"]


async def test_signed_report_is_shared_by_an_addendum(tmp_path: Path):
    async with vehicle(tmp_path) as here, tablet_of(here) as tablet:
        await here.drafts.sign_off(ENCOUNTER, author=PARAMEDIC.id, device_time_us=None)
        status, _ = await post(tablet, f"{HANDOVER}/share")
        assert status == 200
        keys = [str(change.key) for change in await here.changes()][-3:]
        assert keys == ["record.addendum", "record.share", "record.seal"]


async def test_arrival_is_stated_with_one_tap_and_shown_with_its_age(tmp_path: Path):
    async with vehicle(tmp_path) as here, tablet_of(here) as tablet:
        status, page = await post(tablet, f"{HANDOVER}/arrival", minutes="10")
        assert (status, "Arrival expected" in page) == (200, True)
        found = expected_arrival(await here.changes())
        assert found is not None
        assert found.at_us - here.clock.wall_us() == 600_000_000
        for wrong in ("", "-1", "601", "1.5", "ten"):
            assert (await post(tablet, f"{HANDOVER}/arrival", minutes=wrong))[0] == 400


async def test_vehicle_without_an_address_of_the_cloud_offers_no_link(tmp_path: Path):
    async with vehicle(tmp_path, docs_url=None) as here, tablet_of(here) as tablet:
        assert "Share over the cloud" not in str((await tablet.get(HANDOVER)).body)
        assert (await post(tablet, f"{HANDOVER}/share"))[0] == 404


async def test_role_without_hand_over_shares_nothing(tmp_path: Path):
    async with vehicle(tmp_path) as here, tablet_of(here, STUDENT) as tablet:
        for path in ("share", "share/revoked", "arrival"):
            assert (await post(tablet, f"{HANDOVER}/{path}", minutes="5"))[0] == 403
        assert not open_links(await here.changes())


async def test_unknown_encounter_and_too_many_links_are_refused(tmp_path: Path):
    async with vehicle(tmp_path) as here, tablet_of(here) as tablet:
        assert (await post(tablet, "/handover/enc_none/share"))[0] == 404
        for _ in range(LINKS_MAX):
            await here.statements.share(ENCOUNTER, author=PARAMEDIC.id, reason="shared")
        with pytest.raises(TooManyLinks):
            await here.statements.share(ENCOUNTER, author=PARAMEDIC.id, reason="shared")
        await here.statements.revoke(ENCOUNTER, author=PARAMEDIC.id, reason="revoked")
        assert (await post(tablet, f"{HANDOVER}/share"))[0] == 409


async def test_snapshot_of_the_twelve_leads_is_an_event_of_the_open_report(tmp_path: Path):
    async with vehicle(tmp_path) as here, tablet_of(here) as tablet:
        reply = await tablet.post("/snapshot", {})
        assert (reply.status, reply.body) == (200, {"stored": True, "encounter": ENCOUNTER})
        stated = {change.key: change.value for change in (await here.changes())[-2:]}
        assert stated["devices.event"] == TWELVE_LEAD
        assert stated["devices.time"] is not None
        await here.drafts.sign_off(ENCOUNTER, author=PARAMEDIC.id, device_time_us=None)
        reply = await tablet.post("/snapshot", {})
        assert (reply.status, reply.body["stored"]) == (409, False)


async def test_snapshot_belongs_to_the_report_that_the_devices_measure_for(tmp_path: Path):
    async with vehicle(tmp_path) as here, tablet_of(here) as tablet:
        await here.drafts.open("enc_2", author=PARAMEDIC.id, change_ids=[f"other-{number}" for number in range(16)])
        reply = await tablet.post("/snapshot", {})
        assert (reply.status, reply.body) == (200, {"stored": True, "encounter": ENCOUNTER})


async def test_token_is_in_no_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    async with vehicle(tmp_path) as here, tablet_of(here) as tablet:
        token = token_in((await post(tablet, f"{HANDOVER}/share"))[1])
        await tablet.get(f"{HANDOVER}/share")
    captured = capsys.readouterr()
    assert token not in captured.out + captured.err


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_pages_of_the_share_link_are_accessible_and_their_targets_large(browser: Browser, tmp_path: Path):
    async with vehicle(tmp_path) as here:
        crew = await browser.new_context(viewport=TABLET, reduced_motion="reduce", locale="en")  # type: ignore[arg-type]
        await crew.request.post(f"{here.url}/sign-in", form={"pin": PIN})
        await crew.request.post(f"{here.url}/sign-in", form={"member": PARAMEDIC.id, "pin": PARAMEDIC.pin})
        page = await crew.new_page()
        noted: list[str] = []
        page.on("console", lambda message: noted.append(message.text))
        await page.goto(f"{here.url}{HANDOVER}")
        await page.get_by_role("button", name="15 min").click()
        await expect(page.get_by_text("Arrival expected")).to_be_visible()
        assert await violations(page) == []
        await page.get_by_role("button", name="Share over the cloud").click()
        await expect(page.locator(".qr svg")).to_be_visible()
        assert await violations(page) == []
        await page.get_by_role("link", name="Back to the hand-over").click()
        await expect(page.get_by_role("button", name="15 min")).to_be_visible()
        for button in await page.get_by_role("button").all():
            box = await button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 48, await button.inner_text()
        assert noted == []
        await crew.close()
