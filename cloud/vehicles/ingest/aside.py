"""Add batches to quarantine, and report forged ones.

A refusal is reported once for the same bytes: a gateway with a wrong key resends all day, and an unknown sender must
not be able to fill the outbox. Batches of unknown senders are not reported, since their tenant is only a claim.
"""

import hashlib
from typing import assert_never

from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
from cloud.vehicles.custody import Kept, Reason, SetAside, set_aside
from cloud.vehicles.fleet import GatewayDirectory
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.batch_events import BatchEvents
from cloud.vehicles.ingest.opening import Opened, Refused
from cloud.vehicles.ingest.verdicts import Forged, Malformed, Refusal, ShutOut, UnknownGateway


class Aside:
    """Add batches to quarantine within one transaction."""

    def __init__(self, tx: Transaction, outbox: Outbox, now_us: int) -> None:
        self._tx = tx
        self._events = BatchEvents(tx, outbox, now_us)
        self._now_us = now_us
        self._directory = GatewayDirectory()

    async def refused(self, one: Refused) -> None:
        """Add a refused delivery; emit an event for a forged batch."""
        delivery = one.delivery
        claimed = one.envelope.batch if one.envelope is not None else None
        reason, detail = _reason(one.refusal)
        kept = await self._set_aside(
            SetAside(
                tenant_id=delivery.tenant_id,
                gateway_id=delivery.gateway_id,
                reason=reason,
                detail=detail,
                octets_hash=hashlib.sha256(delivery.octets).digest(),
                octets=delivery.octets,
                epoch=claimed.epoch if claimed is not None else None,
                lane=delivery.lane.value,
                sequence=claimed.sequence if claimed is not None else None,
            )
        )
        if kept and isinstance(one.refusal, Forged):
            gateway = await self._directory.find(self._tx, delivery.tenant_id, delivery.gateway_id)
            assert gateway is not None, "a forged batch names a registered gateway, and none is ever deleted"
            await self._events.emit_for(gateway, event_types.BATCH_FORGED, {"lane": delivery.lane.value})

    async def authentic(self, one: Opened, reason: Reason, detail: str, *, keep: bool) -> bool:
        """Add a signed batch. `keep`: its bytes are stored nowhere else. True when it was not in quarantine before."""
        octets = one.delivery.octets
        return await self._listed(one, reason, detail, one.batch.sequence, one.hash, octets if keep else None)

    async def broken(self, one: Opened, sequence: int, hash_: bytes) -> None:
        """Add the batch at `sequence` in the lane of `one`, which does not follow its predecessor. The batch itself is
        stored in the chain.
        """
        await self._listed(one, Reason.CHAIN_BROKEN, "it does not follow the batch before it", sequence, hash_, None)

    async def _listed(
        self, one: Opened, reason: Reason, detail: str, sequence: int, hash_: bytes, octets: bytes | None
    ) -> bool:
        return await self._set_aside(
            SetAside(
                tenant_id=one.gateway.tenant_id,
                gateway_id=one.gateway.id,
                reason=reason,
                detail=detail,
                octets_hash=hash_,
                octets=octets,
                epoch=one.batch.epoch,
                lane=one.batch.lane.value,
                sequence=sequence,
            )
        )

    async def _set_aside(self, batch: SetAside) -> bool:
        """Return whether the batch was added and was not in quarantine before."""
        match await set_aside(self._tx, batch, now_us=self._now_us):
            case Kept(first_time):
                return first_time
            case _:
                return False


def _reason(refusal: Refusal) -> tuple[Reason, str]:
    match refusal:
        case Malformed(reason):
            return Reason.MALFORMED, reason
        case UnknownGateway():
            return Reason.UNKNOWN_GATEWAY, "nobody registered this gateway"
        case ShutOut(access):
            return Reason.SHUT_OUT, f"the gateway is {access}"
        case Forged():
            return Reason.FORGED, "the signature is not the registered key's"
        case _:
            assert_never(refusal)
