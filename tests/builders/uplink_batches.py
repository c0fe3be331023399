"""Signed, chained batches of a gateway that is not registered anywhere."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.provenance.hash_chain import genesis
from protocols.uplink.envelope import Batch, BatchKind, Envelope, sign_batch
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import encode_block
from tests.builders.uplink_blocks import numeric_section

GATEWAY = "gw_test"
EPOCH = "epoch-1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def batch(
    sequence: int = 1,
    *,
    lane: Lane = Lane.NUMERIC,
    epoch: str = EPOCH,
    kind: BatchKind = BatchKind.OBSERVATIONS,
    count: int = 1,
    payload: bytes = b"payload",
    previous_hash: bytes | None = None,
    created_at_us: int = 1_764_072_000_000_000,
) -> Batch:
    """Return a batch, by default the first batch of its lane."""
    return Batch(
        gateway=GATEWAY,
        epoch=epoch,
        lane=lane,
        sequence=sequence,
        kind=kind,
        count=count,
        created_at_us=created_at_us,
        boot_id="boot-1",
        previous_hash=genesis(GATEWAY, epoch, lane) if previous_hash is None else previous_hash,
        payload=payload,
    )


def chain(count: int, *, lane: Lane = Lane.NUMERIC, observations: int = 3) -> Iterator[Batch]:
    """Yield the first `count` batches of a lane, chained from the genesis, with `observations` numerics each."""
    previous_hash = genesis(GATEWAY, EPOCH, lane)
    for sequence in range(1, count + 1):
        link = batch(
            sequence,
            lane=lane,
            count=observations,
            payload=encode_block([numeric_section(observations, first=sequence * observations)]),
            previous_hash=previous_hash,
        )
        previous_hash = link.hash
        yield link


def envelope(of: Batch, *, historical: bool = False, traceparent: str | None = None) -> Envelope:
    """Return an envelope that contains this batch, signed with the test gateway's key."""
    return Envelope(batch=of, signature=sign_batch(of, KEY), historical=historical, traceparent=traceparent)
