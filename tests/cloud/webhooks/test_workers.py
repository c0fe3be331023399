"""Concurrent delivery workers: a delivery has one worker at a time, and a killed worker's deliveries are taken over.

No worker waits for another.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from cloud.foundation.db import Database, DatabaseUnavailable, Transaction
from cloud.foundation.db.errors import CommitUnknown
from cloud.foundation.events import Relay
from cloud.partners.webhooks import DeliveryWorker
from cloud.partners.webhooks.claiming import LEASE_US
from cloud.partners.webhooks.delivery import DeliveryState, LeasedDelivery
from cloud.partners.webhooks.in_flight import CLAIMS_PER_SLOT, SLOW_MS, InFlight, Limits
from cloud.partners.webhooks.lease_store import DueWebhook
from cloud.partners.webhooks.model import Attempt, DeliveryKind, ErrorCode
from tests.builders.cloud_people import household
from tests.builders.webhook_story import WebhookStory, add_app
from tests.cloud.webhooks.conftest import Begin
from tests.harness.eventually import eventually
from tests.harness.receiver import receiving, respond_after


@asynccontextmanager
async def running(*parts: DeliveryWorker | Relay) -> AsyncIterator[None]:
    """Run these delivery workers and event relays during the block; then stop them and wait for their end."""
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
async def test_several_workers_send_each_delivery_once_and_the_deliveries_of_an_incident_in_order(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        await story.subscribe(receiver.url())
        order = {f"inc_{key}": [await story.happen(f"inc_{key}") for _ in range(8)] for key in range(4)}
        workers = [story.worker, story.another_worker(), story.another_worker()]
        async with running(story.relay, story.another_relay(), *workers):
            await eventually(lambda: len(receiver.received) >= 32)
            await eventually(lambda: finished(story))
    assert sorted(receiver.ids()) == sorted(id for ids in order.values() for id in ids)
    for ids in order.values():
        assert [id for id in receiver.ids() if id in ids] == ids


async def test_events_emitted_during_the_recording_of_deliveries_of_their_incident_are_delivered(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        await story.subscribe(receiver.url("/a"))
        await story.subscribe(receiver.url("/b"))
        workers = [story.worker, story.another_worker()]
        async with running(story.relay, story.another_relay(story.worker.wake), *workers):
            ids = []
            for _ in range(25):
                ids += [await story.happen("inc_1"), await story.happen("inc_2")]
            await eventually(lambda: len(receiver.received) >= 100)
            await eventually(lambda: finished(story))
    for path in ("/a", "/b"):
        seen = [one.headers["webhook-id"] for one in receiver.received if one.path == path]
        assert [id for id in seen if id in ids[::2]] == ids[::2]
        assert sorted(seen) == sorted(ids)


@pytest.mark.contract("S-102")
async def test_delivery_claimed_by_a_killed_worker_is_sent_by_another_worker_after_its_lease_expires(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=respond_after(release)) as receiver:
        story = await begin(receiver, request_s_max=60)
        webhook = await story.subscribe(receiver.url())
        event_id = await story.happen()
        await story.fan_out()
        killed = asyncio.create_task(story.another_worker().run(asyncio.Event()))
        await eventually(lambda: receiver.received)
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        release.set()
        assert await story.later(us=LEASE_US - 1) == 0
        assert await story.later(us=1) == 1
        (delivery,) = await story.deliveries(webhook)
        assert (delivery["status"], delivery["attempts"]) == ("succeeded", 1)
        assert receiver.ids() == [event_id, event_id]


@pytest.mark.contract("S-102")
async def test_worker_does_not_write_the_result_of_a_delivery_whose_lease_expired(begin: Begin):
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        first = len(receiver.received) == 1
        losing.losses = int(first)
        return web.Response(status=500 if first else 200)

    async with receiving(always=answer) as receiver:
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url())
        event_id = await story.happen()
        await story.fan_out()
        losing = LosingDatabase(story.database)
        late = story.another_worker(losing)
        with pytest.raises(DatabaseUnavailable):
            await late.step()
        assert await story.later(us=LEASE_US) == 1
        assert (await late.step(), late.settled) == (0, 1)
        (delivery,) = await story.deliveries(webhook)
        assert (delivery["status"], delivery["attempts"], len(await story.attempts())) == ("succeeded", 1, 1)
        assert receiver.ids() == [event_id, event_id]


async def test_rewriting_delivery_results_after_a_commit_with_unknown_outcome_changes_no_row(begin: Begin):
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        losing.unknown_commits = 1
        return web.Response()

    async with receiving(always=answer) as receiver:
        story = await begin(receiver)
        await story.subscribe(receiver.url())
        await story.happen("inc_1")
        await story.happen("inc_2")
        await story.fan_out()
        losing = LosingDatabase(story.database)
        worker = story.another_worker(losing)
        with pytest.raises(CommitUnknown):
            await worker.step()
        written = await story.deliveries(), await story.attempts()
        assert (await worker.step(), worker.settled) == (0, 2)
        assert (await story.deliveries(), await story.attempts()) == written
        assert [row["status"] for row in written[0]] == ["succeeded", "succeeded"]


async def test_unused_sending_slots_of_one_webhook_are_used_by_other_webhooks(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver, limits=Limits(of_process=6, of_tenant=6, of_endpoint=4))
        for number in range(4):
            await story.subscribe(receiver.url(f"/{number}"))
        await story.happen()
        await story.fan_out()
        assert await story.worker.step() == 4
        assert sorted(one.path for one in receiver.received) == ["/0", "/1", "/2", "/3"]
        assert story.in_flight.claimed == 0


@pytest.mark.contract("S-094")
async def test_receiver_that_does_not_respond_does_not_delay_deliveries_of_another_tenant(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=respond_after(release)) as slow, receiving() as quick:
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
            await eventually(lambda: len(quick.received) == 20)
            assert len(slow.received) <= 8
            release.set()
            await eventually(lambda: finished(story))
    assert len(slow.received) == 80


async def test_worker_finishes_and_records_the_attempts_in_progress_before_it_stops(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=respond_after(release)) as receiver:
        story = await begin(receiver, request_s_max=60)
        webhook = await story.subscribe(receiver.url())
        await story.happen()
        await story.fan_out()
        async with running(story.worker):
            await eventually(lambda: receiver.received)
            asyncio.get_running_loop().call_soon(release.set)
        (delivery,) = await story.deliveries(webhook)
        assert delivery["status"] == "succeeded"


@pytest.mark.contract("S-094")
async def test_claimed_delivery_that_waits_too_long_for_a_sending_slot_is_queued_again(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=respond_after(release)) as receiver:
        story = await begin(receiver, limits=Limits(of_endpoint=2))
        webhook = await story.subscribe(receiver.url())
        ids = [await story.happen(f"inc_{number}") for number in range(10)]
        await story.fan_out()
        async with running(story.worker):
            await eventually(lambda: len(receiver.received) == 2)
            await eventually(partial(statuses_are, story, delivering=8, queued=2))
            story.clock.advance(us=2_000_000)
            await eventually(partial(statuses_are, story, delivering=2, queued=8))
            assert story.in_flight.claim_room(story.home.tenant.id, webhook.id) == 0
            release.set()
            await eventually(lambda: finished(story))
    assert sorted(receiver.ids()) == sorted(ids)
    assert [row["attempts"] for row in await story.deliveries()] == [1] * 10


@pytest.mark.contract("A-062")
async def test_endpoint_that_returned_410_receives_none_of_the_other_claimed_deliveries(begin: Begin):
    async with receiving(always=410) as receiver:
        story = await begin(receiver, limits=Limits(of_endpoint=1))
        webhook = await story.subscribe(receiver.url())
        for number in range(4):
            await story.happen(f"inc_{number}")
        await story.fan_out()
        async with running(story.relay, story.worker):
            await eventually(lambda: finished(story))
        assert (await story.subscription(webhook))["disabled_reason"] == "gone"
        assert len(receiver.received) == 1
        assert Counter(row["status"] for row in await story.deliveries()) == {"exhausted": 1, "discarded": 3}


async def test_endpoint_receives_one_delivery_at_a_time_after_a_failed_delivery(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=respond_after(release)) as receiver:
        receiver.answers = [503]
        story = await begin(receiver, limits=Limits(of_endpoint=1))
        await story.subscribe(receiver.url())
        ids = [await story.happen(f"inc_{number}") for number in range(4)]
        await story.fan_out()
        async with running(story.worker):
            await eventually(lambda: len(receiver.received) == 2)
            await eventually(partial(statuses_are, story, failed=1, delivering=1, queued=2))
            release.set()
            await eventually(lambda: set(receiver.ids()) == set(ids))


async def test_stopping_worker_releases_unsent_deliveries_to_another_worker(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=respond_after(release)) as receiver:
        story = await begin(receiver, limits=Limits(of_endpoint=2))
        await story.subscribe(receiver.url())
        ids = [await story.happen(f"inc_{number}") for number in range(4)]
        await story.fan_out()
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(story.worker.run(stopping))
            await eventually(lambda: len(receiver.received) == 2)
            stopping.set()
            await eventually(partial(statuses_are, story, delivering=2, queued=2))
            release.set()
        assert await story.another_worker().step() == 2
        assert (sorted(receiver.ids()), await finished(story)) == (sorted(ids), True)


class LosingDatabase:
    """A wrapper of a database with faults: the next `losses` transactions fail, and the next `unknown_commits`
    transactions commit and raise CommitUnknown."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.losses = 0
        self.unknown_commits = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        if self.losses:
            self.losses -= 1
            raise DatabaseUnavailable
        async with self._database.transaction() as tx:
            yield tx
        if self.unknown_commits:
            self.unknown_commits -= 1
            raise CommitUnknown


