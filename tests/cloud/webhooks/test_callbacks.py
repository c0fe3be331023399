"""The end of a job is sent to the address in its request, as a webhook delivery signed for the app."""

import time
from typing import Any

import pytest
import standardwebhooks
from sqlalchemy import select

from cloud.access.apps import Apps, AppStore, callback_secret
from cloud.access.audit import Audit
from cloud.foundation.egress import UrlBlocked
from cloud.foundation.viewer import SecrecyLevel, Viewer
from cloud.partners.webhooks import CallbackQueue, WebhookHostNotAllowed, Webhooks
from cloud.partners.webhooks.callbacks import receiver_id
from cloud.partners.webhooks.errors import TooManyCallbackAddresses
from cloud.partners.webhooks.governing import HostGovernance, OrphanedWebhooks
from cloud.partners.webhooks.model import WEBHOOK_ID
from cloud.partners.webhooks.tables import webhook_subscriptions
from cloud.work.jobs import Callback
from tests.builders.auth_world import MASTER
from tests.builders.parts import sweep_once
from tests.builders.webhook_story import DAY_US, WebhookStory
from tests.cloud.webhooks.conftest import Begin
from tests.harness.receiver import Received, receiving

SUCCEEDED = "job.succeeded"


async def accept_any(url: str) -> Any:
    return url


async def refuse_any(url: str) -> Any:
    raise UrlBlocked


def queue_of(story: WebhookStory, judge: Any = accept_any) -> CallbackQueue:
    return CallbackQueue(story.clock, story.ids, judge)


def owner_of(story: WebhookStory) -> Viewer:
    return Viewer(story.home.tenant.id, story.home.organization.id)


