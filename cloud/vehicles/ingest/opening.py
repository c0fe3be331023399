"""Open one delivery: decode the envelope, verify its signature, unpack its payload.

This expensive work is done before a transaction begins, without database or clock. The bytes of an authentic batch that
cannot be read are stored for a newer cloud, and its lane continues.

A batch that may be staged is acknowledged before its rows are written, so its columns are decoded then; first only the
head of its payload is read (`unpacks=False`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from cloud.clinical.observations import ObservationColumns, Unstorable, columns_of
from cloud.clinical.waveforms import WaveformObject
from cloud.vehicles.custody import LaneKey, Reason
from cloud.vehicles.fleet import GatewayAccess, GatewayName, RegisteredGateway
from cloud.vehicles.ingest.quotas import Need, Quota
from cloud.vehicles.ingest.signatures import is_signed
from cloud.vehicles.ingest.source import BatchDelivery
from protocols.epcr.change import FieldChange
from protocols.errors import RemoteProtocolError
from protocols.uplink.block_runs import BlockHead, read_head
from protocols.uplink.envelope import Batch, BatchKind, Envelope, decode_envelope
from protocols.uplink.epcr import decode_changes
from protocols.uplink.events import GatewayEvent, decode_event
from protocols.uplink.gaps import Gap, decode_gap
from protocols.uplink.limits import BLOCK_BYTES_MAX, LimitExceeded
from protocols.uplink.observations import body_bytes, decode_columns

Read = TypeVar("Read")

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class CareChanges:
    """The payload of an ePCR batch: field changes of care records, in their order."""

    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class UnreadablePayload:
    """The payload of an authentic batch that this version cannot read or store.

    `reason` is a sentence about the broken rule; it contains nothing of the payload. `why` is the code under which the
    batch is quarantined, one of those for batches that the chain has and that have no rows (`WITHOUT_ROWS`).
    """

    reason: str
    why: Reason = Reason.UNREADABLE


@dataclass(frozen=True, slots=True)
class ParkedPayload:
    """A payload that is unpacked later, because the gateway exceeds `quota`."""

    quota: Quota


RowContent = ObservationColumns | GatewayEvent | CareChanges
"""Content that is written as database rows of its own."""
UnpackedContent = RowContent | Gap | UnreadablePayload | ParkedPayload
OpenedContent = UnpackedContent | BlockHead
"""The content of an opened batch. A `BlockHead` stands for observations that are not decoded yet; only `staging` takes
such batches, and `unpacked` decodes those that it does not take."""


@dataclass(frozen=True, slots=True)
class PackedPlace:
    """The place of an envelope in a packed object: the first byte and the size of its entry. `batches` is the number of
    envelopes of this entry."""

    object: WaveformObject
    position: int
    size_bytes: int
    batches: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A batch with a verified signature. `hash` is the batch's chain hash. `packed` is None while the envelope is in no
    packed object. `staged_at_us` is when a staged object made the batch durable; None: it is not acknowledged yet."""

    delivery: BatchDelivery
    gateway: RegisteredGateway
    envelope: Envelope
    hash: bytes
    content: OpenedContent
    packed: PackedPlace | None = None
    staged_at_us: int | None = None
    _lane_key: LaneKey | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def batch(self) -> Batch:
        return self.envelope.batch

    @property
    def lane_key(self) -> LaneKey:
        """Return the key of the batch's lane, made at the first access: ingest reads it some twenty times."""
        known = self._lane_key
        if known is None:
            batch = self.envelope.batch
            known = LaneKey(self.gateway.tenant_id, self.gateway.id, batch.epoch, batch.lane)
            object.__setattr__(self, "_lane_key", known)
        return known

    @property
    def gateway_name(self) -> GatewayName:
        """Return tenant and id of the gateway whose quotas are charged for the batch."""
        return self.gateway.tenant_id, self.gateway.id

    @property
    def need(self) -> Need:
        """Return the number of units of each quota that storing the batch uses, not counting new devices."""
        return need_of(self.batch, len(self.delivery.octets))

    @property
    def traceparent(self) -> str | None:
        """Return the envelope's W3C trace context, which is not signed; None when it is absent or invalid."""
        told = self.envelope.traceparent
        return told if told is not None and _TRACEPARENT.fullmatch(told) else None