async def test_result_of_an_attempt_is_stored_after_a_database_outage_without_a_second_attempt(begin: Begin):
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


async def test_claimed_deliveries_are_sent_during_a_database_outage(begin: Begin):
    release = asyncio.Event()
    async with receiving(always=respond_after(release)) as receiver:
        story = await begin(receiver, limits=Limits(of_endpoint=2))
        losing = LosingDatabase(story.database)
        await story.subscribe(receiver.url())
        ids = [await story.happen(f"inc_{number}") for number in range(4)]
        await story.fan_out()
        async with running(story.another_worker(losing)):
            await eventually(lambda: len(receiver.received) == 2)
            losing.losses = 1_000_000
            release.set()
            await eventually(lambda: len(receiver.received) == 4)
            losing.losses = 0
            await eventually(lambda: finished(story))
    assert sorted(receiver.ids()) == sorted(ids)


NORTH, SOUTH = "tnt_north", "tnt_south"


def leased(webhook_id: str, tenant_id: str = NORTH, number: int = 1) -> LeasedDelivery:
    """Return a delivery that a worker has claimed."""
    return LeasedDelivery(
        position=number,
        id=f"dlv_{number}",
        webhook_id=webhook_id,
        tenant_id=tenant_id,
        kind=DeliveryKind.EVENT,
        event="incident.updated",
        event_id=f"evt_{number}",
        lane=f"inc_{number}",
        body="{}",
        traceparent=None,
        lease_token=1,
        attempts=0,
        attempted_at_us=None,
    )


