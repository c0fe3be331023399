"""Workers side by side: a delivery is one worker's at a time, a killed one is made up for, nobody waits for others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiohttp import web

from cloud.foundation.db import Database, DatabaseUnavailable, Transaction
from cloud.foundation.events import Relay
from cloud.partners.webhooks import DeliveryWorker
from cloud.partners.webhooks.claiming import LEASE_US
from cloud.partners.webhooks.slots import AHEAD, Limits, Slots
from tests.builders.cloud_people import household
from tests.builders.webhook_story import WebhookStory, add_app
from tests.cloud.webhooks.conftest import Begin
from tests.harness.eventually import eventually
from tests.harness.receiver import answering_after, receiving


@asynccontextmanager
async def running(*parts: DeliveryWorker | Relay) -> AsyncIterator[None]:
    """Each in its loop, until the end; then asked to stop and awaited."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part.run(stopping))
        try:
            yield
        finally:
            stopping.set()


async def finished(story: WebhookStory) -> bool:
    rows = await story.deliveries()
    return bool(rows) and all(row["finished_at_us"] for row in rows) and not await backlog(story)


async def statuses_are(story: WebhookStory, **wanted: int) -> bool:
    return Counter(row["status"] for row in await story.deliveries()) == wanted


async def backlog(story: WebhookStory) -> int:
    async with story.database.read() as tx:
        return (await story.outbox.backlog(tx))[0]


