"""A share link opens the hand-over of one encounter, until it is revoked or expires, and each view is recorded."""

import re
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from cloud.clinical.epcr import Encounters
from cloud.clinical.handover.announcing import HandoverAnnouncer
from cloud.clinical.handover.links import PENDING_MAX, STATEMENTS_MAX, ShareLinks
from cloud.clinical.handover.model import LinkPeriod
from cloud.clinical.handover.tables import share_links
from cloud.clinical.handover.views import AWAY_S
from cloud.foundation.arrivals import WantedDevices
from cloud.foundation.db import Database
from cloud.foundation.http import Host
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import Action
from protocols.epcr.handover.twelve_lead import TWELVE_LEAD
from protocols.epcr.seal import GATEWAY_AUTHOR, chain_end, seal_value
from protocols.epcr.sharing import LINKS_MAX
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation, SampleArray, SampleFormat
from tests.builders.care_changes import ANNA, change
from tests.builders.evidence import operations_on
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, GatewayInVehicle
from tests.builders.share_links import LINK, TOKEN, SharedCall, shared_call
from tests.builders.waveforms import block, waves

HOUR_US = 3_600_000_000
OTHER = "0zyxwvutsrqponmlkjihgfedcba"
AT_DESTINATION = "times.at_destination"


@pytest.fixture
async def call(database: Database) -> AsyncIterator[SharedCall]:
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    async with shared_call(cloud, gateway) as found:
        yield found


def pass_time(call: SharedCall, *, us: int) -> None:
    call.cloud.clock.at_us += us
    call.gateway.now_us += us


async def announce(call: SharedCall) -> int:
    announcer = HandoverAnnouncer(call.cloud.clock, call.cloud.ids, LinkPeriod(24, 72))
    async with call.cloud.database.transaction() as tx:
        return await announcer.announce_next(tx, call.cloud.clock.now_us())


async def ready(call: SharedCall) -> list[dict[str, Any]]:
    return [payload for name, payload in await call.cloud.events() if name == "epcr.handover.ready"]


async def test_link_opens_the_identified_hand_over_with_values_of_devices(call: SharedCall):
    await call.send(call.stated("patient.last_name", "Żółć"), call.shared())
    answer = await call.view()
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert not document["arrived"]
    assert "Żółć" in document["html"]
    assert "SpO₂" in document["html"]
    assert "93" in document["html"]
    assert "Preliminary, not signed" in document["html"]
    assert "PDF" not in document["html"]


