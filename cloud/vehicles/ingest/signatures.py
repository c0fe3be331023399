"""Verify the signatures of batches with libsodium.

Each batch that arrives costs one verification, and with OpenSSL these took a seventh of the processor time of ingest.
libsodium needs half of it. It refuses some signatures that OpenSSL accepts, those by keys of small order, and accepts
none that OpenSSL refuses. So an audit (slice `verification`) and `argus-verify`, which use OpenSSL, confirm what is
accepted here. That is so up to libsodium 1.0.22. Its development branch ignores a part of small order in a signature,
which OpenSSL does not: `test_signatures` fails with such a version.
"""

from nacl.bindings import crypto_sign_BYTES, crypto_sign_open, crypto_sign_PUBLICKEYBYTES
from nacl.exceptions import BadSignatureError

from protocols.uplink.envelope import signed_bytes


def is_signed(chain_hash: bytes, signature: bytes, public_key: bytes) -> bool:
    """Return whether `signature` over the batch with this hash was made with the private key of `public_key` (32
    bytes)."""
    if len(signature) != crypto_sign_BYTES or len(public_key) != crypto_sign_PUBLICKEYBYTES:
        return False  # libsodium reads as many bytes, whatever the lengths are
    try:
        crypto_sign_open(signature + signed_bytes(chain_hash), public_key)
    except BadSignatureError:
        return False
    return True
