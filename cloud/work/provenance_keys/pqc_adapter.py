"""Signing keys of ML-DSA-65 (FIPS 204), over the library `cryptography`.

This half signs, and so draws random bytes: each signature is hedged (FIPS 204 3.4), so two signatures of one message
differ, and a signature is no identifier. The half that checks signatures is `protocols.provenance.signatures`, since
the command `argus-verify` needs it without the cloud. A key is stored as its seed of 32 bytes, from which FIPS 204
derives both halves of the key.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from cloud.foundation.errors import PrivateError
from protocols.provenance.signatures import Algorithm

SEED_BYTES = 32


class MlDsaUnavailable(PrivateError, code="ml_dsa_unavailable", status=503):
    """The installed cryptography library cannot sign with ML-DSA-65. Install the version in requirements/cloud.txt."""


def generate_seed() -> bytes:
    """Return the seed of a new key. Raises `MlDsaUnavailable`, which a start-up check reports."""
    try:
        return MLDSA65PrivateKey.generate().private_bytes_raw()
    except UnsupportedAlgorithm:
        raise MlDsaUnavailable from None


class MlDsaSigner:
    """An ML-DSA-65 key that signs (`protocols.provenance.signatures.Signer`). Its repr does not show the key.

    A signature takes about 0.7 ms. The library releases Python's lock meanwhile, so a thread may sign beside the loop.
    """

    __slots__ = ("_key", "kid")
    algorithm = Algorithm.ML_DSA_65

    def __init__(self, seed: bytes, kid: str) -> None:
        assert len(seed) == SEED_BYTES
        self._key = MLDSA65PrivateKey.from_seed_bytes(seed)
        self.kid = kid

    def sign(self, context: bytes, message: bytes) -> bytes:
        """Return the 3309-byte signature over `message` under the context string `context`."""
        return self._key.sign(message, context)

    @property
    def public_key(self) -> bytes:
        """The raw public key, 1952 bytes, with which anyone can check the signatures."""
        return self._key.public_key().public_bytes_raw()
