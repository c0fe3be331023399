"""Read the deliveries of a webhook, send a test delivery, replay deliveries.

A replay repeats the `webhook-id` and the bytes of the message, so that a receiver recognises the repetition. In a
replay each event key has a lane (an ordered queue) of its own, so deliveries keep their order and live events are not
queued behind them. A long replay is queued in batches: the first with the request, the others by a periodic job of any
worker.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.moments import write_moment
from cloud.foundation.trace import begin_trace
from cloud.foundation.viewer import Actor, Viewer
from cloud.partners.webhooks.delivery_store import DeliveryStore, NewDelivery
from cloud.partners.webhooks.endpoint_store import EndpointStore
from cloud.partners.webhooks.errors import (
    DeliveryUnfinished,
    DeliveryUnknown,
    ReplayMalformed,
    ReplayUnderWay,
    ReplayUnknown,
    TooManyTests,
    WebhookDisabled,
)
from cloud.partners.webhooks.log_store import Filter, Logged, LogStore
from cloud.partners.webhooks.messages import TEST_EVENT, message_body
from cloud.partners.webhooks.model import DeliveryKind, Subscription
from cloud.partners.webhooks.replay_store import Replay, ReplayMode, ReplayStore
from cloud.partners.webhooks.subscription_store import SubscriptionStore

PENDING_TESTS_MAX = 10
"""Pending tests of one webhook; a receiver that hangs must not collect more."""
REPLAY_BATCH = 500
"""Deliveries that one transaction queues again. It blocks SQLite's only writer for some milliseconds."""


