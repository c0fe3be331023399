"""Cursors of paged lists (contract matrix A-083, S-063, S-139).

A cursor is a position (JSON scalars, such as created_at_us and id), encrypted with AES-256-GCM. Tenant, organisation,
secrecy level, route and filters are associated data, so a cursor of another tenant, list or filter is refused.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cloud.foundation.http.errors import InvalidCursor
from cloud.foundation.viewer import Viewer

# Increment this when the meaning of a position changes, so that earlier cursors are refused.
VERSION = 1
CURSOR_LENGTH_MAX = 1024
_NONCE_BYTES = 12


class Cursors:
    """Encrypts and decrypts cursors. `secret` is at least 32 bytes that all processes of this installation share."""

    def __init__(self, secret: bytes) -> None:
        self._aead = AESGCM(_derived(secret, b"argus.cursor.v1"))
        self._nonces = _derived(secret, b"argus.cursor.nonce.v1")

    def seal(
        self,
        position: Sequence[Any],
        viewer: Viewer,
        route: str,
        filters: Mapping[str, Any],
        *,
        repeatable: bool = False,
    ) -> str:
        """Return a position's cursor. `route` is the route's `name`, `filters` the query without limit and cursor.
        `repeatable`: an equal position has an equal cursor, for a response whose entity tag must not change."""
        plain, bound = orjson.dumps(list(position)), _bound_to(viewer, route, filters)
        nonce = hmac.digest(self._nonces, bound + plain, "sha256") if repeatable else os.urandom(_NONCE_BYTES)
        nonce = nonce[:_NONCE_BYTES]
        sealed = self._aead.encrypt(nonce, plain, bound)
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, cursor: str, viewer: Viewer, route: str, filters: Mapping[str, Any]) -> list[Any]:
        """Return the position in a cursor. Raises `InvalidCursor`, without a reason."""
        if len(cursor) > CURSOR_LENGTH_MAX or not cursor.isascii():
            raise InvalidCursor
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            position = self._aead.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound_to(viewer, route, filters))
        except (binascii.Error, InvalidTag, ValueError):
            raise InvalidCursor from None
        opened = orjson.loads(position)
        assert isinstance(opened, list)
        return opened


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)


def _bound_to(viewer: Viewer, route: str, filters: Mapping[str, Any]) -> bytes:
    given = {name: value for name, value in filters.items() if value is not None}
    facts = [VERSION, viewer.tenant_id, viewer.organization_id, int(viewer.clearance), route, given]
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).digest()
