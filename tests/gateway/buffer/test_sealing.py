"""A stored batch is decrypted only with the key of its store, in that store, at its own position, and unchanged."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.buffer.rows import Row
from gateway.buffer.sealing import NONCE_BYTES, Sealer, Unsealable
from protocols.uplink.envelope import BatchKind
from protocols.uplink.lanes import Lane
from tests.builders.buffer_store import GATEWAY, KEY, OTHER_KEY

PLACE = Row(
    lane=Lane.NUMERIC,
    sequence=7,
    through=7,
    kind=BatchKind.OBSERVATIONS,
    count=3,
    created_at_us=1_700_000_000_000_000,
    kept_us=5,
    observations_total=21,
    bytes_total=900,
    boot_id="boot-1",
    previous_hash=bytes(32),
    row_hash=bytes(32),
)


def sealer(key: bytes = KEY, gateway: str = GATEWAY, epoch: str = "e1") -> Sealer:
    return Sealer(key, gateway=gateway, epoch=epoch)


def test_encrypted_payload_is_decrypted_in_the_same_and_in_the_next_gateway_run() -> None:
    first = sealer()
    nonce, sealed = first.seal(b"ninety-seven", PLACE)
    assert first.open(nonce, sealed, PLACE) == b"ninety-seven"
    assert sealer().open(nonce, sealed, PLACE) == b"ninety-seven"


def test_encryption_nonces_are_unique_within_and_across_gateway_runs() -> None:
    runs = [sealer(), sealer()]
    nonces = [run.seal(b"x", PLACE)[0] for run in runs for _ in range(1000)]
    assert len(set(nonces)) == 2000
    assert {len(nonce) for nonce in nonces} == {NONCE_BYTES}


@pytest.mark.parametrize(
    "moved",
    [
        replace(PLACE, lane=Lane.WAVEFORM),
        replace(PLACE, sequence=8),
        replace(PLACE, through=8),
        replace(PLACE, kind=BatchKind.EVENT),
        replace(PLACE, count=4),
        replace(PLACE, created_at_us=1),
        replace(PLACE, kept_us=6),
        replace(PLACE, observations_total=22),
        replace(PLACE, bytes_total=901),
        replace(PLACE, boot_id="boot-2"),
        replace(PLACE, previous_hash=b"\x01" * 32),
    ],
)
def test_encrypted_batch_in_a_moved_or_edited_row_is_rejected(moved: Row) -> None:
    nonce, sealed = sealer().seal(b"ninety-seven", PLACE)
    with pytest.raises(Unsealable):
        sealer().open(nonce, sealed, moved)


@pytest.mark.parametrize("other", [sealer(OTHER_KEY), sealer(gateway="gw-other"), sealer(epoch="e2")])
def test_encrypted_payload_is_rejected_under_another_key_or_gateway_or_epoch(other: Sealer) -> None:
    nonce, sealed = sealer().seal(b"ninety-seven", PLACE)
    with pytest.raises(Unsealable):
        other.open(nonce, sealed, PLACE)


@given(nonce=st.binary(max_size=40), sealed=st.binary(max_size=60))
def test_decrypting_arbitrary_bytes_always_raises_the_unsealable_error(nonce: bytes, sealed: bytes) -> None:
    with pytest.raises(Unsealable):
        SEALER.open(nonce, sealed, PLACE)


def test_encrypted_payload_with_any_bit_changed_is_rejected() -> None:
    nonce, sealed = SEALER.seal(b"ninety-seven", PLACE)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Unsealable):
            SEALER.open(nonce, bytes(changed), PLACE)


def test_payloads_encrypted_in_200_runs_are_decrypted_by_one_reader() -> None:
    reader = sealer()
    for n in range(200):
        nonce, sealed = sealer().seal(str(n).encode(), PLACE)
        assert reader.open(nonce, sealed, PLACE) == str(n).encode()


SEALER = sealer()