class DeliveryLog:
    """Read the delivery log of a webhook, queue tests and replays."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._subscriptions = SubscriptionStore()
        self._deliveries = DeliveryStore()
        self._log = LogStore()
        self._replays = ReplayStore()
        self._queueing = ReplayQueue(ids)
        self._audit = Audit(clock)

    async def page(
        self, viewer: Viewer, webhook_id: str, wanted: Filter, *, before: int | None, count: int
    ) -> Sequence[Logged]:
        """Return at most `count` deliveries of a webhook, newest first. `before`: only deliveries before this position
        in the log; None: begin with the newest. Raises `WebhookUnknown`."""
        async with self._database.read() as tx:
            await self._subscriptions.find(tx, viewer, webhook_id)
            return await self._log.page(tx, webhook_id, wanted, before=before, count=count)

    async def test(self, actor: Actor, webhook_id: str) -> str:
        """Queue a test delivery of a webhook, even of a disabled one; return the delivery's id. Raises
        `WebhookUnknown`, `TooManyTests`."""
        id, now_us = self._ids.new("dlv_test"), self._clock.now_us()
        async with self._database.transaction() as tx:
            subscription = await self._subscriptions.find(tx, actor, webhook_id, lock=True)
            if await self._log.pending_tests(tx, webhook_id) >= PENDING_TESTS_MAX:
                raise TooManyTests
            new = NewDelivery(
                id=id,
                webhook_id=webhook_id,
                tenant_id=subscription.tenant_id,
                kind=DeliveryKind.TEST,
                event=TEST_EVENT,
                event_id=self._ids.new("evt"),
                lane=id,  # its own lane, so it is behind no other delivery
                body=message_body(TEST_EVENT, now_us, {"webhook_id": webhook_id, "delivery_id": id}),
                traceparent=actor.traceparent or begin_trace(None).traceparent,
            )
            await self._deliveries.queue(tx, new, now_us)
            await self._audit.record(tx, actor, "webhook.test", webhook_id)
        return id

    async def replay_one(self, actor: Actor, webhook_id: str, delivery_id: str) -> Replay:
        """Queue one finished delivery again. Raises `WebhookUnknown`, `WebhookDisabled`, `DeliveryUnknown`,
        `DeliveryUnfinished`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            subscription = await self._working(tx, actor, webhook_id)
            row = await self._replays.delivery(tx, webhook_id, delivery_id)
            if row is None or row.kind == DeliveryKind.TEST.value:
                raise DeliveryUnknown
            if row.finished_at_us is None:
                raise DeliveryUnfinished
            new = self._replay(subscription, ReplayMode.ONE, actor.subject, None, None, now_us)
            new = replace(new, after_position=row.position, until_position=row.position, queued=1, done_at_us=now_us)
            await self._replays.add(tx, new)
            await self._queueing.queue(tx, new, [row], now_us)
            await self._record_replay(tx, actor, webhook_id, {"delivery_id": delivery_id})
        return new

    async def replay_many(
        self, actor: Actor, webhook_id: str, mode: ReplayMode, *, from_us: int, to_us: int | None = None
    ) -> Replay:
        """Start a replay of all failed deliveries since `from_us`, or of all deliveries from `from_us` until before
        `to_us`. `mode` chooses between the two. The first batch is queued at once. Raises `WebhookUnknown`,
        `WebhookDisabled`, `ReplayMalformed`, `ReplayUnderWay`."""
        if to_us is not None and to_us <= from_us:
            raise ReplayMalformed
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            subscription = await self._working(tx, actor, webhook_id)
            if await self._replays.is_under_way(tx, webhook_id):
                raise ReplayUnderWay
            new = self._replay(subscription, mode, actor.subject, from_us, to_us, now_us)
            new = replace(new, until_position=await self._replays.newest_position(tx, webhook_id))
            await self._replays.add(tx, new)
            new = await self._queueing.advance(tx, new, now_us)
            if mode is ReplayMode.FAILED:
                metadata = {"failed_since": write_moment(from_us)}
            else:
                metadata = {"since": write_moment(from_us), "until": write_moment(to_us)}
            await self._record_replay(tx, actor, webhook_id, metadata)
        return new

    async def begin_replay(
        self,
        actor: Actor,
        webhook_id: str,
        *,
        delivery_id: str | None = None,
        failed_since_us: int | None = None,
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> Replay:
        """Replay one delivery, all failed deliveries since a time, or all deliveries in a time range (`until_us`
        optional). Raises `ReplayMalformed` (also for any other combination of arguments), `WebhookUnknown`,
        `WebhookDisabled`, `DeliveryUnknown`, `DeliveryUnfinished`, `ReplayUnderWay`."""
        match (delivery_id, failed_since_us, since_us, until_us):
            case (str(id), None, None, None):
                return await self.replay_one(actor, webhook_id, id)
            case (None, int(from_us), None, None):
                return await self.replay_many(actor, webhook_id, ReplayMode.FAILED, from_us=from_us)
            case (None, None, int(from_us), to_us):
                return await self.replay_many(actor, webhook_id, ReplayMode.RANGE, from_us=from_us, to_us=to_us)
            case _:
                raise ReplayMalformed

    async def _record_replay(
        self, tx: Transaction, actor: Actor, webhook_id: str, metadata: Mapping[str, str | None]
    ) -> None:
        given = {name: value for name, value in metadata.items() if value is not None}
        await self._audit.record(tx, actor, "webhook.replay", webhook_id, metadata=given)

    async def replay(self, viewer: Viewer, webhook_id: str, replay_id: str) -> Replay:
        """Return a replay with its progress. Raises `WebhookUnknown`, `ReplayUnknown`."""
        async with self._database.read() as tx:
            await self._subscriptions.find(tx, viewer, webhook_id)
            found = await self._replays.find(tx, webhook_id, replay_id)
        if found is None:
            raise ReplayUnknown
        return found

    async def _working(self, tx: Transaction, viewer: Viewer, webhook_id: str) -> Subscription:
        found = await self._subscriptions.find(tx, viewer, webhook_id, lock=True)
        if found.disabled_at_us is not None:
            raise WebhookDisabled
        return found

    def _replay(
        self, owner: Subscription, mode: ReplayMode, by: str, from_us: int | None, to_us: int | None, now_us: int
    ) -> Replay:
        return Replay(
            id=self._ids.new("rpl"),
            webhook_id=owner.id,
            tenant_id=owner.tenant_id,
            asked_by=by,
            mode=mode,
            from_us=from_us,
            to_us=to_us,
            after_position=0,
            until_position=0,
            queued=0,
            created_at_us=now_us,
            done_at_us=None,
        )


class ReplayQueue:
    """Queue the deliveries of replays in batches. `step` is a periodic job."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._replays = ReplayStore()
        self._deliveries = DeliveryStore()
        self._endpoints = EndpointStore()

    async def step(self, tx: Transaction, now_us: int) -> int:
        """Queue the next batch of one unfinished replay; return the number of queued deliveries. If the webhook is
        disabled or deleted, end the replay instead."""
        replay = await self._replays.unfinished(tx)
        if replay is None:
            return 0
        endpoint = (await self._endpoints.endpoints(tx, [replay.webhook_id])).get(replay.webhook_id)
        if endpoint is None or endpoint.deleted_at_us is not None or endpoint.disabled_at_us is not None:
            await self._replays.save(tx, replace(replay, done_at_us=now_us))
            return 0
        return (await self.advance(tx, replay, now_us)).queued - replay.queued

    async def advance(self, tx: Transaction, replay: Replay, now_us: int) -> Replay:
        """Queue the next batch of a replay; return the replay with the new progress."""
        found = await self._replays.batch(tx, replay, REPLAY_BATCH)
        wanted = list(found)
        if found and replay.mode is ReplayMode.FAILED:
            delivered = await self._replays.delivered(tx, replay.webhook_id, [row.event_id for row in found])
            wanted = [row for row in found if row.event_id not in delivered]
        await self.queue(tx, replay, wanted, now_us)
        last = len(found) < REPLAY_BATCH
        after = replace(
            replay,
            after_position=replay.until_position if last else found[-1].position,
            queued=replay.queued + len(wanted),
            done_at_us=now_us if last else None,
        )
        await self._replays.save(tx, after)
        return after

    async def queue(self, tx: Transaction, replay: Replay, rows: Sequence[Any], now_us: int) -> None:
        """Queue stored deliveries again as part of a replay, in the order of `rows`."""
        for row in rows:
            new = NewDelivery(
                id=self._ids.new("dlv"),
                webhook_id=replay.webhook_id,
                tenant_id=replay.tenant_id,
                kind=DeliveryKind.REPLAY,
                event=row.event,
                event_id=row.event_id,
                lane=f"{replay.id} {row.lane.rpartition(' ')[2]}",
                body=row.body,
                traceparent=row.traceparent or begin_trace(None).traceparent,
                replay_id=replay.id,
            )
            await self._deliveries.queue(tx, new, now_us)
