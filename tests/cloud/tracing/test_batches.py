"""The trace of a vehicle's batch: from the report of a device to the webhook that follows from it."""

import base64
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cloud.foundation.db import Database
from cloud.foundation.events import Outbox, Relay
from cloud.foundation.events.tables import outbox_events
from cloud.foundation.tracing import Span
from cloud.foundation.viewer import Viewer
from cloud.vehicles.ingest.event_types import BATCH_UNREADABLE
from protocols.uplink.envelope import BatchKind, Envelope, traceparent_of
from protocols.uplink.trace_properties import PUBLISHED_AT, TRACEPARENT, read_published_at_us, trace_properties
from tests.builders.cloud_people import HandClock, household
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.builders.trace_desk import trace_desk
from tests.builders.webhook_story import WebhookStory, add_app
from tests.cloud.tracing.test_work import parents
from tests.harness.receiver import receiving


def sent(envelope: Envelope) -> Envelope:
    """Return a batch with the trace context that a gateway gives it."""
    return replace(envelope, traceparent=traceparent_of(envelope.batch.hash))


async def trace_of(cloud: CloudUnderTest, envelope: Envelope) -> Sequence[Span]:
    await cloud.spans.flush()
    async with cloud.database.read() as tx:
        trace_id = traceparent_of(envelope.batch.hash)[3:35]
        found, _ = await cloud.spans.find(tx, Viewer(TENANT, None), trace_id)
    return found


@pytest.fixture
async def gateway() -> GatewayInVehicle:
    return GatewayInVehicle()


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


async def test_trace_of_an_event_goes_from_the_report_over_commit_and_publishing_to_the_ingest(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    event = sent(gateway.send_event())
    published_us = event.batch.created_at_us + 5_000
    await cloud.take(replace(cloud.handover.delivery(event), published_at_us=published_us))
    found = {span.name: span for span in await trace_of(cloud, event)}
    batch = found["vehicle.batch"]
    assert batch.span_id == traceparent_of(event.batch.hash)[36:52]
    assert parents(found.values()) == {
        "vehicle.batch": None,
        "device.report": "vehicle.batch",
        "batch.commit": "vehicle.batch",
        "batch.publish": "vehicle.batch",
        "batch.ingest": "vehicle.batch",
    }
    assert batch.attributes == {
        "service.name": "argus-gateway",
        "argus.gateway.id": "gw_test",
        "argus.lane": "event",
        "argus.batch.kind": "event",
        "argus.batch.sequence": 1,
        "argus.batch.historical": False,
        "messaging.batch.message_count": 1,
    }
    assert found["batch.publish"].started_at_us == published_us
    assert found["batch.commit"].started_at_us == event.batch.created_at_us
    assert found["batch.ingest"].started_at_us == NOW_US
    assert found["batch.ingest"].attributes == {"messaging.system": "mqtt"}


async def test_repeated_batch_and_batch_of_live_observations_are_not_traced(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    first, event = sent(gateway.send()), sent(gateway.send_event())
    await cloud.take(first, event)
    spans = len(await trace_of(cloud, event))
    live = sent(gateway.send())
    await cloud.take(event, live)
    assert len(await trace_of(cloud, event)) == spans == 4
    assert await trace_of(cloud, live) == []


@pytest.mark.contract("C-147")
async def test_observations_that_cause_a_domain_event_are_traced_up_to_its_delivery(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    unreadable = sent(gateway.send_raw(BatchKind.OBSERVATIONS, b"\xff" * 40))
    await cloud.take(unreadable)
    caused = await cloud.rows(outbox_events, outbox_events.c.traceparent == unreadable.traceparent)
    assert caused
    relay = Relay(cloud.database, Outbox(cloud.ids), [], cloud.clock, spans=cloud.spans)
    while await relay.step():
        pass
    found = await trace_of(cloud, unreadable)
    tree = {name: parent for name, parent in parents(found).items() if not name.startswith("db.")}
    assert tree == {
        "vehicle.batch": None,
        "device.report": "vehicle.batch",
        "batch.commit": "vehicle.batch",
        "batch.ingest": "vehicle.batch",
        "event.deliver": "vehicle.batch",
    }
    delivered = {one.attributes["argus.event.id"]: one for one in found if one.name == "event.deliver"}
    assert {id: one.attributes["argus.event.type"] for id, one in delivered.items()} == {
        event.id: event.type for event in caused
    }


@pytest.mark.contract("C-144", "C-147", "A-108")
async def test_trace_of_a_batch_is_read_at_once_from_the_vehicle_to_the_webhook(database: Database) -> None:
    """The relay here turns all domain events into webhooks, also those of ingest, which are for operators only."""
    clock, gateway = HandClock(NOW_US), GatewayInVehicle(gateway="gw_north")
    home = await household(database, clock, public_key=base64.b64encode(gateway.public_key).decode())
    cloud = CloudUnderTest(database)
    async with receiving() as receiver, trace_desk(database, spans=cloud.spans) as desk:
        story = WebhookStory(database, home, clock, [receiver])
        await add_app(story, home)
        story.record_in(cloud.spans)
        await story.subscribe(receiver.url(), BATCH_UNREADABLE)
        batch = sent(gateway.send_raw(BatchKind.OBSERVATIONS, b"\xff" * 40))
        received = cloud.handover.delivery(batch, tenant=home.tenant.id)
        await cloud.take(replace(received, published_at_us=batch.batch.created_at_us))
        await story.turn()
        read = await desk.look_up(traceparent_of(batch.batch.hash)[3:35])
        await story.close()
    names = {span["span_id"]: span["name"] for span in read.document["spans"]}
    found = {span["name"]: span for span in read.document["spans"]}
    attempt = found["webhook.attempt"]
    assert read.document["complete"]
    assert receiver.received[0].headers["traceparent"].split("-")[1:3] == [
        read.document["trace_id"],
        attempt["span_id"],
    ]
    assert attempt["attributes"]["argus.event.type"] == BATCH_UNREADABLE
    assert attempt["attributes"]["http.response.status_code"] == 200
    tree = {name: names.get(span["parent_span_id"]) for name, span in found.items() if not name.startswith("db.")}
    assert tree == {
        "vehicle.batch": None,
        "device.report": "vehicle.batch",
        "batch.commit": "vehicle.batch",
        "batch.publish": "vehicle.batch",
        "batch.ingest": "vehicle.batch",
        "event.deliver": "vehicle.batch",
        "webhook.attempt": "event.deliver",
    }


async def test_trace_of_a_vehicle_with_a_wrong_clock_expires_by_the_clock_of_the_cloud(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    for at_us in (0, NOW_US * 4):
        gateway.now_us = at_us
        event = sent(gateway.send_event())
        await cloud.take(event)
        batch, *_ = [span for span in await trace_of(cloud, event) if span.name == "vehicle.batch"]
        assert (batch.started_at_us, batch.ended_at_us) == (at_us, NOW_US)


@pytest.mark.parametrize("text", ["", "nonsense", "-1", "1.5", "9" * 19, "٣"])
def test_published_time_that_is_no_time_is_ignored(text: str) -> None:
    assert read_published_at_us({PUBLISHED_AT: text}) is None


def test_user_properties_have_the_trace_context_and_the_time_of_publishing() -> None:
    event = GatewayInVehicle().send_event()
    properties = dict(trace_properties(BatchKind.EVENT, event.batch.hash, 17))
    assert properties == {TRACEPARENT: traceparent_of(event.batch.hash), PUBLISHED_AT: "17"}
    assert read_published_at_us(properties) == 17
    assert trace_properties(BatchKind.OBSERVATIONS, event.batch.hash, 17) == ()
