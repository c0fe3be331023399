"""A worker reaches each webhook with due deliveries, however many other webhooks have pending ones."""

from typing import Any

import pytest

from cloud.foundation.db import Prepared
from cloud.partners.webhooks import DeliveryWorker
from cloud.partners.webhooks.in_flight import InFlight
from cloud.partners.webhooks.lease_store import DUE_WEBHOOKS
from tests.builders.webhook_story import CLOSED, UPDATED, WebhookStory
from tests.cloud.webhooks.conftest import Begin
from tests.harness.receiver import receiving

EXAMINED_MAX = 2
QUEUE = 100
"""Deliveries of a webhook, more than one claim takes."""


@pytest.fixture(autouse=True)
def short_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one query examine only two webhooks."""
    monkeypatch.setattr("cloud.partners.webhooks.claiming.DUE_WEBHOOKS_MAX", EXAMINED_MAX)


class Queries:
    """A database that counts the queries for due webhooks."""

    def __init__(self, story: WebhookStory) -> None:
        self._database = story.database
        self.count = 0

    async def peek(self, statement: Prepared, values: Any) -> Any:
        self.count += statement is DUE_WEBHOOKS
        return await self._database.peek(statement, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


def worker_of(story: WebhookStory) -> tuple[DeliveryWorker, Queries]:
    """Return the worker of another process, whose queries are counted."""
    queries = Queries(story)
    database: Any = queries
    return story.another_worker(database, InFlight(story.limits)), queries


async def test_webhook_is_served_beside_many_others_whose_retries_are_due_later(begin: Begin):
    async with receiving(always=500) as failing, receiving() as receiver:
        story = await begin(failing, receiver)
        for number in range(2 * EXAMINED_MAX + 1):
            await story.subscribe(failing.url(f"/{number}"))
        await story.subscribe(receiver.url(), CLOSED)
        await story.happen(type=UPDATED)
        assert await story.turn() == 2 * EXAMINED_MAX + 1
        await story.happen(type=CLOSED)
        assert await story.turn() == 1
        assert len(receiver.received) == 1


async def test_query_for_due_webhooks_continues_after_the_last_one_until_all_are_examined(begin: Begin):
    async with receiving(always=500) as failing:
        story = await begin(failing)
        for number in range(2 * EXAMINED_MAX + 1):
            await story.subscribe(failing.url(f"/{number}"))
        await story.happen()
        await story.turn()
        worker, queries = worker_of(story)
        assert await worker.step() == 0
        assert queries.count == 3  # of two, two and one webhooks
        story.clock.advance(us=5_000_000)  # the first retries
        claimed = [await worker.step() for _ in range(4)]
        assert claimed == [2, 2, 1, 0]


async def test_webhooks_with_long_queues_take_turns_with_those_behind_them(begin: Begin):
    async with receiving() as busy, receiving() as receiver:
        story = await begin(busy, receiver)
        for number in range(EXAMINED_MAX):
            await story.subscribe(busy.url(f"/{number}"))
        await story.subscribe(receiver.url(), CLOSED)
        for number in range(QUEUE):
            await story.happen(f"inc_{number}")
        await story.happen("inc_closed", CLOSED)
        await story.fan_out()
        worker, _ = worker_of(story)
        await worker.step()
        assert receiver.received == []
        await worker.step()
        assert len(receiver.received) == 1
        assert len(busy.received) < EXAMINED_MAX * QUEUE