def claim(in_flight: InFlight, webhook_id: str, tenant_id: str = NORTH, *, most: int = 1000) -> list[LeasedDelivery]:
    """Claim as many deliveries of one webhook as the limits allow, at most `most`, and mark them as ready to send."""
    reservation = in_flight.reservation()
    offered = reservation.offer([DueWebhook(webhook_id, tenant_id, 0)], most)
    deliveries = [leased(webhook_id, tenant_id, number) for number in range(offered.get(webhook_id, 0))]
    reservation.keep(offered, deliveries)
    for delivery in deliveries:
        delivery.state = DeliveryState.READY
    in_flight.add(deliveries, 0.0)
    return deliveries


def begin_all(in_flight: InFlight) -> list[LeasedDelivery]:
    """Begin delivery attempts until every slot is in use; return their deliveries."""
    return list(iter(in_flight.begin, None))


def end(in_flight: InFlight, delivery: LeasedDelivery, *, error: ErrorCode | None = None, duration_ms: int = 1) -> int:
    """End a delivery attempt; return the number of ready deliveries that are dropped because of its result."""
    delivery.end(
        Attempt(
            number=1,
            attempted_at_us=0,
            duration_ms=duration_ms,
            response_status=None,
            error_code=error,
            response_head=None,
        )
    )
    return len(in_flight.end(delivery))


