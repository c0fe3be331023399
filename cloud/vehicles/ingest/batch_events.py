"""Collect the domain events about batches, and emit them in the transaction that writes the batches."""

from collections.abc import Mapping
from typing import Any

from cloud.foundation.db import Transaction
from cloud.foundation.events import NewEvent, Outbox
from cloud.vehicles.custody import Reason
from cloud.vehicles.fleet import RegisteredGateway
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.opening import Opened
from protocols.uplink.envelope import Batch


def place_of(batch: Batch) -> dict[str, Any]:
    """Return the position of a batch as event fields: epoch (life of the gateway's store), lane (numbered stream of
    batches) and sequence number."""
    return {"epoch": batch.epoch, "lane": batch.lane.value, "sequence": batch.sequence}


def set_aside_event(why: Reason, reason: str) -> tuple[str, dict[str, Any]]:
    """Return the type and the payload of the event that reports a batch stored only as an envelope. `why` is the
    quarantine reason, and `reason` the description for the operator."""
    if why is Reason.UNREADABLE:
        return event_types.BATCH_UNREADABLE, {"reason": reason}
    return event_types.BATCH_SET_ASIDE, {"why": why.value, "reason": reason}


class BatchEvents:
    """The events of one transaction. `write` stores them with one statement. The gateway id is the events' key, so a
    gateway's events keep their order."""

    def __init__(self, tx: Transaction, outbox: Outbox, now_us: int) -> None:
        self._tx = tx
        self._outbox = outbox
        self._now_us = now_us
        self._added: list[NewEvent] = []
        self.traceparents: set[str] = set()
        """The trace contexts of the batches that caused events."""

    def add(self, one: Opened, event_type: str, payload: Mapping[str, Any]) -> None:
        """Add an event about a batch, with the trace context of the batch."""
        self.add_for(one.gateway, event_type, payload, traceparent=one.traceparent)

    def add_for(
        self, gateway: RegisteredGateway, event_type: str, payload: Mapping[str, Any], *, traceparent: str | None = None
    ) -> None:
        """Add an event about a gateway. The gateway's id is added to the payload."""
        if traceparent is not None:
            self.traceparents.add(traceparent)
        payload = {"gateway_id": gateway.id, **payload}
        self._added.append(NewEvent(event_type, gateway, gateway.id, payload, self._now_us, traceparent))

    async def write(self) -> None:
        """Store the events that were added since the last call."""
        added, self._added = self._added, []
        await self._outbox.emit_all(self._tx, added)
