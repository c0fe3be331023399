"""Webhooks over days and kills: deliveries follow the documented schedule, none is lost to SIGKILL, and no receiver is
delayed by another.

`make soak` runs the tests with full counts, `make test` with small ones. The name of a test contains its seed.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise

import pytest
from sqlalchemy import bindparam, or_, select

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database, Prepared
from cloud.partners.webhooks.claiming import LEASE_US
from cloud.partners.webhooks.schedule import DELAYS_S, JITTER
from cloud.partners.webhooks.tables import webhook_deliveries
from tests.builders.cloud_people import HandClock
from tests.builders.webhook_story import SECOND_US, WebhookStory, webhook_story
from tests.harness.databases import database, database_url, migrated_sqlite, postgresql
from tests.harness.eventually import eventually
from tests.harness.receiver import Act, Receiver, hanging, receiving, respond_with

__all__ = ["database", "database_url", "migrated_sqlite", "postgresql"]

FULL = os.environ.get("ARGUS_SOAK") == "1"
KILLS = 60 if FULL else 2
EVENTS_A_LIFE = 20 if FULL else 12
COURSES = range(20) if FULL else range(1)
DATABASES = ("sqlite", "postgresql") if FULL else ("sqlite",)
"""The schedule does not depend on the database; the soak runs it on both."""
INCIDENTS = 5
LIFE_US = 20 * LEASE_US
DAYS = 5
_rows = webhook_deliveries.c
_AT_WORK = Prepared(
    select(_rows.id)
    .where(_rows.due_at_us.is_not(None), or_(_rows.status == "delivering", _rows.due_at_us <= bindparam("now")))
    .limit(1)
)


@asynccontextmanager
async def victim(url: str, port: int, ahead_us: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a delivery worker in a process, and kill the process with SIGKILL when the block ends. The worker's clock is
    `ahead_us` ahead of the machine's clock."""
    words = (sys.executable, "-m", "tests.harness.webhook_victim", url, str(port), str(ahead_us))
    process = await asyncio.create_subprocess_exec(*words)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def unfinished(story: WebhookStory) -> int:
    async with story.database.read() as tx:
        waiting, parked = await story.outbox.backlog(tx)
    assert parked == 0
    return waiting + sum(row["finished_at_us"] is None for row in await story.deliveries())


@pytest.mark.contract("S-102", "A-060")
async def test_delivery_is_not_lost_and_is_repeated_with_the_same_id_when_a_worker_is_killed(
    database: Database, database_url: str
):
    chance = random.Random(20_260_324)
    async with receiving() as receiver:
        story = await webhook_story(database, receiver)
        story.clock = HandClock(0)  # at time 0, so that deliveries are due in every run
        await story.subscribe(receiver.url())
        happened: list[tuple[str, str]] = []
        life = 0
        while life < KILLS or await unfinished(story):
            ahead_us = life * LIFE_US
            async with victim(database_url, receiver.port, ahead_us) as process:
                wanted = None
                if life < KILLS:
                    receiver.answers = [500 if chance.random() < 0.1 else 200 for _ in range(EVENTS_A_LIFE)]
                    for _ in range(EVENTS_A_LIFE):
                        key = f"inc_{chance.randrange(INCIDENTS)}"
                        happened.append((key, await story.happen(key)))
                    # Sometimes before anything is sent, sometimes in the middle.
                    wanted = len(receiver.received) + chance.choice([0, 1, chance.randrange(EVENTS_A_LIFE)])
                at_end = partial(_time_to_die, story, receiver, wanted, ahead_us)
                await eventually(partial(_at_end_or_dead, process, at_end), within_s=300, what="its end")
            life += 1
            assert life < 10 * KILLS + 40, "it never comes to an end"
        await story.close()
    ids = Counter(receiver.ids())
    assert set(ids) == {event_id for _, event_id in happened}
    states = Counter(row["status"] for row in await story.deliveries())
    assert states == {"succeeded": len(happened)}
    # Without repeated ids, a receiver gets each incident's events once and in order.
    seen = list(dict.fromkeys(receiver.ids()))
    for incident in {key for key, _ in happened}:
        in_order = [event_id for key, event_id in happened if key == incident]
        assert [event_id for event_id in seen if event_id in in_order] == in_order


async def _at_end_or_dead(process: asyncio.subprocess.Process, at_end: Callable[[], Awaitable[bool]]) -> bool:
    assert process.returncode is None, "it died by itself"
    return await at_end()


