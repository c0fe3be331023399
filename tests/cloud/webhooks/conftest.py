"""Fixtures of the webhook tests: a webhook story (event relay and delivery workers with one clock) on either database.

The connections of the story are closed after the test.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cloud.foundation.db import Database
from tests.builders.webhook_story import WebhookStory, webhook_story

Begin = Callable[..., Awaitable[WebhookStory]]
"""`await begin(receiver, …)` is `webhook_story` on the test's database."""


@pytest.fixture
async def begin(database: Database) -> AsyncIterator[Begin]:
    begun: list[WebhookStory] = []

    async def begin_one(*allowed: object, **more: object) -> WebhookStory:
        story = await webhook_story(database, *allowed, **more)
        begun.append(story)
        return story

    yield begin_one
    for story in begun:
        await story.close()
