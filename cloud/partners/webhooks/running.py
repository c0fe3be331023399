"""The sending of webhooks put together from the settings, for a process that plays the worker's role."""

import random
from collections.abc import Sequence

from cloud.access.audit import Audit
from cloud.access.tokens.place import load_master_key
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.egress import AllowList, Egress, Target
from cloud.foundation.events import Outbox, Subscriber
from cloud.foundation.housekeeping import Chore
from cloud.foundation.ids import Ids
from cloud.partners.webhooks.catalogue import public_event
from cloud.partners.webhooks.delivery_store import DeliveryStore
from cloud.partners.webhooks.fan_out import FanOut
from cloud.partners.webhooks.governing import HostGovernance, OrphanedWebhooks
from cloud.partners.webhooks.log import ReplayQueue
from cloud.partners.webhooks.service import Judge
from cloud.partners.webhooks.settling import Settling
from cloud.partners.webhooks.worker import DeliveryWorker
from cloud.settings import Settings


def allow_list(settings: Settings) -> AllowList:
    """The operator's exact pairs."""
    return AllowList([(pair.host, pair.port) for pair in settings.egress.allow])


def make_worker(settings: Settings, database: Database, clock: Clock, ids: Ids) -> DeliveryWorker:
    """Wire it; nothing is sent yet."""
    return DeliveryWorker(
        database,
        clock,
        Egress(allow_list(settings)),
        lambda: load_master_key(settings),
        # Chance spreads retries; nobody gains by guessing it.
        Settling(clock, Outbox(ids), Audit(clock), random.Random().random),  # noqa: S311
    )


def make_judge(settings: Settings) -> Judge:
    """Whether an address may be called, for a process that registers addresses. Its client is made when first asked."""
    made: list[Egress] = []

    async def judge(text: str) -> Target:
        if not made:
            made.append(Egress(allow_list(settings)))
        return await made[0].judge(text)

    return judge


def subscribers(clock: Clock, ids: Ids) -> Sequence[Subscriber]:
    """Who turns events into deliveries."""
    return (FanOut(clock, ids, public_event),)


def chores() -> Sequence[Chore]:
    """List the expiring rows. Deliveries first: a replay stays until its last delivery is deleted."""
    store = DeliveryStore()
    return (Chore("webhook_deliveries", store.sweep), Chore("finished_replays", store.sweep_replays))


def watches(clock: Clock, ids: Ids) -> Sequence[Chore]:
    """What somebody waits for."""
    return (
        # A chunk a run: what one tenant replays is spread over time, beside what the others are sent.
        Chore("webhook_replays", ReplayQueue(ids).step, repeats=False),
        Chore("webhook_hosts", HostGovernance(Outbox(ids), Audit(clock)).apply),
        Chore("webhook_apps", OrphanedWebhooks(Audit(clock)).apply),
    )
