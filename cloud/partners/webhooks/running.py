"""Build the webhook worker, its periodic jobs and the check of webhook addresses from the settings."""

import random

from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.egress import Egress, Target, allow_list
from cloud.foundation.events import Outbox, Subscribers
from cloud.foundation.housekeeping import Chore
from cloud.foundation.http import Parts
from cloud.foundation.ids import Ids
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.process import Process, Role
from cloud.foundation.settings import Settings
from cloud.foundation.tracing import spans_of
from cloud.partners.webhooks.backlog import webhooks_sampler
from cloud.partners.webhooks.callbacks import CallbackQueue
from cloud.partners.webhooks.catalogue import public_event
from cloud.partners.webhooks.fan_out import FanOut
from cloud.partners.webhooks.governing import HostGovernance, OrphanedWebhooks
from cloud.partners.webhooks.log import ReplayQueue
from cloud.partners.webhooks.service import Judge
from cloud.partners.webhooks.settling import Settling
from cloud.partners.webhooks.worker import DeliveryWorker


def make_judge(settings: Settings) -> Judge:
    """Return a function that checks whether webhooks may call an address. The first call creates the HTTP client that
    the function uses."""
    made: list[Egress] = []

    async def judge(text: str) -> Target:
        if not made:
            made.append(Egress(allow_list(settings)))
        return await made[0].judge(text)

    return judge


def judge_of(parts: Parts) -> Judge:
    """Return the function that checks whether webhooks may call an address. Call this as `parts.shared(judge_of)`, so
    that the process has one HTTP client."""
    return make_judge(parts.settings)


def callback_queue(settings: Settings, clock: Clock, ids: Ids) -> CallbackQueue:
    """Make the queue of call-backs, which jobs need."""
    return CallbackQueue(clock, ids, make_judge(settings))


def worker_of(process: Process) -> DeliveryWorker:
    """Create the process's delivery worker without starting it. Call it as `process.shared(worker_of)`, so that the
    event relay wakes the same worker that runs."""
    clock = process.clock
    # Spreads retries; not a secret.
    settling = Settling(clock, Outbox(process.ids), Audit(clock), random.Random().random)  # noqa: S311
    egress = Egress(allow_list(process.settings))
    spans = process.shared(spans_of)
    return DeliveryWorker(process.database, clock, egress, process.master, settling, spans=spans)


def subscribers_of(process: Process) -> Subscribers:
    """Return the subscribers that turn events into deliveries and wake the worker."""
    return Subscribers((FanOut(process.clock, process.ids, public_event),), process.shared(worker_of).wake)


def jobs(process: Process) -> Jobs:
    ids, audit = process.ids, Audit(process.clock)
    loops = []
    if Role.WORKER in process.roles:
        loops.append(Loop("deliveries", process.shared(worker_of).run))
    return Jobs(
        loops=loops,
        watches=[
            # One batch for each run: a long replay of one tenant is spread over time, beside the deliveries of others.
            Chore("webhook_replays", ReplayQueue(ids).step, repeats=False),
            Chore("webhook_hosts", HostGovernance(Outbox(ids), audit).apply),
            Chore("webhook_apps", OrphanedWebhooks(audit).apply),
        ],
        samplers=[("webhooks", webhooks_sampler(process.database, process.clock))],
    )
