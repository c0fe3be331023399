"""Relay events to their subscribers, and remove those that were delivered long ago."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cloud.foundation.db import Database
from cloud.foundation.events.relay import Relay, Subscriber
from cloud.foundation.events.store import Outbox
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.observability import EVENTS_PARKED, EVENTS_WAITING, Metrics, Sampler
from cloud.foundation.process import Process, Role
from cloud.foundation.supplies import Need


@dataclass(frozen=True, slots=True)
class Subscribers:
    """Who takes events, and what is called after some were taken."""

    each: Sequence[Subscriber]
    after: Callable[[], None]


SUBSCRIBERS: Need[Callable[[Process], Subscribers]] = Need("the subscribers of events")


def jobs(process: Process) -> Jobs:
    outbox = Outbox(process.ids)
    loops = []
    if Role.WORKER in process.roles:
        found = process.supplies[SUBSCRIBERS](process)
        relay = Relay(process.database, outbox, found.each, process.clock, found.after)
        loops.append(Loop("relay", relay.run))
    return Jobs(
        loops=loops,
        chores=[Chore("outbox_events", outbox.sweep)],
        samplers=[("events", events_sampler(process.database, outbox))],
    )


def events_sampler(database: Database, outbox: Outbox) -> Sampler:
    """Set how many domain events are pending, and how many were parked."""

    async def sample(metrics: Metrics) -> None:
        async with database.read() as tx:
            waiting, parked = await outbox.backlog(tx)
        metrics.set(EVENTS_WAITING, waiting)
        metrics.set(EVENTS_PARKED, parked)

    return sample
