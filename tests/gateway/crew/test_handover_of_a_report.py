"""Hand-over of a report in the store of a vehicle: the receipt is a change of the record, also after its sign-off."""

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp

from gateway.crew.handover import HandoverParts
from gateway.epcr.handover.bundle import describe_nothing
from gateway.epcr.handover.handovers import Handovers
from gateway.epcr.handover.source import BufferSource
from gateway.epcr.record_writer import RecordWriter
from protocols.clock_anchor import NO_ANCHORS
from tests.builders.buffer_store import new_store, opened
from tests.builders.care_changes import change
from tests.builders.fhir_encounters import KEY
from tests.builders.handovers import handover_parts
from tests.harness.crew_app import PARAMEDIC, PIN, new_crew_app, serving
from tests.harness.moved_clock import MovedClock
from tests.harness.report_tablets import drafts_of

ENCOUNTER = "enc_1"


async def test_receipt_of_a_signed_report_is_stored_and_shown(tmp_path: Path):
    clock, zone = MovedClock(), ZoneInfo("UTC")
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        drafts = drafts_of(buffer, clock)

        async def note(name: str, encounter: str) -> None:
            pass

        parts = HandoverParts(
            handovers=Handovers(
                BufferSource(buffer, lambda: NO_ANCHORS), tenant="ten_test", key=KEY, now_us=clock.wall_us, zone=zone
            ),
            append=RecordWriter(drafts, clock).append,
            describe=describe_nothing,
            note=note,
            zone=zone,
        )
        await drafts.open(ENCOUNTER, author=PARAMEDIC.id, change_ids=[f"c{number}" for number in range(16)])
        app = new_crew_app(clock=clock, members=[PARAMEDIC], handover=parts)
        async with serving(app) as url, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as tablet:
            await tablet.post(f"{url}/sign-in", data={"pin": PIN}, allow_redirects=False)
            form = {"member": PARAMEDIC.id, "pin": PARAMEDIC.pin}
            await tablet.post(f"{url}/sign-in", data=form, allow_redirects=False)
            page = await (await tablet.get(f"{url}/handover/{ENCOUNTER}")).text()
            assert "Preliminary, not signed" in page
            assert await drafts.sign_off(ENCOUNTER, author=PARAMEDIC.id, device_time_us=None) is not None
            reply = await tablet.post(f"{url}/handover/{ENCOUNTER}/received", data={"name": "Ewa Żak"})
            page = await reply.text()
        changes = await buffer.care_changes(ENCOUNTER)
    assert reply.status == 200
    assert "Signed" in page
    assert "Patient received at" in page
    stated = {change.key: change.value for change in changes}
    assert stated["signatures.last_name"] == "Ewa Żak"
    assert "record.addendum" in stated


async def test_joined_mission_is_no_second_hand_over_beside_its_report():
    changes = [
        change("patient.age", "50", encounter=encounter) for encounter in ("enc_call", "enc_report", "enc_other")
    ]
    parts = replace(handover_parts(changes), continued=lambda: {"enc_call": "enc_report", "enc_other": "enc_gone"})
    app = new_crew_app(clock=MovedClock(), members=[PARAMEDIC], handover=parts)
    async with serving(app) as url, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as tablet:
        await tablet.post(f"{url}/sign-in", data={"pin": PIN}, allow_redirects=False)
        form = {"member": PARAMEDIC.id, "pin": PARAMEDIC.pin}
        await tablet.post(f"{url}/sign-in", data=form, allow_redirects=False)
        page = await (await tablet.get(f"{url}/handover")).text()
        assert [name in page for name in ("/handover/enc_call", "/handover/enc_report", "/handover/enc_other")] == [
            False,
            True,
            True,
        ]
        reply = await tablet.get(f"{url}/handover/enc_call", allow_redirects=False)
    assert (reply.status, reply.headers["Location"]) == (303, "/handover/enc_report")