@dataclass(frozen=True, slots=True)
class Refused:
    """A delivery that is not authentic: it goes to quarantine and is never acknowledged. `detail` describes the broken
    rule, never the payload. `envelope` is untrusted, and None when the bytes cannot be decoded. `gateway` is the
    gateway with whose key the signature was compared; None when it was not compared."""

    delivery: BatchDelivery
    reason: Reason
    detail: str
    envelope: Envelope | None = None
    gateway: RegisteredGateway | None = None


def open_delivery(
    delivery: BatchDelivery,
    gateway: RegisteredGateway | None,
    *,
    exhausted: Quota | None = None,
    unpacks: bool = True,
) -> Opened | Refused:
    """Decode and verify one delivery, and unpack its payload. `gateway` is the gateway that the topic names, None when
    it is not registered. `exhausted` is a quota that the gateway has used up: batches, except gap records, are then
    parked without being unpacked. Without `unpacks`, only the head of observations is read."""
    try:
        envelope = decode_envelope(delivery.octets)
    except RemoteProtocolError as error:
        return Refused(delivery, Reason.MALFORMED, str(error))
    batch = envelope.batch
    if gateway is None:
        return Refused(delivery, Reason.UNKNOWN_GATEWAY, "the tenant has no gateway of this id", envelope)
    if gateway.access is not GatewayAccess.ACTIVE:
        return Refused(delivery, Reason.SHUT_OUT, f"the gateway is {gateway.access}", envelope)
    if batch.gateway != delivery.gateway_id or batch.lane is not delivery.lane:
        foreign = "the envelope is not for the topic that it came by"
        return Refused(delivery, Reason.MALFORMED, foreign, envelope)
    chain_hash = batch.hash
    if not is_signed(chain_hash, envelope.signature, gateway.public_key):
        return Refused(delivery, Reason.FORGED, "the signature is not the registered key's", envelope, gateway)
    return Opened(
        delivery=delivery,
        gateway=gateway,
        envelope=envelope,
        hash=chain_hash,
        content=_content(batch, exhausted, unpacks=unpacks),
    )


def unpacked(one: Opened) -> Opened:
    """Return the batch with its observations, if only their head was read."""
    return replace(one, content=unpack(one.batch)) if isinstance(one.content, BlockHead) else one


def need_of(batch: Batch, envelope_bytes: int) -> Need:
    """Return the quota units that storing a batch uses, except those of new devices, without unpacking the batch."""
    unpacked = body_bytes(batch.payload) if batch.kind is BatchKind.OBSERVATIONS else 0
    return Need(rows=batch.count, bytes=envelope_bytes + min(unpacked, BLOCK_BYTES_MAX))


def unpack(batch: Batch) -> UnpackedContent:
    """Return the decoded payload of an authentic batch; an `UnreadablePayload` when this version cannot read it."""
    return _readable(_decoded, batch)


def _content(batch: Batch, exhausted: Quota | None, *, unpacks: bool) -> OpenedContent:
    if exhausted is not None and batch.kind is not BatchKind.GAP:
        return ParkedPayload(exhausted)
    return unpack(batch) if unpacks or batch.kind is not BatchKind.OBSERVATIONS else _readable(_head, batch)


def _readable(read: Callable[[Batch], Read], batch: Batch) -> Read | UnreadablePayload:
    try:
        return read(batch)
    except LimitExceeded as error:
        return UnreadablePayload(str(error), Reason.OVER_LIMIT)
    except (RemoteProtocolError, Unstorable) as error:
        return UnreadablePayload(str(error))


def _decoded(batch: Batch) -> UnpackedContent:
    match batch.kind:
        case BatchKind.OBSERVATIONS:
            return columns_of(decode_columns(batch.payload, announced_count=batch.count))
        case BatchKind.EVENT:
            return decode_event(batch.payload)
        case BatchKind.GAP:
            return _gap(batch)
        case BatchKind.EPCR:
            return CareChanges(tuple(decode_changes(batch.payload, announced_count=batch.count)))


def _head(batch: Batch) -> BlockHead:
    return read_head(batch.payload, announced_count=batch.count)


def _gap(batch: Batch) -> Gap:
    gap = decode_gap(batch.payload)
    if gap.from_sequence != batch.sequence or gap.chain_before != batch.previous_hash:
        raise RemoteProtocolError("the gap is not the one of its envelope", clause="uplink gap v1")
    return gap