async def test_page_has_no_data_and_is_neither_kept_nor_indexed_nor_named_in_a_referer(call: SharedCall):
    await call.send(call.stated("patient.last_name", "Żółć"), call.shared())
    page = await call.client.get(call.served.url("/h", Host.DOCS), headers={"Accept-Language": "de-AT,en;q=0.5"})
    assert page.status_code == 200
    assert 'lang="de"' in page.text
    assert "Żółć" not in page.text
    for answer in (page, await call.view()):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer.headers["X-Robots-Tag"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


async def test_renewed_hand_over_shows_what_the_vehicle_has_sent_meanwhile(call: SharedCall):
    await call.send(call.shared())
    await call.view()
    pass_time(call, us=10_000_000)
    await call.cloud.take(call.gateway.send(71.0))
    await call.send(
        call.stated("patient.last_name", "Żółć"),
        call.stated(Annotation.ARRIVAL, "2026-03-24T12:30:00Z", entry="a1"),
    )
    pass_time(call, us=10_000_000)
    shown = (await call.view()).json()["html"]
    assert "71" in shown
    assert "Żółć" in shown
    assert "Arrival expected" in shown


def ecg(*, lead: str = "II", tall_at_s: int) -> list[Observation]:
    """Return twenty seconds of a lead as blocks of one second: flat at 0 mV, with one sample of 1 mV."""
    array = SampleArray(format=SampleFormat.I16, period_s=0.1, slope=0.001, offset=0.0)
    channel = Channel(
        handle=20, type=code_of(f"MDC_ECG_ELEC_POTL_{lead}"), unit=code_of("MDC_DIM_MILLI_VOLT"), array=array
    )
    blocks = [[0] * 10 for _ in range(20)]
    blocks[tall_at_s][5] = 1_000
    return [block(*samples, at_s=float(second), channel=channel) for second, samples in enumerate(blocks)]


def trace(html: str) -> list[list[float]]:
    """Return the points of the one trace in a hand-over, in mm: it has a point for each of the 100 samples."""
    drawn = [found.split() for found in re.findall(r'<polyline points="([^"]+)"', html)]
    (points,) = [each for each in drawn if len(each) == 100]
    return [[float(part) for part in point.split(",")] for point in points]


async def test_hand_over_shows_the_ten_seconds_of_ecg_that_the_crew_recorded_at_true_scale(call: SharedCall):
    await call.cloud.take(waves(call.gateway, *ecg(tall_at_s=8)))
    pass_time(call, us=30_000_000)
    await call.cloud.take(call.gateway.send(96.0))
    await call.send(
        call.stated("devices.time", "2027-01-15T08:00:03Z", entry="ecg-1"),
        call.stated("devices.event", TWELVE_LEAD, entry="ecg-1"),
        call.shared(),
    )
    html = (await call.view()).json()["html"]
    assert "2027-01-15 08:00:03 · Synthetic Oximeter · 25 mm/s, 10 mm/mV" in html
    points = trace(html)
    ((at, (x, y)),) = [(at, point) for at, point in enumerate(points) if point[1] != points[0][1]]
    assert at == 55
    assert x - points[0][0] == pytest.approx(5.5 * 25)
    assert points[0][1] - y == pytest.approx(10)


async def test_reader_has_only_rows_of_the_devices_of_the_encounter_written(call: SharedCall):
    await call.send(call.shared())
    await call.view()
    assert call.settled == [WantedDevices(OPERATOR.tenant_id, frozenset([OXIMETER.system_id]))]


async def test_hand_over_freezes_at_the_arrival(call: SharedCall):
    await call.send(call.stated("patient.last_name", "Żółć"), call.shared())
    at = "2026-03-24T12:00:00+00:00"
    await call.send(call.stated(AT_DESTINATION, at, id="arrived"))
    await call.send(call.stated("narrative.text", "written later"))
    shown = (await call.view()).json()
    assert shown["arrived"]
    assert "Arrived" in shown["html"]
    assert "Żółć" in shown["html"]
    assert "written later" not in shown["html"]
    pass_time(call, us=HOUR_US)
    assert (await call.view()).json()["html"] == shown["html"]
    await call.send(call.stated(AT_DESTINATION, None, action=Action.REMOVE, replaces=("arrived",)))
    assert not (await call.view()).json()["arrived"]


async def test_hand_over_is_signed_while_each_log_in_which_the_crew_wrote_is_sealed(call: SharedCall):
    known, call.encounter = call.encounter, "enc_of_crew"
    log = [call.stated("patient.last_name", "Żółć"), call.shared(), call.stated(Annotation.PART_OF, known)]
    value = seal_value("enc_of_crew", len(log), chain_end("enc_of_crew", log), call.gateway.key.sign)
    await call.send(*log, change(Annotation.SEAL, value, encounter="enc_of_crew", author=GATEWAY_AUTHOR))
    await call.send(change(Annotation.JOINED, "enc_of_crew", encounter=known))
    shown = (await call.view()).json()["html"]
    assert "Signed" in shown
    assert "Preliminary" not in shown
    call.encounter = known
    await call.send(call.stated("patient.age", "50"))
    assert "Preliminary, not signed" in (await call.view()).json()["html"]


async def test_guessed_foreign_and_malformed_tokens_are_not_found(call: SharedCall):
    await call.send(call.shared())
    answers = [await call.view(token) for token in (OTHER, "", TOKEN[:-1], "ż" * 27)]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "share_link_unknown")}
    for answer in answers:
        assert OTHER not in answer.text


async def test_token_in_the_address_opens_nothing(call: SharedCall):
    await call.send(call.shared())
    for path in (f"/h/{TOKEN}", f"/h/view/{TOKEN}", f"/h?token={TOKEN}"):
        answer = await call.client.get(call.served.url(path, Host.DOCS))
        assert answer.status_code in (400, 404), path


async def test_link_needs_a_tenant_that_is_entitled_to_identified_hand_overs(call: SharedCall):
    await call.send(call.shared())
    await call.entitle()
    assert (await call.view()).status_code == 404


async def test_link_opens_only_an_encounter_of_its_own_organisation_and_of_level_standard(call: SharedCall):
    await call.send(call.shared())
    async with call.cloud.database.transaction() as tx:
        encounter = await Encounters().find(tx, OPERATOR, call.encounter)
        assert encounter is not None
        await tx.execute(share_links.update().values(organization_id="org_other"))
    assert (await call.view()).status_code == 404


