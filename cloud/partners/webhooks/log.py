"""Look at what was sent, send a test, send again: what the owner of a webhook does to find out and to make good.

A replay has the message's own `webhook-id` and octets, so a receiver that got it after all tells by the id. It has a
lane of its own for each key: it is in order within itself, and live events do not wait behind it. A long one is queued
in portions, the first at once and the others by whichever worker looks next.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.http import begin_trace
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import Viewer
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
    WebhookUnknown,
)
from cloud.partners.webhooks.log_store import Filter, Logged, LogStore
from cloud.partners.webhooks.messages import TEST_EVENT, message_body
from cloud.partners.webhooks.model import DeliveryKind, Subscription
from cloud.partners.webhooks.replay_store import Replay, ReplayMode, ReplayStore
from cloud.partners.webhooks.subscription_store import SubscriptionStore

TESTS_WAITING_MAX = 10
"""Tests of one webhook that wait for its receiver; a receiver that hangs must not collect them."""
PORTION = 500
"""Deliveries that one transaction repeats."""

Witness = Callable[[Transaction, Subscription], Awaitable[None]]
"""Writes the audit entry, in the transaction of what was done."""


class DeliveryLog:
    """The use cases."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._subscriptions = SubscriptionStore()
        self._deliveries = DeliveryStore()
        self._log = LogStore()
        self._replays = ReplayStore()
        self._queueing = ReplayQueue(ids)

    async def page(
        self, viewer: Viewer, webhook_id: str, wanted: Filter, *, before: int | None, count: int
    ) -> Sequence[Logged]:
        """What was sent to a webhook, the newest first. Raises `WebhookUnknown`."""
        async with self._database.read() as tx:
            await self._found(tx, viewer, webhook_id)
            return await self._log.page(tx, webhook_id, wanted, before=before, count=count)

    async def test(self, viewer: Viewer, webhook_id: str, witness: Witness, *, traceparent: str | None = None) -> str:
        """Queue a test, also for a disabled webhook; the delivery's id. Raises `WebhookUnknown`, `TooManyTests`."""
        id, now_us = self._ids.new("dlv_test"), self._clock.now_us()
        async with self._database.transaction() as tx:
            subscription = await self._found(tx, viewer, webhook_id, lock=True)
            if await self._log.tests_waiting(tx, webhook_id) >= TESTS_WAITING_MAX:
                raise TooManyTests
            new = NewDelivery(
                id=id,
                webhook_id=webhook_id,
                tenant_id=subscription.tenant_id,
                kind=DeliveryKind.TEST,
                event=TEST_EVENT,
                event_id=self._ids.new("evt"),
                lane=id,  # of its own: it waits for nothing
                body=message_body(TEST_EVENT, now_us, {"webhook_id": webhook_id, "delivery_id": id}),
                traceparent=traceparent or begin_trace(None).traceparent,
            )
            await self._deliveries.queue(tx, new, now_us)
            await witness(tx, subscription)
        return id

    async def replay_one(self, viewer: Viewer, webhook_id: str, delivery_id: str, by: str, witness: Witness) -> Replay:
        """Send it again. Raises `WebhookUnknown`, `WebhookDisabled`, `DeliveryUnknown`, `DeliveryUnfinished`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            subscription = await self._working(tx, viewer, webhook_id)
            row = await self._replays.delivery(tx, webhook_id, delivery_id)
            if row is None or row.kind == DeliveryKind.TEST.value:
                raise DeliveryUnknown
            if row.finished_at_us is None:
                raise DeliveryUnfinished
            new = self._replay(subscription, ReplayMode.ONE, by, None, None, now_us)
            new = replace(new, after_position=row.position, until_position=row.position, queued=1, done_at_us=now_us)
            await self._replays.add(tx, new)
            await self._queueing.queue(tx, new, [row], now_us)
            await witness(tx, subscription)
        return new

    async def replay_many(
        self,
        viewer: Viewer,
        webhook_id: str,
        mode: ReplayMode,
        by: str,
        witness: Witness,
        *,
        from_us: int,
        to_us: int | None = None,
    ) -> Replay:
        """Send all that failed since, or all of a range, again; its first portion is queued at once.

        Raises `WebhookUnknown`, `WebhookDisabled`, `ReplayMalformed`, `ReplayUnderWay`.
        """
        if to_us is not None and to_us <= from_us:
            raise ReplayMalformed
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            subscription = await self._working(tx, viewer, webhook_id)
            if await self._replays.is_under_way(tx, webhook_id):
                raise ReplayUnderWay
            new = self._replay(subscription, mode, by, from_us, to_us, now_us)
            new = replace(new, until_position=await self._replays.newest_position(tx, webhook_id))
            await self._replays.add(tx, new)
            new = await self._queueing.go_on(tx, new, now_us)
            await witness(tx, subscription)
        return new

    async def replay(self, viewer: Viewer, webhook_id: str, replay_id: str) -> Replay:
        """How far a replay has come. Raises `WebhookUnknown`, `ReplayUnknown`."""
        async with self._database.read() as tx:
            await self._found(tx, viewer, webhook_id)
            found = await self._replays.find(tx, webhook_id, replay_id)
        if found is None:
            raise ReplayUnknown
        return found

    async def _found(self, tx: Transaction, viewer: Viewer, webhook_id: str, *, lock: bool = False) -> Subscription:
        found = await self._subscriptions.find(tx, viewer, webhook_id, lock=lock)
        if found is None:
            raise WebhookUnknown
        return found

    async def _working(self, tx: Transaction, viewer: Viewer, webhook_id: str) -> Subscription:
        found = await self._found(tx, viewer, webhook_id, lock=True)
        if found.disabled_at_us is not None:
            raise WebhookDisabled
        return found

    def _replay(
        self, whose: Subscription, mode: ReplayMode, by: str, from_us: int | None, to_us: int | None, now_us: int
    ) -> Replay:
        return Replay(
            id=self._ids.new("rpl"),
            webhook_id=whose.id,
            tenant_id=whose.tenant_id,
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
    """Queues the deliveries of replays. `step` is a chore."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._replays = ReplayStore()
        self._deliveries = DeliveryStore()
        self._endpoints = EndpointStore()

    async def step(self, tx: Transaction, now_us: int) -> int:
        """The next portion of some replay; how many deliveries were queued."""
        replay = await self._replays.any_open(tx)
        if replay is None:
            return 0
        endpoint = (await self._endpoints.endpoints(tx, [replay.webhook_id])).get(replay.webhook_id)
        if endpoint is None or endpoint.deleted_at_us is not None or endpoint.disabled_at_us is not None:
            await self._advance(tx, replace(replay, done_at_us=now_us))
            return 0
        return (await self.go_on(tx, replay, now_us)).queued - replay.queued

    async def go_on(self, tx: Transaction, replay: Replay, now_us: int) -> Replay:
        """Queue a portion; the replay as it then is."""
        found = await self._replays.portion(tx, replay, PORTION)
        wanted = list(found)
        if found and replay.mode is ReplayMode.FAILED:
            brought = await self._replays.got_through(tx, replay.webhook_id, [row.event_id for row in found])
            wanted = [row for row in found if row.event_id not in brought]
        await self.queue(tx, replay, wanted, now_us)
        last = len(found) < PORTION
        after = replace(
            replay,
            after_position=replay.until_position if last else found[-1].position,
            queued=replay.queued + len(wanted),
            done_at_us=now_us if last else None,
        )
        await self._advance(tx, after)
        return after

    async def queue(self, tx: Transaction, replay: Replay, rows: Sequence[Any], now_us: int) -> None:
        """Repeat these, in their order. `rows` are the store's."""
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

    async def _advance(self, tx: Transaction, replay: Replay) -> None:
        await self._replays.advance(
            tx,
            replay.id,
            after_position=replay.after_position,
            queued=replay.queued,
            done_at_us=replay.done_at_us,
        )
