"""Each subscriber gets every event once, in order for each incident; retries follow the documented schedule."""

import pytest

from cloud.access.audit import Audit
from cloud.foundation.viewer import Actor, SecrecyLevel, Viewer
from cloud.partners.webhooks import DeliveryKind, DeliveryStore, NewDelivery
from tests.builders.cloud_people import household
from tests.builders.parts import sweep_once
from tests.builders.webhook_story import CLOSED, DAY_US, HOUR_US, SECOND_US, UPDATED, add_app
from tests.cloud.webhooks.conftest import Begin
from tests.harness.receiver import hanging, receiving, respond_with


@pytest.mark.contract("C-074", "C-079", "C-089", "A-060")
async def test_delivered_event_contains_its_type_and_timestamp_and_data_and_traceparent(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        event_id = await story.happen("inc_7", state="on_scene")
        assert await story.turn() == 1
        (request,) = receiver.received
        assert request.body == (
            b'{"type":"incident.updated","timestamp":"2026-03-24T12:00:00.000000Z",'
            b'"data":{"incident_id":"inc_7","state":"on_scene"}}'
        )
        assert request.headers["webhook-id"] == event_id
        assert request.headers["content-type"] == "application/json"
        (delivery,) = await story.deliveries(webhook)
        assert request.headers["traceparent"][3:35] == delivery["traceparent"][3:35]
        assert (delivery["status"], delivery["attempts"], delivery["response_status"]) == ("succeeded", 1, 200)
        assert await story.turn() == 0


@pytest.mark.contract("C-078", "C-090", "S-106", "A-013")
async def test_event_is_delivered_only_to_webhooks_of_its_tenant_that_subscribe_to_its_type(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        south = await household(story.database, story.clock, name="south")
        await add_app(story, south)
        await story.subscribe(receiver.url("/north"))
        await story.subscribe(receiver.url("/closed"), CLOSED)
        await story.subscribe(receiver.url("/south"), home=south)
        await story.happen()
        await story.turn()
        assert [request.path for request in receiver.received] == ["/north"]
        await story.happen(home=south)
        await story.turn()
        assert [request.path for request in receiver.received] == ["/north", "/south"]


async def test_event_without_an_organisation_is_delivered_to_webhooks_of_the_whole_tenant(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        await story.subscribe(receiver.url("/organisation"))
        await story.subscribe(receiver.url("/tenant"), whole_tenant=True, clearance=SecrecyLevel.SECRET)
        async with story.database.transaction() as tx:
            await story.outbox.emit(
                tx, UPDATED, Viewer("tnt_north", None), key="k", payload={}, at_us=story.clock.now_us()
            )
        await story.turn()
        assert [request.path for request in receiver.received] == ["/tenant"]


@pytest.mark.contract("A-062", "C-087")
async def test_failed_delivery_is_retried_at_the_documented_times(begin: Begin):
    async with receiving(always=500) as receiver:
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        event_id = await story.happen()
        begun_us = story.clock.now_us()
        await story.turn()
        waits_s = []
        while (delivery := (await story.deliveries(webhook))[0])["due_at_us"] is not None:
            assert (delivery["status"], delivery["error_code"]) == ("failed", "http_status")
            wait_us = delivery["due_at_us"] - story.clock.now_us()
            assert await story.later(us=wait_us - 1) == 0
            assert await story.later(us=1) == 1
            waits_s.append(wait_us // SECOND_US)
        assert waits_s == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
        assert delivery["status"] == "exhausted"
        assert receiver.ids() == [event_id] * 10
        attempts = await story.attempts()
        assert [attempt["number"] for attempt in attempts] == list(range(1, 11))
        assert attempts[-1]["attempted_at_us"] - begun_us == sum(waits_s) * SECOND_US
        timestamps = {request.headers["webhook-timestamp"] for request in receiver.received}
        assert len(timestamps) == 10


@pytest.mark.contract("A-062")
@pytest.mark.parametrize(("chance", "wait_us"), [(0.0, 4 * SECOND_US), (0.75, 5_500_000)])
async def test_retry_intervals_are_randomised_by_a_fifth_in_either_direction(begin: Begin, chance: float, wait_us: int):
    async with receiving(always=500) as receiver:
        story = await begin(receiver, chance=lambda: chance)
        webhook = await story.subscribe(receiver.url())
        await story.happen()
        await story.turn()
        (delivery,) = await story.deliveries(webhook)
        assert delivery["due_at_us"] - story.clock.now_us() == wait_us


@pytest.mark.contract("S-100", "A-062")
@pytest.mark.parametrize(
    ("status", "retry_after", "wait_s"),
    [
        (429, "120", 120),
        (503, "120", 120),
        (503, "Tue, 24 Mar 2026 12:03:00 GMT", 180),
        (429, "1", 5),
        (429, "99999999", 86400),
        (429, "soon", 5),
        (500, "120", 5),
    ],
)
async def test_retry_after_header_of_a_429_or_503_response_delays_the_next_attempt_by_up_to_one_day(
    begin: Begin, status: int, retry_after: str, wait_s: int
):
    async with receiving(always=respond_with(status, Retry_After=retry_after)) as receiver:
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        await story.happen()
        await story.turn()
        (delivery,) = await story.deliveries(webhook)
        assert delivery["due_at_us"] - story.clock.now_us() == wait_s * SECOND_US


@pytest.mark.contract("S-093", "S-100", "C-089")
@pytest.mark.parametrize(
    ("answer", "code", "status"), [(302, "redirect", 302), (404, "http_status", 404), (hanging, "timeout", None)]
)
async def test_delivery_log_contains_the_reason_of_each_failed_attempt(
    begin: Begin, answer, code: str, status: int | None
):
    async with receiving(always=answer) as receiver:
        story = await begin(receiver, hopeless=receiver if answer is hanging else None)
        webhook = await story.subscribe(receiver.url())
        await story.happen()
        await story.turn()
        (delivery,) = await story.deliveries(webhook)
        assert (delivery["status"], delivery["error_code"], delivery["response_status"]) == ("failed", code, status)


@pytest.mark.contract("S-091", "S-092")
@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "https://localhost:{}/", "https://rebind.example:{}/"])
async def test_delivery_to_an_internal_address_is_blocked_without_a_connection(begin: Begin, url: str):
    async with receiving() as inside:
        story = await begin()
        story.names._answers["rebind.example"] = [["127.0.0.1"]]
        webhook = await story.subscribe(url.format(inside.port))
        await story.happen()
        await story.turn()
        (delivery,) = await story.deliveries(webhook)
        assert (delivery["status"], delivery["error_code"]) == ("failed", "blocked_address")
        assert inside.connections == 0


@pytest.mark.contract("S-100", "S-101", "A-062")
async def test_webhook_whose_receiver_returns_410_is_disabled_and_other_webhooks_are_notified(begin: Begin):
    async with receiving() as gone, receiving() as other:
        gone.answers = [200, 410]
        story = await begin(gone, other)
        webhook = await story.subscribe(gone.url())
        await story.subscribe(other.url(), CLOSED)
        for key in ("inc_1", "inc_2", "inc_2", "inc_2"):
            await story.happen(key)
        await story.turn()
        assert len(gone.received) == 2
        row = await story.subscription(webhook)
        assert (row["disabled_reason"], row["disabled_at_us"]) == ("gone", story.clock.now_us())
        states = sorted(delivery["status"] for delivery in await story.deliveries(webhook))
        assert states == ["discarded", "discarded", "exhausted", "succeeded"]
        (notice,) = other.received
        assert b'"type":"webhook.disabled"' in notice.body
        assert webhook.id.encode() in notice.body
        assert gone.url().encode() not in notice.body
        async with story.database.read() as tx:
            (entry,) = await Audit(story.clock).list(tx, Actor.operator("tnt_north"), action="webhook.disable")
        assert (entry.object, entry.actor, entry.metadata) == (webhook.id, "webhooks", {"reason": "gone"})
        await story.happen("inc_9")
        await story.turn()
        assert len(gone.received) == 2
        assert (await story.deliveries(webhook))[-1]["error_code"] == "endpoint_disabled"


@pytest.mark.contract("S-101", "A-062")
async def test_webhook_is_disabled_after_five_days_of_failed_deliveries_without_a_success(begin: Begin):
    async with receiving(always=500) as receiver, receiving() as other:
        story = await begin(receiver, other)
        webhook = await story.subscribe(receiver.url())
        await story.subscribe(other.url(), CLOSED)
        for day in range(5):
            await story.happen(f"inc_{day}")
            await story.turn()
            for _ in range(6):
                await story.later(hours=4)
            assert (await story.subscription(webhook))["disabled_at_us"] is None or day == 4
        await story.happen("inc_last")
        await story.turn()
        assert (await story.subscription(webhook))["disabled_reason"] == "failing"
        sent = len(receiver.received)
        assert await story.later(days=3) == 0
        assert len(receiver.received) == sent
        assert all(delivery["due_at_us"] is None for delivery in await story.deliveries(webhook))
        assert [b"webhook.disabled" in request.body for request in other.received] == [True]


@pytest.mark.contract("S-101", "A-062")
async def test_success_or_a_pause_of_several_days_restarts_the_five_day_failure_period_of_a_webhook(begin: Begin):
    async with receiving(always=500) as receiver:
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        await story.happen("inc_1")
        await story.later(days=4)
        receiver.answers = [200]
        await story.happen("inc_2")
        await story.turn()
        assert (await story.subscription(webhook))["failing_since_us"] is None
        await story.happen("inc_3")
        await story.later(days=2)
        await story.later(days=5.1)
        assert (await story.subscription(webhook))["disabled_at_us"] is None
        await story.later(days=5.1)
        await story.happen("inc_4")
        await story.turn()
        assert (await story.subscription(webhook))["failing_since_us"] == story.clock.now_us()


@pytest.mark.contract("C-089")
async def test_failed_delivery_delays_later_deliveries_of_its_incident_and_of_no_other_incident(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        receiver.answers = [500, 200]
        await story.subscribe(receiver.url())
        first = await story.happen("inc_1")
        await story.turn()
        seconds = [await story.happen("inc_1"), await story.happen("inc_1")]
        others = [await story.happen("inc_2"), await story.happen("inc_2")]
        await story.turn()
        assert receiver.ids() == [first, *others]
        await story.later(us=5 * SECOND_US)
        assert receiver.ids() == [first, *others, first, *seconds]


@pytest.mark.contract("A-061", "C-094")
async def test_webhook_test_delivery_is_attempted_once_even_while_the_webhook_is_disabled(begin: Begin):
    async with receiving() as receiver:
        receiver.answers = [200, 500, 410]
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        await story.change(webhook.id, disabled_at_us=story.clock.now_us(), disabled_reason="by_owner")
        for number in range(3):
            test = NewDelivery(
                id=f"dlv_test_{number}",
                webhook_id=webhook.id,
                tenant_id="tnt_north",
                kind=DeliveryKind.TEST,
                event="webhook.test",
                event_id=f"evt_{number}",
                lane=f"test/{number}",
                body="{}",
                traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
            )
            async with story.database.transaction() as tx:
                await DeliveryStore().queue(tx, test, story.clock.now_us())
        await story.turn()
        await story.later(days=10)
        assert len(receiver.received) == 3
        states = sorted(delivery["status"] for delivery in await story.deliveries(webhook))
        assert states == ["exhausted", "exhausted", "succeeded"]
        row = await story.subscription(webhook)
        assert (row["failing_since_us"], row["disabled_reason"]) == (None, "by_owner")


@pytest.mark.contract("A-064", "C-086")
async def test_pending_deliveries_of_a_deleted_subscription_are_discarded(begin: Begin):
    async with receiving(always=500) as receiver:
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        for key in ("inc_1", "inc_1", "inc_2"):
            await story.happen(key)
        await story.turn()
        sent = len(receiver.received)
        await story.change(webhook.id, deleted_at_us=story.clock.now_us(), secret_sealed=None)
        assert await story.later(days=1) == 3
        assert len(receiver.received) == sent
        assert {(one["status"], one["error_code"]) for one in await story.deliveries(webhook)} == {
            ("discarded", "endpoint_deleted")
        }


@pytest.mark.contract("A-060")
async def test_finished_delivery_is_deleted_after_thirty_days(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        await story.happen()
        await story.turn()
        for hours, kept in ((30 * 24, 1), (1, 0)):
            story.clock.advance(us=hours * HOUR_US)
            await sweep_once(story.database, story.clock, "deliveries")
            assert len(await story.deliveries(webhook)) == len(await story.attempts()) == kept
        assert DAY_US == 24 * HOUR_US


@pytest.mark.contract("C-080", "A-062")
async def test_delivery_is_not_sent_while_its_webhook_secret_cannot_be_decrypted(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        sealed = (await story.subscription(webhook))["secret_sealed"]
        await story.change(webhook.id, secret_sealed=sealed[:-1] + bytes([sealed[-1] ^ 1]))
        event_id = await story.happen()
        await story.turn()
        (delivery,) = await story.deliveries(webhook)
        assert (delivery["status"], delivery["error_code"]) == ("failed", "internal_error")
        assert (receiver.received, (await story.subscription(webhook))["failing_since_us"]) == ([], None)
        await story.change(webhook.id, secret_sealed=sealed)
        await story.later(us=5 * SECOND_US)
        assert receiver.ids() == [event_id]