async def test_crew_and_operator_end_a_link(call: SharedCall):
    await call.send(call.shared(), call.shared(OTHER, "share-2"))
    await call.send(call.revoked())
    answer = await call.view()
    assert (answer.status_code, answer.json()["code"]) == (410, "share_link_ended")
    assert (await call.view(OTHER)).status_code == 200
    async with call.cloud.database.transaction() as tx:
        encounter = await Encounters().find(tx, OPERATOR, call.encounter)
        assert encounter is not None
        ended = await ShareLinks().revoke_all(tx, encounter, by="operator", now_us=NOW_US)
    assert list(ended) == ["share-2"]
    assert (await call.view(OTHER)).status_code == 410
    rows = {row.id: row.revoked_by for row in await call.cloud.rows(share_links)}
    assert rows == {LINK: ANNA, "share-2": "operator"}


async def test_repeated_and_late_statements_do_not_open_a_revoked_link(call: SharedCall):
    await call.send(call.shared())
    await call.send(call.revoked())
    await call.send(call.shared())
    assert (await call.view()).status_code == 410


async def test_revocation_that_arrives_before_its_link_ends_it(call: SharedCall):
    link = call.gateway.send_changes(call.shared())
    await call.send(call.revoked())
    await call.cloud.take(link)
    assert (await call.view()).status_code == 410
    (row,) = await call.cloud.rows(share_links)
    assert row.revoked_by == ANNA


async def test_link_expires_a_day_after_the_arrival_and_after_three_days_in_any_case(call: SharedCall):
    await call.send(call.shared())
    pass_time(call, us=50 * HOUR_US)
    assert (await call.view()).status_code == 200
    pass_time(call, us=22 * HOUR_US)
    assert (await call.view()).status_code == 410


async def test_link_expires_a_day_after_the_arrival(call: SharedCall):
    await call.send(call.shared())
    pass_time(call, us=10 * HOUR_US)
    await call.send(call.stated(AT_DESTINATION, "2026-03-24T12:00:00+00:00"))
    pass_time(call, us=24 * HOUR_US - 1)
    assert (await call.view()).status_code == 200
    pass_time(call, us=1)
    assert (await call.view()).status_code == 410


async def test_link_expires_a_day_after_the_arrival_that_a_joined_report_states(call: SharedCall):
    report = "enc_of_crew"
    await call.send(call.shared(), call.stated(Annotation.JOINED, report))
    part = change(Annotation.PART_OF, call.encounter, encounter=report)
    await call.send(part, change(AT_DESTINATION, "2026-03-24T12:00:00+00:00", encounter=report))
    pass_time(call, us=24 * HOUR_US - 1)
    assert (await call.view()).status_code == 200
    pass_time(call, us=1)
    assert (await call.view()).status_code == 410


async def test_encounter_has_a_limited_number_of_links(call: SharedCall):
    await call.send(*(call.shared(f"{number:027}", f"share-{number}") for number in range(LINKS_MAX + 2)))
    assert len(await call.cloud.rows(share_links)) == LINKS_MAX


async def test_statements_beyond_those_of_an_encounter_in_one_batch_are_left_out(call: SharedCall):
    revocations = (call.revoked(f"share-{number}") for number in range(STATEMENTS_MAX))
    await call.send(*revocations, call.shared())
    assert not await call.cloud.rows(share_links)
    await call.send(call.shared())
    assert (await call.view()).status_code == 200


async def test_links_of_another_organisation_neither_fill_an_encounter_nor_stop_its_announcement(call: SharedCall):
    await call.send(*(call.shared(f"{number:027}", f"share-{number}") for number in range(LINKS_MAX)))
    async with call.cloud.database.transaction() as tx:
        await tx.execute(share_links.update().values(organization_id="org_other"))
    assert await announce(call) == LINKS_MAX
    await call.send(call.shared())
    assert (await call.view()).status_code == 200
    assert await announce(call) == 1
    (payload,) = await ready(call)
    assert payload["link_id"] == LINK


