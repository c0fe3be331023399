"""Each event in the table of events is published, with the data of its schema, and each published event is in the
table.
"""

import ast
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import orjson
import pytest

from cloud import cli
from cloud.access.apps import NAMES
from cloud.clinical.assignments import AssignmentService
from cloud.clinical.devices import Devices, DeviceSilence, Enrolment
from cloud.clinical.epcr import CareModel, MissionChange, ReceivedChanges
from cloud.clinical.handover.announcing import HandoverAnnouncer
from cloud.clinical.handover.links import ShareLinks
from cloud.clinical.handover.model import LinkPeriod
from cloud.foundation.db import Database
from cloud.foundation.events import EventType
from cloud.foundation.events.event_type import SECRECY
from cloud.foundation.events.tables import outbox_events
from cloud.foundation.http import Host
from cloud.partners.docs.routes import routes
from cloud.partners.webhooks import CallbackQueue, judge_of
from cloud.partners.webhooks.catalogue import EVENTS, message_sample
from cloud.slices import SLICES
from cloud.vehicles.fleet import GatewaySilence
from cloud.vehicles.fleet.access import GatewayAccessDesk
from cloud.vehicles.ingest.missing import MISSING_AFTER_US
from cloud.vehicles.ingest.settings import IngestSection
from cloud.work.jobs.ending import JobEnds
from cloud.work.jobs.model import JobError, JobStatus
from protocols.epcr.annotations import Annotation
from protocols.epcr.encounter import EncounterStatus
from protocols.uplink.envelope import BatchKind
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import BLOCK_OBSERVATIONS_MAX
from protocols.uplink.status import Mark
from tests.builders.care_changes import change
from tests.builders.cloud_people import public_key_text
from tests.builders.http_surface import BASES, surface
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.job_rows import JobRows
from tests.builders.parts import make_parts
from tests.builders.webhook_surface import WebhookSurface, webhook_surface
from tests.cloud.ingest.test_identities import status
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN
from tests.harness.receiver import receiving

CLOUD = Path(cli.__file__).parent


ALL: tuple[EventType, ...] = tuple(event for one in SLICES if one.events for event in one.load(one.events))
BY_NAME: Mapping[str, EventType] = {one.name: one for one in ALL}


def test_each_event_type_is_declared_once_and_listed_in_the_catalogue_if_it_has_a_scope():
    assert len(BY_NAME) == len(ALL)
    declared = {one.package for one in SLICES if one.events}
    assert declared == {".".join(path.parent.relative_to(CLOUD.parent).parts) for path in CLOUD.rglob("event_types.py")}
    assert {one.name for one in ALL if one.scope is not None} == {one.name for one in EVENTS}
    assert {one.scope for one in EVENTS} <= NAMES


@pytest.mark.contract("C-079", "A-059")
def test_event_catalogue_contains_the_core_events_of_the_contract():
    core = {f"incident.{what}" for what in ("created", "updated", "closed")}
    core |= {f"epcr.encounter.{what}" for what in ("created", "updated", "finished")}
    core |= {"device.enrolled", "device.offline", "webhook.test", "webhook.disabled"}
    assert core <= {one.name for one in EVENTS}


def test_sample_of_each_public_event_matches_its_json_schema_and_each_schema_is_valid():
    for one in ALL:
        jsonschema.Draft202012Validator.check_schema(one.schema())
        if one.scope is not None:
            fits(one, one.sample)
        assert all(field["description"] for field in one.fields.values()), one.name


def fits(one: EventType, data: Mapping[str, Any]) -> None:
    """Assert that event data match the schema of this event type and have no field that the schema
    does not describe."""
    jsonschema.validate(data, one.schema(), format_checker=jsonschema.FormatChecker())
    assert set(data) <= set(one.fields), f"{one.name} tells {sorted(set(data) - set(one.fields))} undescribed"


def test_code_emits_events_by_their_declared_type_and_not_by_a_literal_name():
    texts = [(path, path.read_text()) for path in sorted(CLOUD.rglob("*.py"))]
    for path, text in [(path, text) for path, text in texts if "emit(" in text]:  # parsing takes most of the time
        for node in ast.walk(ast.parse(text)):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "emit"
            literal = named and len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
            assert not literal, f"{path}:{node.lineno} emits a name of its own"


async def test_payload_of_each_emitted_event_matches_the_declaration_of_its_type(database: Database):
    async with receiving(always=410) as receiver, webhook_surface(database, receiver) as here:
        await encounters_happen(here)
        await handovers_happen(here)
        await devices_happen(here)
        await webhooks_happen(here, receiver.url())
        await gateways_happen(here)
        await jobs_happen(here)
        told: dict[str, list[dict[str, Any]]] = {}
        async with database.read() as tx:
            for row in await tx.execute(outbox_events.select()):
                told.setdefault(row.type, []).append(orjson.loads(row.payload))
    for name, payloads in told.items():
        one = BY_NAME[name]
        for payload in payloads:
            assert payload.get(SECRECY, "standard") == "standard"
            fits(one, one.public_payload(payload))
    tests = [orjson.loads(request.body) for request in receiver.received if b"webhook.test" in request.body]
    for message in tests:
        fits(BY_NAME["webhook.test"], message["data"])
    assert tests
    assert set(told) | {"webhook.test"} == set(BY_NAME)


async def encounters_happen(here: WebhookSurface) -> None:
    viewer = here.story.home.viewer
    made = [await here.dispatch("cad_1", vehicle_id=vehicle) for vehicle in ("veh_north", None)]
    await here.missions.change(viewer, made[0], MissionChange(care_model=CareModel.EVENT_MEDICAL))
    for encounter_id in made:
        await here.missions.change(viewer, encounter_id, MissionChange(status=EncounterStatus.COMPLETED))


