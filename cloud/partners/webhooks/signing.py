"""Sign a message as Standard Webhooks says: `v1` with each shared secret, `v1a` with our Ed25519 key.

Both on every message, so a receiver may verify with a secret that only it and we have, or with nothing but a public
key. The signed content is `id.timestamp.body`; libraries take the first signature that fits and skip versions that they
do not know.
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
SECRET_OCTETS = 32
SECRET_OCTETS_MIN = 24
SECRET_LENGTH_MAX = 512

SIGNATURES_KEPT = 1024


def new_secret() -> str:
    """A fresh secret as its owner keeps it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_OCTETS)).decode()


def secret_key(secret: str) -> bytes:
    """The key that a secret stands for (A-055). Raises `SecretMalformed`.

    After `whsec_` strictly base64, anything else as its own UTF-8 octets: libraries that decode any text leniently drop
    what is no base64 from it, and the two sides would sign with different keys.
    """
    try:
        text, prefixed = secret.removeprefix(PREFIX), secret.startswith(PREFIX)
        key = base64.b64decode(text.encode(), validate=True) if prefixed else secret.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise SecretMalformed from None
    if len(key) < SECRET_OCTETS_MIN or len(secret) > SECRET_LENGTH_MAX:
        raise SecretMalformed
    return key


class Signer:
    """Our half of the asymmetric signature.

    Ed25519 gives the same signature for the same content, so the ones just made are kept: an event goes to several
    endpoints within a second, and signing would be the dearest step of each.
    """

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._made: dict[bytes, str] = {}

    def headers(self, message_id: str, timestamp_s: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
        """The three headers. `keys`: the secret's and, while both hold, the previous one's."""
        content = b"%s.%d.%s" % (message_id.encode(), timestamp_s, body)
        signatures = [f"v1,{_base64(hmac.digest(key, content, 'sha256'))}" for key in keys]
        signatures.append(f"v1a,{self._signed(content)}")
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": " ".join(signatures),
        }

    def _signed(self, content: bytes) -> str:
        digest = hashlib.sha256(content).digest()
        made = self._made.get(digest)
        if made is None:
            if len(self._made) >= SIGNATURES_KEPT:
                self._made.clear()
            made = self._made[digest] = _base64(self._private.sign(content))
        return made


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
