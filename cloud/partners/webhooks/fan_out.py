"""Queue a delivery of a domain event for each endpoint that receives the event, in the transaction that marks the event
as done. So if a process is killed, an event that is done has all its deliveries, and an event that is not done has
none.
"""

from collections.abc import Sequence

from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.events import DomainEvent
from cloud.foundation.ids import Ids
from cloud.foundation.trace import continued
from cloud.partners.webhooks.delivery_store import DeliveryStore, NewDelivery
from cloud.partners.webhooks.endpoint_store import EndpointStore, Listener
from cloud.partners.webhooks.messages import DISABLED_EVENT, PublicEvent, Translate, message_body, untranslated
from cloud.partners.webhooks.model import DeliveryKind


class FanOut:
    """A `Subscriber` of the event relay that turns domain events into queued deliveries."""

    def __init__(self, clock: Clock, ids: Ids, translate: Translate = untranslated) -> None:
        self._clock = clock
        self._ids = ids
        self._translate = translate
        self._deliveries = DeliveryStore()
        self._endpoints = EndpointStore()

    async def take(self, tx: Transaction, event: DomainEvent) -> None:
        """Queue a delivery of an event for each webhook that receives the event. For a disabled webhook, store the
        delivery as discarded."""
        if event.type == DISABLED_EVENT:
            disabled_id = str(event.payload["webhook_id"])
            listeners = await self._endpoints.neighbours(
                tx, disabled_id, lane=event.key, tenant=event.tenant_id, organization=event.organization_id
            )
            await self._queue(tx, event, PublicEvent(event.type, event.payload), DeliveryKind.NOTICE, listeners)
            return
        public = self._translate(event)
        if public is None:
            return
        listeners = await self._endpoints.listeners(
            tx,
            public.type,
            lane=event.key,
            tenant=event.tenant_id,
            organization=event.organization_id,
            secrecy=public.secrecy,
            scope=public.scope,
        )
        await self._queue(tx, event, public, DeliveryKind.EVENT, listeners)

    async def _queue(
        self,
        tx: Transaction,
        event: DomainEvent,
        public: PublicEvent,
        kind: DeliveryKind,
        listeners: Sequence[Listener],
    ) -> None:
        if not listeners:
            return
        body = message_body(public.type, event.at_us, public.data)
        traceparent = continued(event.traceparent)
        queued: list[tuple[NewDelivery, bool]] = []
        missed: list[NewDelivery] = []
        for listener in listeners:
            new = NewDelivery(
                id=self._ids.new("dlv"),
                webhook_id=listener.id,
                tenant_id=event.tenant_id,
                kind=kind,
                event=public.type,
                event_id=event.id,
                lane=event.key,
                body=body,
                traceparent=traceparent,
            )
            if listener.disabled:
                missed.append(new)
            else:
                queued.append((new, listener.occupied))
        await self._deliveries.queue_all(tx, queued, missed, self._clock.now_us())