async def handovers_happen(here: WebhookSurface) -> None:
    story = here.story
    link = change(Annotation.SHARE, "a" * 64, entry="share-1", encounter="enc_north")
    received = ReceivedChanges(
        lane_id=1,
        sequence=1,
        tenant_id="tnt_north",
        organization_id="org_north",
        vehicle_id="veh_north",
        gateway_id="gw_north",
        received_at_us=story.clock.now_us(),
        changes=[link],
    )
    async with story.database.transaction() as tx:
        await ShareLinks().take(tx, [received])
        await HandoverAnnouncer(story.clock, story.ids, LinkPeriod(24, 72)).announce_next(tx, story.clock.now_us())


async def devices_happen(here: WebhookSurface) -> None:
    story = here.story
    enrolment, devices = Enrolment(story.database, story.clock, story.ids), Devices(story.ids)
    what = {"device_class": "oximeter", "manufacturer": "Synthetic"}
    enrolled = await enrolment.enrol(story.home.operator, organization_id="org_north", serial_number="SN-1", **what)
    id = enrolled.device.id
    desk = AssignmentService(story.database, story.clock, story.ids)
    other = await here.dispatch("cad_2")
    begun = await desk.assign(story.home.operator, device_id=id, encounter_id="enc_north")
    moved = await desk.move(story.home.operator, begun.id, encounter_id=other)
    story.clock.advance(us=1)
    await desk.close(story.home.operator, moved.id)
    async with story.database.transaction() as tx:
        await devices.heard(tx, "tnt_north", id, story.clock.now_us())
        assert await DeviceSilence(story.ids, 0).report(tx, story.clock.now_us()) == 1
    await enrolment.retire(story.home.operator, id)


async def jobs_happen(here: WebhookSurface) -> None:
    story = here.story
    rows = JobRows(story.database, story.clock)
    ends = JobEnds(story.outbox, CallbackQueue(story.clock, story.ids, judge_of(make_parts())))
    for end in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED):
        (job_id,) = await rows.enqueue(1, tenant_id="tnt_north", kind="graph.compute")
        error = JobError("source_unavailable", "The source did not respond.", True)
        leased = await rows.claim_one("tnt_north")
        await rows.settle(leased, end, error=error if end is JobStatus.FAILED else None)
        async with story.database.transaction() as tx:
            await ends.report(tx, [await rows.find(job_id, "tnt_north")])


async def webhooks_happen(here: WebhookSurface, url: str) -> None:
    made = await here.create("incident.created", url=url)
    await here.create(url=url)
    await here.ask("POST", f"/{made['id']}/test")
    await here.dispatch("cad_3")
    await here.story.turn()


async def gateways_happen(here: WebhookSurface) -> None:
    """Cause every event about gateways to be published."""
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(here.story.database).register(gateway)
    first, second, third = gateway.many(3)
    broken = gateway.signed(replace(second.batch, previous_hash=bytes(32)))
    await cloud.take(first, broken, second, third)
    await cloud.take(gateway.send_raw(BatchKind.EVENT, b"{}"))
    await cloud.take(GatewayInVehicle(key_seed=9).send())
    await cloud.take(cloud.handover.status_delivery(status()))
    await quotas_happen(cloud, gateway)
    async with here.story.database.transaction() as tx:
        cloud.clock.at_us += 1
        assert await GatewaySilence(cloud.ids, 0).report(tx, cloud.clock.now_us()) == 1
    desk = GatewayAccessDesk(here.story.database, here.story.clock, here.story.ids)
    await desk.suspend(OPERATOR, gateway.gateway, "in the workshop")
    await desk.resume(OPERATOR, gateway.gateway)
    await desk.replace_key(OPERATOR, gateway.gateway, public_key_text(3), "new box")
    await desk.revoke(OPERATOR, gateway.gateway, "stolen")


async def quotas_happen(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    """Exceed a gateway's quota and let it refill, send a batch above a limit, and report batches lost in transit."""
    cloud.book.settings = IngestSection.model_construct(rows_burst=1, rows_per_hour=1)
    await cloud.take(gateway.send())
    cloud.book.settings = IngestSection()
    cloud.clock.at_us += 24 * 3_600_000_000
    assert await cloud.take_up() == 1
    too_many = BLOCK_OBSERVATIONS_MAX + 1
    await cloud.take(gateway.send_raw(BatchKind.OBSERVATIONS, b"\x01", count=too_many))
    lost = replace(status(), marks={Lane.WAVEFORM: Mark(1, 99, 0, ((50, 60),))})
    for _ in range(2):
        cloud.clock.at_us += MISSING_AFTER_US
        await cloud.take(cloud.handover.status_delivery(lost))


@pytest.mark.contract("C-079", "C-089")
async def test_event_catalogue_is_served_as_an_html_page_and_as_a_json_document():
    async with (
        surface(*routes(make_parts(bases=BASES))) as served,
        httpx.AsyncClient(base_url=served.url("", Host.DOCS), verify=PLAIN, timeout=WITHIN_S) as client,
    ):
        document = (await client.get("/api/docs/events")).json()
        page = (await client.get("/api/docs/events", headers={"Accept": "text/html"})).text
    assert [one["name"] for one in document["events"]] == [one.name for one in EVENTS]
    for shown, one in zip(document["events"], EVENTS, strict=True):
        assert shown["scope"] == one.scope
        assert shown["schema"] == one.schema()
        assert shown["sample"] == orjson.loads(message_sample(one))
        jsonschema.validate(shown["sample"]["data"], shown["schema"])
        assert f'<h2 id="{one.name}">' in page
    assert not [one.name for one in ALL if one.scope is None and one.name in page]
