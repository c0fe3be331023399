"""Sign a message as Standard Webhooks defines: `v1` with each shared secret, `v1a` with our Ed25519 key.

Every message has both signatures, so a receiver may verify with the shared secret, or with our public key alone. The
signed content is `id.timestamp.body`. Libraries accept the first signature that matches and skip unknown versions.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.partners.webhooks.errors import SecretMalformed

PREFIX = "whsec_"
SECRET_BYTES = 32
SECRET_BYTES_MIN = 24
SECRET_LENGTH_MAX = 512

SIGNATURES_CACHED_MAX = 1024
"""Signatures in the cache: the events of some seconds at the rate of a large fleet, 100 kB."""


def new_secret() -> str:
    """Generate a secret in the form that the owner of a webhook stores: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def secret_key(secret: str) -> bytes:
    """Return the HMAC key of a webhook's secret (contract matrix A-055). The part after `whsec_` must be strict base64:
    a lenient library skips invalid characters, and so would use another key than ours. A secret without the prefix
    `whsec_` is used as its UTF-8 bytes. Raises `SecretMalformed`."""
    try:
        text, prefixed = secret.removeprefix(PREFIX), secret.startswith(PREFIX)
        key = base64.b64decode(text.encode(), validate=True) if prefixed else secret.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise SecretMalformed from None
    if len(key) < SECRET_BYTES_MIN or len(secret) > SECRET_LENGTH_MAX:
        raise SecretMalformed
    return key


class Signer:
    """Sign with our Ed25519 key and build the headers of a delivery. Recent signatures are cached, because an event
    goes to several endpoints within a second, and signing would be the most expensive step of each delivery."""

    def __init__(self, kid: str, private: Ed25519PrivateKey) -> None:
        self._kid = kid
        self._private = private
        self._signatures: dict[bytes, str] = {}

    def headers(self, message_id: str, timestamp_s: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
        """Return the headers of Standard Webhooks and the id of our key. `keys`: the HMAC keys of the current secret
        and, while the previous secret is still valid, of the previous one."""
        content = b"%s.%d.%s" % (message_id.encode(), timestamp_s, body)
        signatures = [f"v1,{_base64(hmac.digest(key, content, 'sha256'))}" for key in keys]
        signatures.append(f"v1a,{self._sign(content)}")
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": " ".join(signatures),
            "webhook-key-id": self._kid,
        }

    def _sign(self, content: bytes) -> str:
        digest = hashlib.sha256(content).digest()
        signature = self._signatures.get(digest)
        if signature is None:
            if len(self._signatures) >= SIGNATURES_CACHED_MAX:
                self._signatures.clear()
            signature = self._signatures[digest] = _base64(self._private.sign(content))
        return signature


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