async def _time_to_die(story: WebhookStory, receiver: Receiver, wanted: int | None, ahead_us: int) -> bool:
    if wanted is not None and len(receiver.received) >= wanted:
        return True
    return await _idle(story, ahead_us)


async def _idle(story: WebhookStory, ahead_us: int) -> bool:
    """Return whether the worker has nothing left to do in this run: no event is pending, and no delivery is in progress
    or due."""
    now_us = SystemClock().now_us() + ahead_us
    async with story.database.read() as tx:
        waiting, _ = await story.outbox.backlog(tx)
        return not waiting and not await tx.driver.rows(_AT_WORK, {"now": now_us})


@pytest.mark.contract("A-062", "S-093", "S-100", "S-101")
@pytest.mark.parametrize("seed", COURSES)
@pytest.mark.parametrize("kind", ["fails", "hangs", "redirects", "down"])
@pytest.mark.parametrize("database_url", DATABASES, indirect=True)
async def test_receiver_that_fails_for_days_gets_delivery_attempts_at_the_documented_times(
    database: Database, kind: str, seed: int
):
    chance = random.Random(f"{kind} {seed}")
    acts: dict[str, int | Act] = {
        "fails": 500,
        "hangs": hanging,
        "redirects": respond_with(307, Location="/"),
        "down": 200,
    }
    async with receiving(always=acts[kind]) as troubled, receiving() as healthy:
        hopeless = troubled if kind == "hangs" else None
        story = await webhook_story(database, troubled, healthy, chance=chance.random, hopeless=hopeless)
        if kind == "down":
            story.allowed[0].port = await _closed_port()
            story.worker = story.another_worker()
        webhook = await story.subscribe(troubled.url() if kind != "down" else story.allowed[0].url())
        neighbour = await story.subscribe(healthy.url())
        begun_us = story.clock.now_us()
        for number in range(DAYS):
            await story.happen(f"inc_{number}")
            await _until(story, begun_us + (number + 1) * 86_400 * SECOND_US)
        await _until(story, begun_us + (DAYS + 1) * 86_400 * SECOND_US)
        row = await story.subscription(webhook)
        assert row["disabled_reason"] == "failing"
        assert row["disabled_at_us"] - begun_us >= DAYS * 86_400 * SECOND_US
        await _check_schedule(story, webhook.id)
        delivered = await story.deliveries(neighbour)
        assert [one["attempts"] for one in delivered] == [1] * (DAYS + 1)  # and `webhook.disabled`
        assert delivered[-1]["event"] == "webhook.disabled"
        await story.close()


async def _closed_port() -> int:
    async with receiving() as receiver:
        return receiver.port


async def _until(story: WebhookStory, end_us: int) -> None:
    """Advance the clock to each due time of a delivery up to `end_us`, deliver what is due, and end at `end_us`."""
    await story.turn()
    while True:
        due = [row["due_at_us"] for row in await story.deliveries() if row["due_at_us"] is not None]
        next_us = min((at_us for at_us in due if at_us <= end_us), default=None)
        if next_us is None:
            break
        await story.later(us=max(0, next_us - story.clock.now_us()))
    story.clock.advance(us=end_us - story.clock.now_us())


async def _check_schedule(story: WebhookStory, webhook_id: str) -> None:
    attempts = await story.attempts()
    for delivery in await story.deliveries():
        if delivery["webhook_id"] != webhook_id:
            continue
        times = [one["attempted_at_us"] for one in attempts if one["delivery_position"] == delivery["position"]]
        for number, (before_us, after_us) in enumerate(pairwise(times), start=1):
            waited = (after_us - before_us) / (DELAYS_S[number] * SECOND_US)
            assert 1 - JITTER <= waited <= 1 + JITTER + 1e-6, number
        assert delivery["status"] in ("exhausted", "discarded")
        assert len(times) == 10 or delivery["status"] == "discarded"


@pytest.mark.contract("S-100")
async def test_receiver_receives_all_events_in_order_after_three_days_of_failed_attempts(database: Database):
    async with receiving(always=503) as receiver:
        story = await webhook_story(database, receiver)
        await story.subscribe(receiver.url())
        begun_us = story.clock.now_us()
        happened = []
        for hour in range(40 if FULL else 8):
            happened.append(await story.happen("inc_1"))
            await _until(story, begun_us + (hour + 1) * 3600 * SECOND_US)
        receiver.always = 200
        before = len(receiver.received)
        await _until(story, begun_us + 3 * 86_400 * SECOND_US)
        assert receiver.ids()[before:] == happened
        assert set(receiver.ids()[:before]) == {happened[0]}
        await story.close()
