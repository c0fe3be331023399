"""A batch is verified only if it is unchanged since the gateway signed it, including its position in the hash chain."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.uplink.envelope import (
    Batch,
    BatchKind,
    Envelope,
    decode_envelope,
    encode_envelope,
    sign_batch,
    verify_batch,
)
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import ENVELOPE_BYTES_MAX, PAYLOAD_BYTES_MAX, SEQUENCE_MAX
from tests.builders.uplink_batches import KEY, OTHER_KEY, batch, envelope

PUBLIC = KEY.public_key().public_bytes_raw()
CHANGES: list[dict[str, object]] = [
    {"gateway": "gw_other"},
    {"epoch": "epoch-2"},
    {"lane": Lane.EVENT},
    {"sequence": 2},
    {"kind": BatchKind.GAP},
    {"count": 2},
    {"created_at_us": 0},
    {"boot_id": "boot-2"},
    {"previous_hash": bytes(32)},
    {"payload": b"another"},
]

identifiers = st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z")
batches = st.builds(
    Batch,
    gateway=identifiers,
    epoch=identifiers,
    lane=st.sampled_from(Lane),
    sequence=st.integers(1, SEQUENCE_MAX),
    kind=st.sampled_from(BatchKind),
    count=st.integers(0, 65_536),
    created_at_us=st.integers(-(2**63), 2**63 - 1),
    boot_id=identifiers,
    previous_hash=st.binary(min_size=32, max_size=32),
    payload=st.binary(max_size=200),
)
envelopes = st.builds(
    Envelope,
    batch=batches,
    signature=st.binary(min_size=64, max_size=64),
    historical=st.booleans(),
    traceparent=st.none() | st.text(st.characters(codec="ascii"), max_size=64),
)


@given(sent=envelopes)
def test_encoded_envelope_is_decoded_to_the_same_envelope(sent: Envelope):
    assert decode_envelope(encode_envelope(sent)) == sent


def test_signed_batch_is_verified_only_by_the_key_of_its_gateway():
    signature = sign_batch(batch(), KEY)
    assert verify_batch(batch(), signature, PUBLIC)
    assert verify_batch(batch(), signature, KEY.public_key())
    assert not verify_batch(batch(), signature, OTHER_KEY.public_key().public_bytes_raw())


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_changing_any_signed_field_of_a_batch_invalidates_the_signature(change: dict[str, object]):
    forged = replace(batch(), **change)  # type: ignore[arg-type]  # each of CHANGES fits the field it names
    assert forged.hash != batch().hash
    assert not verify_batch(forged, sign_batch(batch(), KEY), PUBLIC)


def test_hash_of_a_resent_batch_is_unchanged_by_historical_flag_and_trace():
    live = envelope(batch())
    again = replace(live, historical=True, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    back = decode_envelope(encode_envelope(again))
    assert verify_batch(back.batch, back.signature, PUBLIC)
    assert back.batch.hash == live.batch.hash


@pytest.mark.parametrize("signature", [b"", bytes(64), b"\xff" * 64, bytes(63)])
def test_invalid_signature_is_not_verified(signature: bytes):
    assert not verify_batch(batch(), signature, PUBLIC)


def test_malformed_public_key_verifies_no_signature():
    assert not verify_batch(batch(), sign_batch(batch(), KEY), b"short")


def test_signature_computed_over_the_batch_hash_without_the_signing_prefix_is_not_verified():
    assert not verify_batch(batch(), KEY.sign(batch().hash), PUBLIC)


def test_largest_batch_with_the_longest_names_fits_the_envelope_limit():
    name = "n" * 64
    largest = replace(batch(payload=bytes(PAYLOAD_BYTES_MAX)), gateway=name, epoch=name, boot_id=name)
    octets = encode_envelope(envelope(largest, traceparent="t" * 64))
    assert len(octets) <= ENVELOPE_BYTES_MAX
    assert decode_envelope(octets).batch == largest


@pytest.mark.parametrize(
    "change",
    [{"payload": bytes(PAYLOAD_BYTES_MAX + 1)}, {"gateway": "a/b"}, {"sequence": 0}, {"previous_hash": b""}],
    ids=lambda change: next(iter(change)),
)
def test_encoding_an_invalid_batch_is_a_local_protocol_error(change: dict[str, object]):
    with pytest.raises(LocalProtocolError):
        encode_envelope(Envelope(batch=replace(batch(), **change), signature=bytes(64)))  # type: ignore[arg-type]
        # as above
