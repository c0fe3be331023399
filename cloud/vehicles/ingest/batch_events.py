"""Emit domain events about batches, within the transaction that writes the batches."""

from collections.abc import Mapping
from typing import Any

from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
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
    """Emit events within one transaction. The gateway id is the events' key, so a gateway's events keep their order."""

    def __init__(self, tx: Transaction, outbox: Outbox, now_us: int) -> None:
        self._tx = tx
        self._outbox = outbox
        self._now_us = now_us

    async def emit(self, one: Opened, event_type: str, payload: Mapping[str, Any]) -> None:
        """Emit an event about a batch, with the trace context of the batch."""
        await self.emit_for(one.gateway, event_type, payload, traceparent=one.traceparent)

    async def emit_for(
        self, gateway: RegisteredGateway, event_type: str, payload: Mapping[str, Any], *, traceparent: str | None = None
    ) -> None:
        """Emit an event about a gateway. The gateway's id is added to the payload."""
        payload = {"gateway_id": gateway.id, **payload}
        await self._outbox.emit(
            self._tx, event_type, gateway, key=gateway.id, payload=payload, at_us=self._now_us, traceparent=traceparent
        )
