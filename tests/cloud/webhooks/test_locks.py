"""Changes of a webhook, the creation of its deliveries and their completion never deadlock.

PostgreSQL resolves a deadlock after a second: one of the transactions fails. A deadlock would lose no data, but an
owner would get the error that the database is unavailable, and deliveries would pause.
"""

import asyncio

import pytest
from structlog.testing import capture_logs

from cloud.foundation.db import open_database
from cloud.partners.webhooks import ErrorCode
from cloud.partners.webhooks.delivery_store import DeliveryStore
from cloud.partners.webhooks.subscription_store import SubscriptionStore
from tests.builders.webhook_story import webhook_story
from tests.harness.databases import database, database_url, migrated_sqlite, postgresql
from tests.harness.eventually import eventually
from tests.harness.receiver import receiving

__all__ = ["database", "database_url", "migrated_sqlite", "postgresql"]

ROUNDS = 12
LANES = 3
TROUBLE = {"relay.interrupted", "event.postponed", "event.lease_lost", "deliveries.interrupted"}


@pytest.mark.pg
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_event_fan_out_completes_while_another_transaction_locks_the_webhook_to_disable_it(database_url: str):
    """Fan-out locks the head of a lane and then the webhook's row; disabling locks the row and then the heads."""
    database = await open_database(database_url)
    async with receiving() as receiver:
        story = await webhook_story(database, receiver)
        webhook = await story.subscribe(receiver.url())
        await story.happen("inc_1")
        await story.fan_out()
        await story.happen("inc_1")
        async with database.transaction() as tx:
            assert await SubscriptionStore().find(tx, story.home.operator, webhook.id, lock=True) is not None
            async with asyncio.timeout(30):
                await story.fan_out()
            found = await DeliveryStore().discard_pending(
                tx, webhook.id, ErrorCode.ENDPOINT_DISABLED, story.clock.now_us(), tests=False
            )
        assert found == 2
        await story.close()
    await database.close()


async def test_event_fan_out_and_delivery_and_webhook_disabling_do_not_deadlock_when_concurrent(database):
    async with receiving() as receiver:
        story = await webhook_story(database, receiver)
        webhooks = [await story.subscribe(receiver.url(f"/{number}")) for number in range(3)]
        workers = [story.another_worker(), story.another_worker()]
        relays = [story.another_relay(workers[0].wake), story.another_relay(workers[1].wake)]
        stopping = asyncio.Event()
        store, deliveries = SubscriptionStore(), DeliveryStore()

        async def tell() -> None:
            for number in range(ROUNDS * 4):
                await story.happen(f"inc_{number % LANES}")

        async def disable(id: str) -> None:
            for _ in range(ROUNDS):
                async with database.transaction() as tx:
                    await store.find(tx, story.home.operator, id, lock=True)
                    await deliveries.discard_pending(tx, id, ErrorCode.ENDPOINT_DISABLED, 1, tests=False)

        async def finished() -> bool:
            async with database.read() as tx:
                if (await story.outbox.backlog(tx))[0]:
                    return False
            return all(row["finished_at_us"] is not None for row in await story.deliveries())

        with capture_logs() as logs:
            async with asyncio.TaskGroup() as running:
                for part in (*workers, *relays):
                    running.create_task(part.run(stopping))
                async with asyncio.TaskGroup() as doing:
                    doing.create_task(tell())
                    for webhook in webhooks:
                        doing.create_task(disable(webhook.id))
                await eventually(finished, within_s=60)
                stopping.set()
        await story.close()
        assert not [line for line in logs if line["event"] in TROUBLE]
        states = {row["status"] for row in await story.deliveries()}
        assert states <= {"succeeded", "discarded"}
