"""Webhooks for tests: an app with subscriptions, events, delivery workers, and a clock that the test moves.

Nothing runs in the background: `await story.turn()` lets the relay and a worker do all work that is due.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from cloud.access.apps import Apps, Wanted
from cloud.access.audit import Audit
from cloud.foundation.db import Database, Transaction, insert
from cloud.foundation.egress import AllowList, Egress
from cloud.foundation.events import Outbox, Relay
from cloud.foundation.ids import UlidIds
from cloud.foundation.tracing import Spans
from cloud.foundation.viewer import SecrecyLevel, Viewer
from cloud.partners.webhooks import DeliveryWorker, FanOut, Settling, new_secret, secret_key
from cloud.partners.webhooks.in_flight import InFlight, Limits
from cloud.partners.webhooks.sealing import seal_key
from cloud.partners.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_events, webhook_subscriptions
from tests.builders.auth_world import MASTER
from tests.builders.cloud_people import HandClock, Household, household
from tests.builders.egress_names import Names
from tests.harness.impatient_egress import ImpatientEgress
from tests.harness.receiver import Receiver

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
UPDATED, CLOSED = "incident.updated", "incident.closed"


@dataclass
class WebhookStory:
    """The relay and the workers on one database, with one clock. `allowed` are the webhook receivers that the operator
    has allowed."""

    database: Database
    home: Household
    clock: HandClock
    allowed: list[Receiver]
    chance: Callable[[], float] = lambda: 0.5
    """Random numbers for the jitter of retries; with 0.5 a retry is exactly at the scheduled time."""
    hopeless: Receiver | None = None
    """A receiver that never responds, whose requests time out soon. Requests to all other receivers get the time
    they need, so that results do not depend on the machine's speed."""
    request_s_max: float = 60.0
    names: Names = field(default_factory=Names)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.ids = UlidIds(self.clock)
        self.outbox = Outbox(self.ids)
        self.spans = Spans(self.database)
        self._egresses: list[Egress] = []
        self.relay = self.another_relay()
        self.in_flight = InFlight(self.limits)
        self.worker = self.another_worker(in_flight=self.in_flight)

    def record_in(self, spans: Spans) -> None:
        """Record spans in the recorder of another part, as in one process. Call it before anything else."""
        self.spans = spans
        self.relay = self.another_relay()
        self.worker = self.another_worker(in_flight=self.in_flight)

    def another_relay(self, after: Callable[[], None] | None = None) -> Relay:
        return Relay(self.database, self.outbox, [FanOut(self.clock, self.ids)], self.clock, after, self.spans)

    def another_worker(self, database: Database | None = None, in_flight: InFlight | None = None) -> DeliveryWorker:
        """Return the delivery worker of a second process, on the same database or on the given one."""
        allowed = AllowList([receiver.pair for receiver in self.allowed])
        if self.hopeless is None:
            egress = Egress(allowed, self.names, request_s_max=self.request_s_max)
        else:
            egress = ImpatientEgress(allowed, self.names, self.hopeless.port, request_s_max=self.request_s_max)
        self._egresses.append(egress)
        return DeliveryWorker(
            database or self.database,
            self.clock,
            egress,
            lambda: MASTER,
            Settling(self.clock, self.outbox, Audit(self.clock), self.chance),
            in_flight or InFlight(self.limits),
            self.spans,
        )

    async def close(self) -> None:
        """Close the connections of all workers."""
        for egress in self._egresses:
            await egress.close()

    async def subscribe(
        self,
        url: str,
        *events: str,
        secret: str | None = None,
        home: Household | None = None,
        whole_tenant: bool = False,
        clearance: SecrecyLevel = SecrecyLevel.STANDARD,
    ) -> "Webhook":
        """Create a subscription for the app of a tenant; return the subscription's id and secret.

        `home` is the tenant, by default the story's own. `events` are the types of events, by default
        `incident.updated`.
        """
        home = home or self.home
        secret = secret or new_secret()
        id, now_us = self.ids.new("wh"), self.clock.now_us()
        client_id = f"app_{home.tenant.id}"
        row = {
            "id": id,
            "tenant_id": home.tenant.id,
            "organization_id": None if whole_tenant else home.organization.id,
            "client_id": client_id,
            "secrecy_level": int(clearance),
            "url": url,
            "secret_sealed": seal_key(MASTER, id, secret_key(secret)),
            "secret_set_at_us": now_us,
            "version": 1,
            "created_at_us": now_us,
            "updated_at_us": now_us,
        }
        async with self.database.transaction() as tx:
            await tx.execute(insert(webhook_subscriptions).values(**row))
            for event in events or (UPDATED,):
                await tx.execute(insert(webhook_events).values(webhook_id=id, event=event))
        return Webhook(id, secret)

    async def rotate(self, webhook: "Webhook", *, overlap_us: int = DAY_US) -> "Webhook":
        """Rotate the subscription's secret; return the webhook with the new secret. The previous secret stays valid for
        `overlap_us`."""
        secret = new_secret()
        await self.change(
            webhook.id,
            secret_sealed=seal_key(MASTER, webhook.id, secret_key(secret)),
            previous_secret_sealed=seal_key(MASTER, webhook.id, secret_key(webhook.secret)),
            previous_secret_expires_at_us=self.clock.now_us() + overlap_us,
        )
        return replace(webhook, secret=secret)

    async def change(self, webhook_id: str, **values: Any) -> None:
        """Set columns of a subscription's row."""
        statement = webhook_subscriptions.update().where(webhook_subscriptions.c.id == webhook_id)
        async with self.database.transaction() as tx:
            await tx.execute(statement.values(**values))

    async def happen(
        self, key: str = "inc_1", type: str = UPDATED, *, home: Household | None = None, **data: Any
    ) -> str:
        """Emit an event about the incident `key` in the organisation of `home`, by default the story's own tenant.
        Return the event's id."""
        async with self.database.transaction() as tx:
            return await self.emit(tx, key, type, home=home, **data)

    async def emit(
        self,
        tx: Transaction,
        key: str,
        type: str = UPDATED,
        *,
        home: Household | None = None,
        traceparent: str | None = None,
        **data: Any,
    ) -> str:
        home = home or self.home
        return await self.outbox.emit(
            tx,
            type,
            Viewer(home.tenant.id, home.organization.id),
            key=key,
            payload={"incident_id": key, **data},
            at_us=self.clock.now_us(),
            traceparent=traceparent,
        )

    async def fan_out(self) -> None:
        """Let the relay turn every pending event into deliveries."""
        while await self.relay.step():
            pass

    async def turn(self) -> int:
        """Let the relay and the worker do all work that is due now; return the number of attempted deliveries."""
        await self.fan_out()
        attempted = 0
        while count := await self.worker.step():
            attempted += count
            await self.fan_out()
        return attempted

    async def later(self, *, us: int = 0, hours: float = 0, days: float = 0) -> int:
        """Advance the clock, and do all work that is due; return the number of attempted deliveries."""
        self.clock.advance(us=us + round(hours * HOUR_US + days * DAY_US))
        return await self.turn()

    async def deliveries(self, webhook: "Webhook | None" = None) -> list[dict[str, Any]]:
        """Return the rows of all webhook deliveries, oldest first. With `webhook`, return only the deliveries of that
        webhook."""
        statement = select(webhook_deliveries).order_by(webhook_deliveries.c.position)
        if webhook is not None:
            statement = statement.where(webhook_deliveries.c.webhook_id == webhook.id)
        return await self._rows(statement)

    async def attempts(self) -> list[dict[str, Any]]:
        order = webhook_attempts.c.delivery_position, webhook_attempts.c.number
        return await self._rows(select(webhook_attempts).order_by(*order))

    async def subscription(self, webhook: "Webhook") -> dict[str, Any]:
        (row,) = await self._rows(select(webhook_subscriptions).where(webhook_subscriptions.c.id == webhook.id))
        return row

    async def _rows(self, statement: Any) -> list[dict[str, Any]]:
        async with self.database.read() as tx:
            return [dict(row._mapping) for row in await tx.execute(statement)]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription's id, and its secret as the subscriber stores it."""

    id: str
    secret: str


async def webhook_story(database: Database, *allowed: Receiver, **more: Any) -> WebhookStory:
    """Create the tenant `tnt_north` and the app that owns its subscriptions; return the event relay and the delivery
    workers on this database.

    `allowed` are the receivers that the operator allowed; `more` are further fields of the story.
    """
    clock = HandClock()
    home = await household(database, clock)
    story = WebhookStory(database, home, clock, list(allowed), **more)
    await add_app(story, home)
    return story


async def add_app(story: WebhookStory, home: Household) -> None:
    """Register the app that owns the subscriptions of a tenant."""
    wanted = Wanted(
        name="Case sync", scopes=("webhooks:write",), client_id=f"app_{home.tenant.id}", clearance=SecrecyLevel.SECRET
    )
    await Apps(story.database, story.clock, story.ids).register(home.operator, wanted, by_operator=True)
