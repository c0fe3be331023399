"""Open one delivery: decode the envelope, verify its signature, unpack its content. No database, no clock.

All expensive work is here, before a transaction is open. A delivery that cannot be trusted becomes a `Refused`. A batch
that is authentic but cannot be read stays an authentic batch with `UnreadablePayload`: its bytes are kept, so that a
newer cloud can read them, and its lane continues.
"""

import hashlib
import re
from dataclasses import dataclass

from cloud.clinical.observations import ObservationColumns, Unstorable, columns_of
from cloud.vehicles.custody import LaneKey, Reason
from cloud.vehicles.fleet import GatewayAccess, RegisteredGateway
from cloud.vehicles.ingest.quota_store import GatewayName
from cloud.vehicles.ingest.quotas import Need, Quota
from cloud.vehicles.ingest.source import BatchDelivery
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import Batch, BatchKind, Envelope, batch_hash, decode_envelope, verify_hash
from protocols.uplink.events import GatewayEvent, decode_event
from protocols.uplink.gaps import Gap, decode_gap
from protocols.uplink.limits import BLOCK_BYTES_MAX, LimitExceeded
from protocols.uplink.observations import body_bytes, decode_block

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class KeptPayload:
    """A kind of batch that no slice reads yet; its envelope is kept whole."""


@dataclass(frozen=True, slots=True)
class UnreadablePayload:
    """The content of an authentic batch that this version cannot read or store.

    `reason` names the rule, never the content; `why` is one of `WITHOUT_ROWS`.
    """

    reason: str
    why: Reason = Reason.UNREADABLE


@dataclass(frozen=True, slots=True)
class ParkedPayload:
    """The quota that the gateway exceeds; the batch is unpacked later."""

    quota: Quota


UnpackedContent = ObservationColumns | GatewayEvent | Gap | KeptPayload | UnreadablePayload | ParkedPayload


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An authentic batch. `signed_by` is the fingerprint of the gateway's key, `hash` the chain hash of the batch."""

    delivery: BatchDelivery
    gateway: RegisteredGateway
    envelope: Envelope
    hash: bytes
    payload_hash: bytes
    signed_by: str
    content: UnpackedContent

    @property
    def batch(self) -> Batch:
        return self.envelope.batch

    @property
    def lane_key(self) -> LaneKey:
        return LaneKey(self.gateway.tenant_id, self.gateway.id, self.batch.epoch, self.batch.lane)

    @property
    def gateway_name(self) -> GatewayName:
        """Return the gateway whose quotas the batch is charged to."""
        return self.gateway.tenant_id, self.gateway.id

    @property
    def need(self) -> Need:
        """Return the units of its gateway's quotas that storing it uses."""
        return need_of(self.batch, len(self.delivery.octets))

    @property
    def traceparent(self) -> str | None:
        """Return the trace context if it is valid. It is not signed, so an invalid one is ignored and the batch is
        accepted.
        """
        told = self.envelope.traceparent
        return told if told is not None and _TRACEPARENT.fullmatch(told) else None


@dataclass(frozen=True, slots=True)
class Refused:
    """A delivery that is not authentic: quarantined under `reason`, and never acknowledged.

    `detail` quotes the rule, never the content. `envelope` is the decoded claim, None when it is not an envelope.
    """

    delivery: BatchDelivery
    reason: Reason
    detail: str
    envelope: Envelope | None = None


def open_delivery(
    delivery: BatchDelivery, gateway: RegisteredGateway | None, *, exhausted: Quota | None = None
) -> Opened | Refused:
    """Open one delivery.

    `gateway` is the one that the topic names, None when it is not registered. `exhausted` is a quota that it has used
    up, so that its batches are not unpacked now.
    """
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
    payload_hash = hashlib.sha256(batch.payload).digest()
    chain_hash = batch_hash(batch, payload_hash)
    if not verify_hash(chain_hash, envelope.signature, gateway.public_key):
        return Refused(delivery, Reason.FORGED, "the signature is not the registered key's", envelope)
    return Opened(
        delivery=delivery,
        gateway=gateway,
        envelope=envelope,
        hash=chain_hash,
        payload_hash=payload_hash,
        signed_by=key_fingerprint(gateway.public_key),
        content=unpack(batch) if exhausted is None or batch.kind is BatchKind.GAP else ParkedPayload(exhausted),
    )


def need_of(batch: Batch, envelope_bytes: int) -> Need:
    """Return the units of its gateway's quotas that storing a batch uses, without unpacking it. The caller adds the new
    devices, since it knows which are new.
    """
    unpacked = body_bytes(batch.payload) if batch.kind is BatchKind.OBSERVATIONS else 0
    return Need(rows=batch.count, bytes=envelope_bytes + min(unpacked, BLOCK_BYTES_MAX))


def key_fingerprint(public_key: bytes) -> str:
    """Return custody's identifier of a key: the first 128 bits of its SHA-256, in hex."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def unpack(batch: Batch) -> UnpackedContent:
    """Return the content of an authentic batch, as far as this version can read it."""
    try:
        match batch.kind:
            case BatchKind.OBSERVATIONS:
                return _observations(batch)
            case BatchKind.EVENT:
                return decode_event(batch.payload)
            case BatchKind.GAP:
                return _gap(batch)
            case BatchKind.EPCR:
                return KeptPayload()
    except LimitExceeded as error:
        return UnreadablePayload(str(error), Reason.OVER_LIMIT)
    except (RemoteProtocolError, Unstorable) as error:
        return UnreadablePayload(str(error))


def _observations(batch: Batch) -> ObservationColumns:
    return columns_of(decode_block(batch.payload, announced_count=batch.count))


def _gap(batch: Batch) -> Gap:
    gap = decode_gap(batch.payload)
    if gap.from_sequence != batch.sequence or gap.chain_before != batch.previous_hash:
        raise RemoteProtocolError("the gap is not the one of its envelope", clause="uplink gap v1")
    return gap