async def call_back(story: WebhookStory, url: str, *, job: str = "job_1", event_id: str = "evt_1") -> None:
    """Queue the call-back of a finished job of the story's app."""
    callback = Callback(
        tenant_id=story.home.tenant.id,
        organization_id=story.home.organization.id,
        client_id=f"app_{story.home.tenant.id}",
        secrecy_level=SecrecyLevel.STANDARD,
        url=url,
        event=SUCCEEDED,
        event_id=event_id,
        subject_id=job,
        data={"id": job, "status": "succeeded"},
        at_us=story.clock.now_us(),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    async with story.database.transaction() as tx:
        await queue_of(story).send(tx, [callback])


async def secret_of(story: WebhookStory) -> str:
    async with story.database.read() as tx:
        app = await AppStore().find(tx, f"app_{story.home.tenant.id}")
    assert app is not None
    return callback_secret(MASTER, app)


async def receivers(story: WebhookStory) -> list[Any]:
    async with story.database.read() as tx:
        return list(await tx.execute(select(webhook_subscriptions).where(webhook_subscriptions.c.is_callback == 1)))


def is_signed_with(secret: str, request: Received) -> bool:
    try:
        standardwebhooks.Webhook(secret).verify(request.body, request.headers)
    except standardwebhooks.WebhookVerificationError:
        return False
    return True


async def at_present(begin: Begin, *allowed: Any) -> WebhookStory:
    """Begin a story whose clock shows the machine's time, which the library compares with the time of the signature."""
    story = await begin(*allowed)
    story.clock.advance(us=time.time_ns() // 1000 - story.clock.now_us())
    return story


@pytest.mark.contract("C-160", "C-161", "A-065", "A-066", "S-105")
async def test_callback_is_signed_with_the_apps_callback_secret_and_continues_the_trace_of_the_request(begin: Begin):
    async with receiving() as receiver:
        story = await at_present(begin, receiver)
        await call_back(story, receiver.url("/done"))
        assert await story.turn() == 1
        (request,) = receiver.received
        assert is_signed_with(await secret_of(story), request)
        assert request.headers["webhook-id"] == "evt_1"
        assert "v1a," in request.headers["webhook-signature"]
        assert request.headers["traceparent"][3:35] == "0af7651916cd43dd8448eb211c80319c"
        assert b'"type":"job.succeeded"' in request.body
        assert b'"data":{"id":"job_1","status":"succeeded"}' in request.body


@pytest.mark.contract("A-065")
async def test_callback_after_a_rotation_is_signed_with_the_new_and_the_previous_secret(begin: Begin):
    async with receiving(always=500) as receiver:
        story = await at_present(begin, receiver)
        before = await secret_of(story)
        await call_back(story, receiver.url())
        await story.turn()
        apps = Apps(story.database, story.clock, story.ids)
        await apps.rotate_secret(story.home.operator, f"app_{story.home.tenant.id}", grace_hours=1)
        receiver.always = 200
        assert await story.later(us=5_000_000) == 1
        request = receiver.received[-1]
        assert await secret_of(story) != before
        assert is_signed_with(await secret_of(story), request)
        assert is_signed_with(before, request)


@pytest.mark.contract("A-065")
async def test_callback_to_the_address_of_an_enabled_webhook_is_signed_with_the_webhooks_secret(begin: Begin):
    async with receiving() as receiver:
        story = await at_present(begin, receiver)
        webhook = await story.subscribe(receiver.url())
        await call_back(story, receiver.url())
        await story.turn()
        assert is_signed_with(webhook.secret, receiver.received[0])
        (delivery,) = await story.deliveries(webhook)
        assert (delivery["kind"], delivery["status"]) == ("callback", "succeeded")
        await story.change(webhook.id, disabled_at_us=story.clock.now_us(), disabled_reason="by_owner")
        await call_back(story, receiver.url(), job="job_2", event_id="evt_2")
        await story.turn()
        assert is_signed_with(await secret_of(story), receiver.received[1])


async def test_receiver_of_callbacks_is_no_webhook_of_the_app(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        await call_back(story, receiver.url())
        webhooks = Webhooks(story.database, story.clock, story.ids, lambda: MASTER, accept_any)
        assert await webhooks.page(story.home.operator, after=None, count=10) == []
        await story.happen()
        assert await story.turn() == 1  # the call-back, and not the event


@pytest.mark.contract("S-100")
async def test_receiver_that_responds_with_410_gets_no_retry_but_the_callback_of_the_next_job(begin: Begin):
    async with receiving(always=410) as receiver:
        story = await begin(receiver)
        notified = await story.subscribe(receiver.url("/webhook"))
        await call_back(story, receiver.url())
        await story.turn()
        (row,) = await receivers(story)
        assert row.disabled_reason == "gone"
        assert await story.deliveries(notified) == []  # no `webhook.disabled` for a webhook that the tenant cannot see
        await call_back(story, receiver.url(), job="job_2", event_id="evt_2")
        assert await story.turn() == 1
        assert receiver.ids() == ["evt_1", "evt_2"]


@pytest.mark.contract("S-104")
async def test_blocked_address_and_host_outside_of_the_governance_are_refused(begin: Begin):
    story = await begin()
    queue = queue_of(story, refuse_any)
    with pytest.raises(UrlBlocked):
        await queue.judge("https://10.0.0.1/")
    client_id = f"app_{story.home.tenant.id}"
    flags = {"allowed_webhook_hosts": ["partner.example"]}
    await Apps(story.database, story.clock, story.ids).govern(story.home.operator, client_id, flags)
    async with story.database.transaction() as tx:
        await queue.admit(tx, owner_of(story), client_id, "https://partner.example/done")
        with pytest.raises(WebhookHostNotAllowed):
            await queue.admit(tx, owner_of(story), client_id, "https://elsewhere.example/done")
    await call_back(story, "https://elsewhere.example/done")
    assert await story.deliveries() == []


async def test_new_address_beyond_the_limit_of_the_app_is_refused_and_a_known_one_admitted(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud.partners.webhooks.callbacks.RECEIVERS_MAX", 2)
    async with receiving() as receiver:
        story = await begin(receiver)
        await story.subscribe(receiver.url("/webhook"))
        client_id = f"app_{story.home.tenant.id}"

        async def admit(path: str) -> None:
            async with story.database.transaction() as tx:
                await queue_of(story).admit(tx, owner_of(story), client_id, receiver.url(path))

        for path in ("/1", "/1", "/webhook", "/2", "/1", "/webhook"):
            await admit(path)
        with pytest.raises(TooManyCallbackAddresses):
            await admit("/3")
        assert sorted(row.url for row in await receivers(story)) == [receiver.url("/1"), receiver.url("/2")]
        await call_back(story, receiver.url("/3"))  # of a job that was enqueued before the limit
        assert await story.turn() == 1
        story.clock.advance(us=31 * DAY_US)
        while await sweep_once(story.database, story.clock, "deliveries"):
            pass
        await admit("/4")


async def test_receiver_of_a_deleted_app_is_removed_and_gets_no_callback(begin: Begin):
    async with receiving(always=500) as receiver:
        story = await begin(receiver)
        await call_back(story, receiver.url())
        await story.turn()
        await Apps(story.database, story.clock, story.ids).remove(story.home.operator, f"app_{story.home.tenant.id}")
        assert await story.later(us=5_000_000) == 1  # an internal error, since there is no secret to sign with
        assert len(receiver.received) == 1
        async with story.database.transaction() as tx:
            assert await OrphanedWebhooks(Audit(story.clock)).apply(tx, story.clock.now_us()) == 1
        assert [delivery["status"] for delivery in await story.deliveries()] == ["discarded"]
        await call_back(story, receiver.url(), job="job_2")
        assert len(await story.deliveries()) == 1


async def test_receiver_is_deleted_with_its_last_delivery_and_kept_while_it_is_used(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        await call_back(story, receiver.url("/once"))
        await call_back(story, receiver.url("/often"), job="job_2")
        await story.turn()
        story.clock.advance(us=31 * DAY_US)
        await call_back(story, receiver.url("/often"), job="job_3")
        while await sweep_once(story.database, story.clock, "deliveries"):
            pass
        assert [row.url for row in await receivers(story)] == [receiver.url("/often")]
        await story.turn()
        assert len(receiver.received) == 3


async def test_receiver_whose_host_the_governance_withdraws_is_disabled(begin: Begin):
    story = await begin()
    await call_back(story, "https://elsewhere.example/done")
    client_id = f"app_{story.home.tenant.id}"
    flags = {"allowed_webhook_hosts": ["partner.example"]}
    await Apps(story.database, story.clock, story.ids).govern(story.home.operator, client_id, flags)
    async with story.database.transaction() as tx:
        assert await HostGovernance(story.outbox, Audit(story.clock)).apply(tx, story.clock.now_us()) == 1
    assert [delivery["status"] for delivery in await story.deliveries()] == ["discarded"]


def test_ids_of_receivers_precede_those_of_webhooks_so_that_a_list_begins_behind_them():
    assert receiver_id("app_1", "https://example.org/done") < WEBHOOK_ID
