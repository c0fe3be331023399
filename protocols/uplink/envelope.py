"""One batch in transit: the signed content, the signature, and the fields that may differ each time it is sent.

A batch is identified by gateway, epoch (one life of the gateway's store), lane and sequence (DESIGN D3). Its hash
covers every field of the batch, and the hash of the previous batch of its lane (DESIGN D7). So if two batches with one
identity and different hashes arrive, the cloud detects that two gateways use one name. Two fields of the envelope are
unsigned, since they may change between sends: whether the batch is historical, and its trace. The signature is Ed25519
over a context string and the hash, so a signature made for another purpose is not valid here.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.provenance.hash_chain import HASH_BYTES, link_hash
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import (
    BATCH_COUNT_MAX,
    ENVELOPE_BYTES_MAX,
    IDENTIFIER_LENGTH_MAX,
    PAYLOAD_BYTES_MAX,
    SEQUENCE_MAX,
)
from protocols.uplink.topics import is_identifier
from protocols.uplink.wire import WireReader, WireWriter

VERSION = 1
SIGNATURE_BYTES = 64
TRACEPARENT_BYTES_MAX = 64
KEYS_CACHED = 4_096
"""Decoded public keys that are kept: those of the gateways of a large fleet."""
NAMES_CACHED = 16_384
"""Names of gateways, epochs and boots that are kept, with 64 bytes at most: those of as many gateways."""
_CLAUSE = "uplink envelope v1"
_SIGNATURE_CONTEXT = b"argus/v1/batch-signature\x00"
_HISTORICAL, _HAS_TRACEPARENT = 1, 2


class BatchKind(StrEnum):
    """Kind of payload of a batch: an observation block, a gateway event, a change to an ePCR draft, or a gap record."""

    OBSERVATIONS = "observations"
    EVENT = "event"
    EPCR = "epcr"
    GAP = "gap"


_LANES = tuple(Lane)
_KINDS = tuple(BatchKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Content of one lane in one commit of a gateway.

    `count` is the number of observations or events in `payload`. `created_at_us` is the gateway's wall clock at the
    commit, in µs; it may be years off until that clock is synchronised. `boot_id` identifies the machine boot during
    which the commit was made. `previous_hash` is the hash of the previous batch of the lane, `hash_chain.genesis` for
    the first. The `sequence` of a gap record is the first of the sequences that it replaces (`gaps`).
    """

    gateway: str
    epoch: str
    lane: Lane
    sequence: int
    kind: BatchKind
    count: int
    created_at_us: int
    boot_id: str
    previous_hash: bytes
    payload: bytes
    _hash: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def hash(self) -> bytes:
        """Chain hash of the batch: 32 bytes over every field, computed at the first access."""
        known = self._hash
        if known is None:
            known = batch_hash(self, hashlib.sha256(self.payload).digest())
            object.__setattr__(self, "_hash", known)
        return known