@pytest.mark.parametrize("bad", [{"error": ErrorCode.TIMEOUT}, {"duration_ms": SLOW_MS}], ids=["failing", "slow"])
def test_endpoint_has_one_sending_slot_after_a_failed_or_slow_attempt_until_the_next_quick_success(bad: dict[str, Any]):
    in_flight = InFlight(Limits(of_process=10, of_tenant=6, of_endpoint=4))
    claim(in_flight, "wh_1", most=1)
    (delivery,) = begin_all(in_flight)
    end(in_flight, delivery, **bad)
    assert (in_flight.claim_room(NORTH, "wh_1"), in_flight.sending_room(NORTH, "wh_1")) == (1, 1)
    claim(in_flight, "wh_1")
    (delivery,) = begin_all(in_flight)
    end(in_flight, delivery)
    assert (in_flight.claim_room(NORTH, "wh_1"), in_flight.sending_room(NORTH, "wh_1")) == (4 * CLAIMS_PER_SLOT, 4)


def test_number_of_concurrent_delivery_attempts_is_limited_for_each_endpoint_and_tenant_and_process():
    in_flight = InFlight(Limits(of_process=10, of_tenant=6, of_endpoint=4))
    for webhook_id, tenant_id in (("wh_1", NORTH), ("wh_2", NORTH), ("wh_3", SOUTH), ("wh_4", SOUTH)):
        claim(in_flight, webhook_id, tenant_id, most=6)
    sending = begin_all(in_flight)
    assert Counter(one.tenant_id for one in sending) == {NORTH: 6, SOUTH: 4}
    assert max(Counter(one.webhook_id for one in sending).values()) <= 4
    assert (in_flight.sending, in_flight.sending_room("tnt_third", "wh_5")) == (10, 0)
    for delivery in sending:
        end(in_flight, delivery)
    assert in_flight.sending_room("tnt_third", "wh_5") == 4


def test_more_deliveries_than_sending_slots_may_be_claimed_until_the_endpoint_times_out():
    in_flight = InFlight(Limits(of_process=10, of_tenant=6, of_endpoint=4))
    assert len(claim(in_flight, "wh_1")) == 4 * CLAIMS_PER_SLOT
    assert in_flight.claim_room(NORTH, "wh_2") == 2 * CLAIMS_PER_SLOT
    assert in_flight.claim_room(SOUTH, "wh_3") == 4 * CLAIMS_PER_SLOT
    failed, *_ = begin_all(in_flight)
    assert end(in_flight, failed, error=ErrorCode.TIMEOUT) == 4 * CLAIMS_PER_SLOT - 4, "the ready ones are taken out"
    assert in_flight.claim_room(NORTH, "wh_1") == 0, "they hold their slots until they are released"


def test_cancelled_reservation_of_sending_slots_returns_all_slots():
    in_flight = InFlight(Limits(of_process=10, of_tenant=6, of_endpoint=4))
    due = [DueWebhook("wh_1", NORTH, 0), DueWebhook("wh_2", NORTH, 0)]
    reservation = in_flight.reservation()
    offered = reservation.offer(due, 8)
    assert offered == {"wh_1": 4, "wh_2": 4}
    reservation.keep(offered, [leased("wh_1")])
    assert in_flight.claimed == 1
    reservation.offer(due[1:], 8)
    reservation.cancel()
    assert in_flight.claimed == 0
