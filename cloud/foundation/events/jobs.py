"""The background work of domain events: deliver them to their subscribers; and the retention of delivered ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cloud.foundation.db import Database
from cloud.foundation.events.relay import Relay, Subscriber
from cloud.foundation.events.store import Outbox
from cloud.foundation.events.tables import outbox_events
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.observability import EVENTS_PARKED, EVENTS_WAITING, Metrics, Sampler
from cloud.foundation.process import Process, Role
from cloud.foundation.retention import AgedRows, Kind
from cloud.foundation.supplies import Need
from cloud.foundation.tracing import spans_of


@dataclass(frozen=True, slots=True)
class Subscribers:
    """The subscribers of domain events. `after` is called after events were delivered to them."""

    each: Sequence[Subscriber]
    after: Callable[[], None]


SUBSCRIBERS: Need[Callable[[Process], Subscribers]] = Need("the subscribers of events")


KINDS = (
    Kind(
        name="events",
        meaning="domain events after their delivery; pending and parked ones are kept",
        default_days=30,
        sweep=lambda: AgedRows(outbox_events, outbox_events.c.done_at_us),
    ),
)


def jobs(process: Process) -> Jobs:
    outbox = Outbox(process.ids)
    loops = []
    if Role.WORKER in process.roles:
        found = process.supplies[SUBSCRIBERS](process)
        spans = process.shared(spans_of)
        relay = Relay(process.database, outbox, found.each, process.clock, found.after, spans)
        loops.append(Loop("relay", relay.run))
    return Jobs(
        loops=loops,
        samplers=[("events", events_sampler(process.database, outbox))],
    )


def events_sampler(database: Database, outbox: Outbox) -> Sampler:
    """Return the function that sets the metrics of pending and of parked domain events at each scrape."""

    async def sample(metrics: Metrics) -> None:
        async with database.read() as tx:
            waiting, parked = await outbox.backlog(tx)
        metrics.set(EVENTS_WAITING, waiting)
        metrics.set(EVENTS_PARKED, parked)

    return sample