def batch_hash(batch: Batch, payload_digest: bytes) -> bytes:
    """Return the chain hash of `batch`. `payload_digest` is the SHA-256 of the payload; `batch.payload` is not used, so
    a verifier that stores digests does not need it."""
    return link_hash(
        batch.previous_hash,
        batch.gateway.encode(),
        batch.epoch.encode(),
        batch.lane.value.encode(),
        batch.sequence.to_bytes(8, "big"),
        batch.kind.value.encode(),
        batch.count.to_bytes(8, "big"),
        batch.created_at_us.to_bytes(8, "big", signed=True),
        batch.boot_id.encode(),
        payload_digest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A batch, its signature, and its unsigned transport fields. `historical`: the batch was queued while there was no
    connection. `traceparent` is the W3C Trace Context of the batch (`traceparent_of`)."""

    batch: Batch
    signature: bytes
    historical: bool = False
    traceparent: str | None = None


def sign_batch(batch: Batch, private_key: Ed25519PrivateKey) -> bytes:
    return sign_hash(batch.hash, private_key)


def sign_hash(chain_hash: bytes, private_key: Ed25519PrivateKey) -> bytes:
    """Return the signature of the batch with this chain hash: 64 bytes."""
    return private_key.sign(signed_bytes(chain_hash))


def signed_bytes(chain_hash: bytes) -> bytes:
    """Return the bytes that a gateway signs for the batch with this chain hash."""
    return _SIGNATURE_CONTEXT + chain_hash


def traceparent_of(chain_hash: bytes) -> str:
    """Return the W3C Trace Context of the batch with this hash. It is the same for each send and on both sides, so one
    trace id connects the commit in the vehicle with the ingest and its later work."""
    return f"00-{chain_hash[:16].hex()}-{chain_hash[16:24].hex()}-01"


def verify_batch(batch: Batch, signature: bytes, public_key: bytes | Ed25519PublicKey) -> bool:
    """Return whether `signature` over this batch was made with the private key of `public_key` (32 bytes)."""
    return verify_hash(batch.hash, signature, public_key)


def verify_hash(chain_hash: bytes, signature: bytes, public_key: bytes | Ed25519PublicKey) -> bool:
    """Return whether `signature` over the batch with this hash was made with the private key of `public_key`."""
    try:
        key = public_key if isinstance(public_key, Ed25519PublicKey) else _public_key(public_key)
        key.verify(signature, signed_bytes(chain_hash))
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=KEYS_CACHED)
def _public_key(data: bytes) -> Ed25519PublicKey:
    """Decode a public key. Raises ValueError."""
    return Ed25519PublicKey.from_public_bytes(data)


def encode_envelope(envelope: Envelope) -> bytes:
    """Encode `envelope`. Raises `LocalProtocolError` for a batch that this encoding or its limits do not allow."""
    batch = envelope.batch
    for name in (batch.gateway, batch.epoch, batch.boot_id):
        if not is_identifier(name):
            raise LocalProtocolError(f"{name!r} cannot name a gateway, an epoch or a boot")
    if len(batch.previous_hash) != HASH_BYTES or len(envelope.signature) != SIGNATURE_BYTES:
        raise LocalProtocolError("a hash has 32 bytes and a signature 64")
    if not 1 <= batch.sequence <= SEQUENCE_MAX:
        raise LocalProtocolError(f"{batch.sequence} is no sequence: they begin at 1")
    writer = WireWriter()
    writer.u8(VERSION)
    traced = _HAS_TRACEPARENT if envelope.traceparent is not None else 0
    writer.u8(traced | (_HISTORICAL if envelope.historical else 0))
    writer.u8(_LANES.index(batch.lane))
    writer.u8(_KINDS.index(batch.kind))
    writer.text(batch.gateway, limit_bytes=IDENTIFIER_LENGTH_MAX)
    writer.text(batch.epoch, limit_bytes=IDENTIFIER_LENGTH_MAX)
    writer.text(batch.boot_id, limit_bytes=IDENTIFIER_LENGTH_MAX)
    writer.varint(batch.sequence)
    writer.varint(batch.count)
    writer.i64(batch.created_at_us)
    writer.raw(batch.previous_hash)
    writer.raw(envelope.signature)
    if envelope.traceparent is not None:
        writer.text(envelope.traceparent, limit_bytes=TRACEPARENT_BYTES_MAX)
    writer.blob(batch.payload, limit_bytes=PAYLOAD_BYTES_MAX)
    return writer.take()


def decode_envelope(data: bytes, *, limit_bytes: int = ENVELOPE_BYTES_MAX) -> Envelope:
    """Decode an envelope without verifying its signature. Raises only `RemoteProtocolError`."""
    if len(data) > limit_bytes:
        raise RemoteProtocolError(f"an envelope of {len(data)} bytes; {limit_bytes} are allowed", clause=_CLAUSE)
    reader = WireReader(data, clause=_CLAUSE)
    version = reader.u8()
    if version != VERSION:
        raise reader.wrong(f"envelope version {version}; this side reads {VERSION}")
    flags = reader.u8()
    if flags & ~(_HISTORICAL | _HAS_TRACEPARENT):
        raise reader.wrong("an envelope has flags without a meaning")
    lane, kind = reader.u8(), reader.u8()
    if lane >= len(_LANES) or kind >= len(_KINDS):
        raise reader.wrong("no such lane or kind of batch")
    gateway, epoch, boot_id = _identifier(reader), _identifier(reader), _identifier(reader)
    sequence = reader.varint(SEQUENCE_MAX)
    if sequence == 0:
        raise reader.wrong("sequences begin at 1")
    count = reader.varint(BATCH_COUNT_MAX)
    created_at_us = reader.i64()
    previous_hash = reader.take(HASH_BYTES)
    signature = reader.take(SIGNATURE_BYTES)
    traceparent = reader.text(TRACEPARENT_BYTES_MAX) if flags & _HAS_TRACEPARENT else None
    payload = reader.blob(PAYLOAD_BYTES_MAX)
    reader.end()
    batch = Batch(
        gateway=gateway,
        epoch=epoch,
        lane=_LANES[lane],
        sequence=sequence,
        kind=_KINDS[kind],
        count=count,
        created_at_us=created_at_us,
        boot_id=boot_id,
        previous_hash=previous_hash,
        payload=payload,
    )
    return Envelope(batch=batch, signature=signature, historical=bool(flags & _HISTORICAL), traceparent=traceparent)


def _identifier(reader: WireReader) -> str:
    name = _name_of(reader.blob(IDENTIFIER_LENGTH_MAX))
    if name is None:
        raise reader.wrong("a name holds what no identifier may")
    return name


@lru_cache(maxsize=NAMES_CACHED)
def _name_of(data: bytes) -> str | None:
    """Return the name that these bytes are; None if it is not valid. A gateway sends the same three for weeks."""
    try:
        name = data.decode()
    except UnicodeDecodeError:
        return None
    return name if is_identifier(name) else None
