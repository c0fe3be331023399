"""The webhook pages show an administrator where events are sent, why a delivery failed, and when it is retried.

An administrator can replay deliveries on these pages.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from tests.builders.administration_desk import Office, office
from tests.builders.auth_world import AuthWorld
from tests.builders.webhook_story import UPDATED, Webhook, WebhookStory
from tests.harness.receiver import Receiver, receiving, respond_with

DOWN = respond_with(503, b'{"error":"down","api_key":"sk_live_0123456789abcdef0123456789"}', Retry_After="1800")


@dataclass
class Desk:
    """The administrator Ada's pages, with one webhook of the app `app_tnt_north` and the receiver of its deliveries."""

    office: Office
    story: WebhookStory
    receiver: Receiver
    webhook: Webhook

    @property
    def path(self) -> str:
        return f"/admin/webhooks/{self.webhook.id}"

    async def text(self, query: str = "") -> str:
        return (await self.office.ada.get(f"{self.path}{query}")).text


@asynccontextmanager
async def desk(world: AuthWorld) -> AsyncIterator[Desk]:
    await world.register("tnt_north", "argus:telephony:read", "webhooks:write")
    async with office(world) as it, receiving() as receiver:
        story = WebhookStory(world.database, world.home, world.clock, [receiver])
        yield Desk(it, story, receiver, await story.subscribe(receiver.url()))
        await story.close()


async def test_failed_delivery_page_shows_the_reason_and_the_response_and_the_next_attempt_time(
    world_on_either: AuthWorld,
) -> None:
    async with desk(world_on_either) as it:
        it.receiver.answers += [DOWN]
        await it.story.happen()
        await it.story.turn()
        text = await it.text()
        assert "failed, will be retried" in text
        assert "The receiver returned an error. Check its log. 503" in text
        assert "Next attempt: 2026-03-24 12:30:00 UTC (in 30 min)" in text
        assert '"error":"down"' in text
        assert "sk_live_0123" not in text
        assert "failing" in (await it.office.ada.get("/admin/webhooks")).text
        assert it.receiver.url() in (await it.office.ada.get("/admin")).text


async def test_webhook_page_sends_a_test_event_and_shows_its_delivery(world: AuthWorld) -> None:
    async with desk(world) as it:
        page = await it.office.ada.follow(await it.office.send(it.path, f"{it.path}/test"))
        assert "The test is queued" in page.text
        await it.story.turn()
        assert "webhook.test delivered test" in await it.text()
        (entry,) = await it.office.trail("webhook.test")
        assert entry.object == it.webhook.id
        # Delivery and audit entry share a trace.
        assert entry.trace_id in it.receiver.received[0].headers["traceparent"]


async def test_webhook_page_replays_one_delivery_or_all_failed_deliveries(world: AuthWorld) -> None:
    async with desk(world) as it:
        it.receiver.answers += [respond_with(200)]
        await it.story.happen()
        await it.story.turn()
        page = await it.office.ada.get(it.path)
        (again,) = [form for form in page.forms if form.action.startswith(f"{it.path}/deliveries/")]
        page = await it.office.ada.follow(await it.office.ada.submit(again))
        assert "The replay is queued" in page.text
        await it.story.turn()
        assert len(it.receiver.received) == 2
        assert it.receiver.ids()[0] == it.receiver.ids()[1]
        assert "sent again" in await it.text()
        page = await it.office.ada.follow(await it.office.send(it.path, f"{it.path}/replay", hours="24"))
        assert "Nothing has failed in that time." in page.text
        assert len(await it.office.trail("webhook.replay")) == 2


async def test_events_missed_by_a_disabled_webhook_can_be_replayed_after_it_is_enabled(world: AuthWorld) -> None:
    async with desk(world) as it:
        await it.office.send(it.path, f"{it.path}/disable")
        await it.story.happen()
        await it.story.turn()
        text = await it.text()
        assert "It was switched off by hand." in text
        assert "Switch it on, then send this again" in text
        assert it.receiver.received == []
        await it.office.send(it.path, f"{it.path}/enable")
        await it.office.send(it.path, f"{it.path}/replay", hours="24")
        await it.story.turn()
        assert len(it.receiver.received) == 1


async def test_previous_and_new_webhook_secrets_both_sign_during_the_grace_period_after_a_rotation(
    world: AuthWorld,
) -> None:
    async with desk(world) as it:
        form = (await it.office.ada.get(it.path)).form(f"{it.path}/secret")
        page = await it.office.ada.submit(form)
        assert page.told["Signing secret"].startswith("whsec_")
        assert "The previous secret signs too until 2026-03-25 12:00:00 UTC" in page.text
        assert (await it.office.ada.submit(form)).status == 412
        await it.story.happen()
        await it.story.turn()
        # Both secrets and the key sign.
        assert len(it.receiver.received[0].headers["webhook-signature"].split()) == 3
        assert len(await it.office.trail("webhook.rotate_secret")) == 1


async def test_delivery_list_is_filtered_by_status_and_split_into_pages(world: AuthWorld) -> None:
    async with desk(world) as it:
        for number in range(21):
            await it.story.happen(f"inc_{number}", UPDATED)
        for _ in range(3):
            await it.story.turn()
        page = await it.office.ada.get(f"{it.path}?status=succeeded")
        (onward,) = [link for link in page.links if "cursor=" in link]
        assert page.text.count("incident.updated delivered") == 20
        page = await it.office.ada.get(f"{it.path}{onward}")
        assert page.text.count("incident.updated delivered") == 1
        assert "There is none here." in await it.text("?status=exhausted")


async def test_webhook_list_is_filtered_by_app(world: AuthWorld) -> None:
    async with desk(world) as it:
        assert it.receiver.url() in (await it.office.ada.get("/admin/webhooks?app=app_tnt_north")).text
        assert it.receiver.url() not in (await it.office.ada.get("/admin/webhooks?app=app_north")).text


async def test_webhooks_of_another_tenant_are_not_found_by_any_page_or_form(world: AuthWorld) -> None:
    async with desk(world) as it:
        eva = await it.office.south()
        assert it.receiver.url() not in (await eva.get("/admin/webhooks")).text
        assert (await eva.get(it.path)).status == 404
        form = (await it.office.ada.get(it.path)).form(f"{it.path}/test")
        form.fields["form_token"] = (await eva.get("/admin/users/new")).form("/admin/users").fields["form_token"]
        for what in ("test", "replay", "disable", "enable", "secret", "deliveries/dlv_1/replay"):
            assert (await eva.submit(replace(form, action=f"{it.path}/{what}"))).status == 404, what