@pytest.mark.contract("C-089", "A-060")
async def test_of_several_workers_each_delivery_goes_to_one_and_incidents_keep_their_order(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        await story.subscribe(receiver.url())
        order = {f"inc_{key}": [await story.happen(f"inc_{key}") for _ in range(8)] for key in range(4)}
        workers = [story.worker, story.another_worker(), story.another_worker()]
        async with running(story.relay, story.another_relay(), *workers):
            await eventually(lambda: len(receiver.received) >= 32, within_s=20)
            await eventually(lambda: finished(story), within_s=20)
    assert sorted(receiver.ids()) == sorted(id for ids in order.values() for id in ids)
    for ids in order.values():
        assert [id for id in receiver.ids() if id in ids] == ids


async def test_events_that_come_while_their_lane_is_being_settled_are_not_forgotten(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        await story.subscribe(receiver.url("/a"))
        await story.subscribe(receiver.url("/b"))
        workers = [story.worker, story.another_worker()]
        async with running(story.relay, story.another_relay(story.worker.wake), *workers):
            ids = []
            for _ in range(25):
                ids += [await story.happen("inc_1"), await story.happen("inc_2")]
            await eventually(lambda: len(receiver.received) >= 100, within_s=30)
            await eventually(lambda: finished(story), within_s=20)
    for path in ("/a", "/b"):
        seen = [one.headers["webhook-id"] for one in receiver.received if one.path == path]
        assert [id for id in seen if id in ids[::2]] == ids[::2]
        assert sorted(seen) == sorted(ids)


@pytest.mark.contract("S-102")
async def test_what_a_dead_worker_had_claimed_is_sent_by_another_once_its_lease_ends(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        event_id = await story.happen()
        await story.fan_out()
        assert len(await story.another_worker()._claim()) == 1  # and then it is gone
        assert await story.later(us=LEASE_US - 1) == 0
        assert await story.later(us=1) == 1
        (delivery,) = await story.deliveries(webhook)
        assert (delivery["status"], delivery["attempts"], receiver.ids()) == ("succeeded", 1, [event_id])


@pytest.mark.contract("S-102")
async def test_a_worker_that_was_too_slow_writes_nothing_over_what_another_wrote(begin: Begin):
    async with receiving() as receiver:
        receiver.answers = [500, 200]
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        event_id = await story.happen()
        await story.fan_out()
        late = story.another_worker()
        (post,) = await late._claim()
        await late._attempt(post)
        assert await story.later(us=LEASE_US) == 1
        await late._settle()
        (delivery,) = await story.deliveries(webhook)
        assert (delivery["status"], delivery["attempts"], len(await story.attempts())) == ("succeeded", 1, 1)
        assert receiver.ids() == [event_id, event_id]


async def test_a_batch_that_comes_again_because_nobody_knew_of_its_commit_changes_nothing(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        await story.subscribe(receiver.url())
        await story.happen("inc_1")
        await story.happen("inc_2")
        await story.fan_out()
        for post in await story.worker._claim():
            await story.worker._attempt(post)
        batch = list(story.worker._results)
        await story.worker._settle()
        written = await story.deliveries(), await story.attempts()
        story.worker._results = batch
        await story.worker._settle()
        assert (await story.deliveries(), await story.attempts()) == written
        assert [row["status"] for row in written[0]] == ["succeeded", "succeeded"]


async def test_slots_that_one_endpoint_has_no_use_for_go_to_the_others_at_once(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver, limits=Limits(of_process=6, of_tenant=6, of_endpoint=4))
        webhooks = [await story.subscribe(receiver.url(f"/{number}")) for number in range(4)]
        await story.happen()
        await story.fan_out()
        assert {post.endpoint.id for post in await story.worker._claim()} == {webhook.id for webhook in webhooks}
        assert story.worker._claims.taken == 4


@pytest.mark.contract("S-094")
async def test_a_receiver_that_hangs_delays_nobody_else(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=answering_after(release)) as slow, receiving() as quick:
        story = await begin(slow, quick, limits=Limits(of_process=12, of_tenant=8, of_endpoint=4), request_s_max=60)
        south = await household(story.database, story.clock, name="south")
        await add_app(story, south)
        for number in range(4):
            await story.subscribe(slow.url(f"/{number}"))
        await story.subscribe(quick.url(), home=south)
        for number in range(20):
            await story.happen(f"inc_{number}")
            await story.happen(f"inc_{number}", home=south)
        async with running(story.relay, story.worker):
            await eventually(lambda: len(quick.received) == 20, within_s=20)
            assert len(slow.received) <= 8
            release.set()
            await eventually(lambda: finished(story), within_s=30)
    assert len(slow.received) == 80


async def test_a_stop_finishes_and_settles_what_is_under_way(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=answering_after(release)) as receiver:
        story = await begin(receiver, request_s_max=60)
        webhook = await story.subscribe(receiver.url())
        await story.happen()
        await story.fan_out()
        async with running(story.worker):
            await eventually(lambda: receiver.received, within_s=10)
            asyncio.get_running_loop().call_soon(release.set)
        (delivery,) = await story.deliveries(webhook)
        assert delivery["status"] == "succeeded"


@pytest.mark.contract("S-094")
async def test_what_waits_too_long_for_a_slot_goes_back_unsent_and_is_sent_later(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=answering_after(release)) as receiver:
        story = await begin(receiver, limits=Limits(of_endpoint=2))
        webhook = await story.subscribe(receiver.url())
        ids = [await story.happen(f"inc_{number}") for number in range(10)]
        await story.fan_out()
        async with running(story.worker):
            await eventually(lambda: len(receiver.received) == 2, within_s=10)
            await eventually(partial(statuses_are, story, delivering=8, queued=2), within_s=10)
            story.clock.advance(us=2_000_000)
            await eventually(partial(statuses_are, story, delivering=2, queued=8), within_s=10)
            assert story.worker._claims.free(story.home.tenant.id, webhook.id) == 0
            release.set()
            await eventually(lambda: finished(story), within_s=20)
    assert sorted(receiver.ids()) == sorted(ids)
    assert [row["attempts"] for row in await story.deliveries()] == [1] * 10


@pytest.mark.contract("A-062")
async def test_an_endpoint_that_says_410_is_not_asked_for_what_lies_ready(begin: Begin):
    async with receiving(always=410) as receiver:
        story = await begin(receiver, limits=Limits(of_endpoint=1))
        webhook = await story.subscribe(receiver.url())
        for number in range(4):
            await story.happen(f"inc_{number}")
        await story.fan_out()
        async with running(story.relay, story.worker):
            await eventually(lambda: finished(story), within_s=20)
        assert (await story.subscription(webhook))["disabled_reason"] == "gone"
        assert len(receiver.received) == 1
        assert Counter(row["status"] for row in await story.deliveries()) == {"exhausted": 1, "discarded": 3}


async def test_an_endpoint_that_fails_is_asked_once_and_not_for_all_that_lies_ready(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=answering_after(release)) as receiver:
        receiver.answers = [503]
        story = await begin(receiver, limits=Limits(of_endpoint=1))
        await story.subscribe(receiver.url())
        ids = [await story.happen(f"inc_{number}") for number in range(4)]
        await story.fan_out()
        async with running(story.worker):
            await eventually(lambda: len(receiver.received) == 2, within_s=10)
            await eventually(partial(statuses_are, story, failed=1, delivering=1, queued=2), within_s=10)
            release.set()
            await eventually(lambda: set(receiver.ids()) == set(ids), within_s=20)


async def test_a_stop_hands_over_what_lies_ready(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=answering_after(release)) as receiver:
        story = await begin(receiver, limits=Limits(of_endpoint=2))
        await story.subscribe(receiver.url())
        ids = [await story.happen(f"inc_{number}") for number in range(4)]
        await story.fan_out()
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(story.worker.run(stopping))
            await eventually(lambda: len(receiver.received) == 2, within_s=10)
            stopping.set()
            await eventually(partial(statuses_are, story, delivering=2, queued=2), within_s=10)
            release.set()
        assert await story.another_worker().step() == 2
        assert (sorted(receiver.ids()), await finished(story)) == (sorted(ids), True)


class LosingDatabase:
    """A real one, that is away for a while from the moment when it is told so."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.losses = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        if self.losses:
            self.losses -= 1
            raise DatabaseUnavailable
        async with self._database.transaction() as tx:
            yield tx


async def test_what_came_of_an_attempt_outlives_a_database_that_is_away(begin: Begin):
    async def last_answer(request: web.BaseRequest) -> web.StreamResponse:
        losing.losses = 2
        return web.Response()

    async with receiving(always=last_answer) as receiver:
        story = await begin(receiver)
        losing = LosingDatabase(story.database)
        webhook = await story.subscribe(receiver.url())
        event_id = await story.happen()
        await story.fan_out()
        async with running(story.another_worker(losing)):
            await eventually(lambda: finished(story), within_s=60)
        (delivery,) = await story.deliveries(webhook)
        assert (delivery["status"], delivery["attempts"], losing.losses) == ("succeeded", 1, 0)
        assert receiver.ids() == [event_id]


async def test_what_lies_ready_begins_when_a_slot_is_free_whatever_the_database_does(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=answering_after(release)) as receiver:
        story = await begin(receiver, limits=Limits(of_endpoint=2))
        losing = LosingDatabase(story.database)
        await story.subscribe(receiver.url())
        ids = [await story.happen(f"inc_{number}") for number in range(4)]
        await story.fan_out()
        async with running(story.another_worker(losing)):
            await eventually(lambda: len(receiver.received) == 2, within_s=10)
            losing.losses = 1_000_000
            release.set()
            await eventually(lambda: len(receiver.received) == 4, within_s=10)
            losing.losses = 0
            await eventually(lambda: finished(story), within_s=20)
    assert sorted(receiver.ids()) == sorted(ids)


def test_an_endpoint_that_fails_or_is_slow_has_one_slot_until_something_goes_well():
    slots = Slots(Limits(of_process=10, of_tenant=6, of_endpoint=4))
    slots.note("wh_1", well=False)
    assert slots.free("tnt", "wh_1") == 1
    slots.note("wh_1", well=True)
    assert slots.free("tnt", "wh_1") == 4
    slots.take("tnt", "wh_1", 4)
    assert (slots.free("tnt", "wh_1"), slots.free("tnt", "wh_2"), slots.free("other", "wh_3")) == (0, 2, 4)
    slots.take("tnt", "wh_2", 2)
    slots.take("other", "wh_3", 4)
    assert (slots.full, slots.free("third", "wh_4")) == (True, 0)
    for _ in range(4):
        slots.give_back("other", "wh_3")
    assert (slots.taken, slots.free("third", "wh_4"), slots.free("tnt", "wh_2")) == (6, 4, 0)


def test_more_may_be_claimed_than_attempted_except_of_one_that_is_slow():
    slots = Slots(Limits(of_process=10, of_tenant=6, of_endpoint=4))
    claims = slots.ahead()
    assert claims.free("tnt", "wh_1") == 4 * AHEAD
    claims.take("tnt", "wh_1", 4 * AHEAD)
    assert (claims.free("tnt", "wh_2"), claims.free("other", "wh_3")) == (2 * AHEAD, 4 * AHEAD)
    slots.note("wh_3", well=False)
    assert claims.free("other", "wh_3") == 1