async def test_link_made_in_a_report_of_the_crew_opens_from_its_join_on(call: SharedCall):
    known, call.encounter = call.encounter, "enc_of_crew"
    named, link = call.stated("patient.last_name", "Żółć"), call.shared()
    await call.send(named, link, call.stated(Annotation.PART_OF, known))
    assert (await call.view()).status_code == 404
    assert await announce(call) == 0
    await call.send(change(Annotation.JOINED, "enc_of_crew", encounter=known))
    answer = await call.view()
    assert answer.status_code == 200, answer.text
    assert "Żółć" in answer.json()["html"]
    assert await announce(call) == 1
    call.encounter = known
    await call.send(call.shared(OTHER, "share-2"))
    assert await announce(call) == 1
    (payload,) = await ready(call)
    assert payload["encounter_id"] == known
    (entry,) = await call.audited("handover.link_viewed")
    assert entry.metadata["encounter"] == known
    async with call.cloud.database.transaction() as tx:
        encounter = await Encounters().find(tx, OPERATOR, known)
        assert encounter is not None
        assert {one.id for one in await ShareLinks().of_encounter(tx, encounter)} == {LINK, "share-2"}
    call.encounter = "enc_of_crew"
    await call.send(call.revoked())
    assert (await call.view()).status_code == 410


async def test_links_of_invented_encounters_are_limited_for_each_vehicle(call: SharedCall):
    known = call.encounter
    await call.send(call.shared(OTHER, "share-known"))
    for number in range(PENDING_MAX + 2):
        call.encounter = f"enc_{number}"
        await call.send(call.shared(f"{number:027}", f"share-{number:02}"))
        pass_time(call, us=1)
    left = {row.id for row in await call.cloud.rows(share_links)}
    assert left == {"share-known", *(f"share-{number:02}" for number in range(2, PENDING_MAX + 2))}
    call.encounter = known
    assert (await call.view(OTHER)).status_code == 200


async def test_each_view_is_audited_with_its_address_and_polls_are_one_view(call: SharedCall):
    await call.send(call.shared())
    for _ in range(3):
        await call.view()
        pass_time(call, us=10_000_000)
    (entry,) = await call.audited("handover.link_viewed")
    assert (entry.actor, entry.object) == (f"link:{LINK}", LINK)
    assert entry.metadata == {"encounter": call.encounter, "address": "127.0.0.1"}
    (reading,) = await call.audited("epcr.identified_read")
    assert (reading.object, reading.metadata) == (call.encounter, {"purpose_of_use": "TREAT", "form": "share_link"})
    pass_time(call, us=round(AWAY_S * 1_000_000) + 1)
    await call.view()
    assert len(await call.audited("handover.link_viewed")) == 2


@pytest.mark.contract("A-123")
async def test_each_view_has_a_record_in_the_evidence_of_the_encounter(call: SharedCall):
    await call.send(call.shared())
    for _ in range(3):
        await call.view()
    await call.view(OTHER)
    operations = await operations_on(call.cloud.database, OPERATOR.tenant_id, call.encounter)
    exported = ("evidence.export", {"purpose_of_use": "TREAT", "form": "share_link"})
    assert [one for one in operations if one[0] == "evidence.export"] == [exported]


async def test_refused_request_is_no_view(call: SharedCall):
    await call.send(call.shared())
    await call.send(call.revoked())
    await call.view()
    await call.view(OTHER)
    assert not await call.audited("handover.link_viewed")


async def test_hand_over_is_announced_once_for_an_encounter(call: SharedCall):
    await call.send(call.shared())
    assert await announce(call) == 1
    await call.send(call.shared(OTHER, "share-2"))
    assert await announce(call) == 1
    assert await announce(call) == 0
    (payload,) = await ready(call)
    assert {name: payload[name] for name in ("encounter_id", "vehicle_id", "link_id")} == {
        "encounter_id": call.encounter,
        "vehicle_id": "veh_test",
        "link_id": LINK,
    }
    assert TOKEN not in orjson.dumps(payload).decode()


async def test_hand_over_of_an_encounter_that_is_not_there_yet_is_announced_later(database: Database):
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    async with shared_call(cloud, gateway) as call:
        known, call.encounter = call.encounter, "enc_later"
        await call.send(call.shared())
        assert await announce(call) == 0
        assert (await call.view()).status_code == 404
        async with database.transaction() as tx:
            await tx.execute(share_links.update().values(encounter_id=known))
        assert await announce(call) == 1


async def test_erased_encounter_has_no_links(call: SharedCall):
    await call.send(call.shared())
    async with call.cloud.database.transaction() as tx:
        await ShareLinks().erase(tx, OPERATOR.tenant_id, call.encounter)
    assert (await call.view()).status_code == 404


async def test_database_has_no_token(call: SharedCall):
    await call.send(call.shared())
    await call.view()
    (row,) = await call.cloud.rows(share_links)
    assert TOKEN not in repr(row)
