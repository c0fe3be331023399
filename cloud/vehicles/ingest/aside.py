"""Collect batches for the quarantine, and report forged ones and those that are stored only as an envelope.

The same refused bytes are reported once, because a gateway with a wrong key resends all day. Batches of unknown senders
cause no event: the tenant in their topic is only a claim, and the events would fill the outbox.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloud.foundation.db import Transaction
from cloud.vehicles.custody import Reason, SetAside, set_aside
from cloud.vehicles.fleet import RegisteredGateway
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.batch_events import BatchEvents, place_of, set_aside_event
from cloud.vehicles.ingest.opening import Opened, Refused
from protocols.uplink.envelope import Batch

_Report = tuple[RegisteredGateway, str, Mapping[str, Any], str | None]
"""Gateway, type, payload and trace context of an event."""


class Aside:
    """The batches of one transaction that are put in quarantine. `write` stores all of them."""

    def __init__(self, tx: Transaction, events: BatchEvents, now_us: int) -> None:
        self._tx = tx
        self._events = events
        self._now_us = now_us
        self._added: list[tuple[SetAside, _Report | None]] = []

    def add_refused(self, one: Refused) -> None:
        """Put a refused delivery in quarantine. If its batch is forged and was not yet in quarantine, an event reports
        it."""
        delivery = one.delivery
        claimed = one.envelope.batch if one.envelope is not None else None
        report: _Report | None = None
        if one.reason is Reason.FORGED:
            assert one.gateway is not None, "the signature was compared with the key of a registered gateway"
            report = one.gateway, event_types.BATCH_FORGED, {"lane": delivery.lane.value}, None
        self._added.append(
            (
                SetAside(
                    tenant_id=delivery.tenant_id,
                    gateway_id=delivery.gateway_id,
                    reason=one.reason,
                    detail=one.detail,
                    epoch=claimed.epoch if claimed is not None else None,
                    lane=delivery.lane.value,
                    sequence=claimed.sequence if claimed is not None else None,
                    octets_hash=hashlib.sha256(delivery.octets).digest(),
                    octets=delivery.octets,
                ),
                report,
            )
        )

    def add_conflict(self, one: Opened) -> None:
        """Put a batch in quarantine whose sequence number another batch has. Its bytes are stored nowhere else."""
        detail = "another batch has this sequence"
        self._add_signed(
            one.gateway, one.batch, Reason.CONFLICT, detail, octets_hash=one.hash, octets=one.delivery.octets
        )

    def add_broken(self, one: Opened, sequence: int, hash_: bytes) -> None:
        """Put the batch at `sequence` in quarantine, because its link to its predecessor is broken. `hash_` is the
        chain hash of this batch, and `one` is any batch of the same lane."""
        batch = replace(one.batch, sequence=sequence)
        self._add_signed(
            one.gateway, batch, Reason.CHAIN_BROKEN, "it does not follow the batch before it", octets_hash=hash_
        )

    def add_unreadable(
        self,
        gateway: RegisteredGateway,
        batch: Batch,
        why: Reason,
        reason: str,
        *,
        octets_hash: bytes,
        traceparent: str | None = None,
    ) -> None:
        """Put a batch in quarantine that the chain of custody stores without rows. If it was not yet in quarantine, an
        event reports it. `why` is the quarantine reason, and `reason` the description for the operator."""
        event_type, payload = set_aside_event(why, reason)
        report = gateway, event_type, {**place_of(batch), **payload}, traceparent
        self._add_signed(gateway, batch, why, reason, octets_hash=octets_hash, report=report)

    def _add_signed(
        self,
        gateway: RegisteredGateway,
        batch: Batch,
        reason: Reason,
        detail: str,
        *,
        octets_hash: bytes,
        octets: bytes | None = None,
        report: _Report | None = None,
    ) -> None:
        self._added.append(
            (
                SetAside(
                    tenant_id=gateway.tenant_id,
                    gateway_id=gateway.id,
                    reason=reason,
                    detail=detail,
                    epoch=batch.epoch,
                    lane=batch.lane.value,
                    sequence=batch.sequence,
                    octets_hash=octets_hash,
                    octets=octets,
                ),
                report,
            )
        )

    async def write(self) -> None:
        """Store the batches that were added since the last call, and add the events of the new ones."""
        added, self._added = self._added, []
        new = await set_aside(self._tx, [one for one, _ in added], now_us=self._now_us)
        for (_, report), is_new in zip(added, new, strict=True):
            if report is not None and is_new:
                gateway, event_type, payload, traceparent = report
                self._events.add_for(gateway, event_type, payload, traceparent=traceparent)
