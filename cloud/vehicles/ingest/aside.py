"""Put batches in quarantine, and emit an event for forged ones.

The same refused bytes are reported once, because a gateway with a wrong key resends all day. Batches of unknown senders
cause no event: the tenant in their topic is only a claim, and the events would fill the outbox.
"""

import hashlib
from dataclasses import replace

from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
from cloud.vehicles.custody import Kept, Reason, SetAside, set_aside
from cloud.vehicles.fleet import GatewayDirectory, RegisteredGateway
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.batch_events import BatchEvents
from cloud.vehicles.ingest.opening import Opened, Refused
from protocols.uplink.envelope import Batch


class Aside:
    """Put batches in quarantine within one transaction."""

    def __init__(self, tx: Transaction, outbox: Outbox, now_us: int) -> None:
        self._tx = tx
        self._events = BatchEvents(tx, outbox, now_us)
        self._now_us = now_us
        self._directory = GatewayDirectory()

    async def refused(self, one: Refused) -> None:
        """Put a refused delivery in quarantine. If its batch is forged and was not yet in quarantine, emit an event."""
        delivery = one.delivery
        claimed = one.envelope.batch if one.envelope is not None else None
        kept = await self._set_aside(
            SetAside(
                tenant_id=delivery.tenant_id,
                gateway_id=delivery.gateway_id,
                reason=one.reason,
                detail=one.detail,
                octets_hash=hashlib.sha256(delivery.octets).digest(),
                octets=delivery.octets,
                epoch=claimed.epoch if claimed is not None else None,
                lane=delivery.lane.value,
                sequence=claimed.sequence if claimed is not None else None,
            )
        )
        if kept and one.reason is Reason.FORGED:
            gateway = await self._directory.find(self._tx, delivery.tenant_id, delivery.gateway_id)
            assert gateway is not None, "a forged batch names a registered gateway, and none is ever deleted"
            await self._events.emit_for(gateway, event_types.BATCH_FORGED, {"lane": delivery.lane.value})

    async def authentic(self, one: Opened, reason: Reason, detail: str, *, keep: bool) -> bool:
        """Quarantine a batch that has a valid signature. Return True if the batch was not yet in quarantine. `keep`:
        store the batch's bytes too, because they are stored nowhere else."""
        octets = one.delivery.octets if keep else None
        return await self.add_signed(one.gateway, one.batch, reason, detail, octets_hash=one.hash, octets=octets)

    async def broken(self, one: Opened, sequence: int, hash_: bytes) -> None:
        """Put the batch at `sequence` in quarantine, because its link to its predecessor is broken. `hash_` is the
        chain hash of this batch, and `one` is any batch of the same lane."""
        batch = replace(one.batch, sequence=sequence)
        why = "it does not follow the batch before it"
        await self.add_signed(one.gateway, batch, Reason.CHAIN_BROKEN, why, octets_hash=hash_)

    async def add_signed(
        self,
        gateway: RegisteredGateway,
        batch: Batch,
        reason: Reason,
        detail: str,
        *,
        octets_hash: bytes,
        octets: bytes | None = None,
    ) -> bool:
        """Put a gateway's batch in quarantine. Return True if the batch was not yet in quarantine. `octets` is None
        when the chain of custody stores the batch's bytes."""
        return await self._set_aside(
            SetAside(
                tenant_id=gateway.tenant_id,
                gateway_id=gateway.id,
                reason=reason,
                detail=detail,
                octets_hash=octets_hash,
                octets=octets,
                epoch=batch.epoch,
                lane=batch.lane.value,
                sequence=batch.sequence,
            )
        )

    async def _set_aside(self, batch: SetAside) -> bool:
        """Put a batch in quarantine. Return True if a new row was written for it."""
        return await set_aside(self._tx, batch, now_us=self._now_us) == Kept(first_time=True)
