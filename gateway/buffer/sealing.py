"""Sealing of payloads at rest: AES-256-GCM, a separate key for each run. A stolen disk reveals no patient data.

Random nonces under the store key would be safe for 2³² seals (NIST SP 800-38D §8.3), which a vehicle that commits a
hundred blocks a second reaches in 16 months. Lane and sequence are not used as nonce either: after a failed commit,
whose bytes may be on the disk, other bytes are sealed under the same sequence; the same happens when a gap record
grows.

So each run of the process draws 16 random bytes, derives a key from them (HKDF-SHA256, as XAES-256-GCM does), and
counts its seals. A counter in memory never repeats, whatever is rolled back. The random bytes and the counter form the
24-byte nonce stored beside the sealed payload, so no table of keys can be lost. The row's readable fields are the
associated data: a row that was moved, renamed or edited does not open.
"""

import hmac
import os
import struct
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
RUN_BYTES = 16
NONCE_BYTES = RUN_BYTES + 8
SEAL_OVERHEAD_BYTES = 16
RUNS_CACHED_MAX = 64

_COUNTER = struct.Struct(">Q")
_INFO = b"argus/v1/buffer/run-key"
_FINGERPRINT = b"argus/v1/buffer/fingerprint"
_HEADER = struct.Struct(">BQQBQqqqq")


class Unsealable(Exception):
    """The bytes were not sealed by this key for this place, or were changed since."""


class SealedRow(Protocol):
    """The readable fields of a row that the seal covers."""

    @property
    def lane_number(self) -> int: ...
    @property
    def sequence(self) -> int: ...
    @property
    def through(self) -> int: ...
    @property
    def kind_number(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def created_at_us(self) -> int: ...
    @property
    def kept_us(self) -> int: ...
    @property
    def observations_total(self) -> int: ...
    @property
    def bytes_total(self) -> int: ...
    @property
    def boot_id(self) -> str: ...
    @property
    def previous_hash(self) -> bytes: ...


class Sealer:
    """Seals and opens payloads of one store. The seal also covers `gateway` and `epoch`."""

    def __init__(self, key: bytes, *, gateway: str, epoch: str) -> None:
        assert len(key) == KEY_BYTES
        self._key = key
        self._domain = _text(gateway) + _text(epoch)
        self._run = os.urandom(RUN_BYTES)
        self._counter = 0
        self._own = self._cipher(self._run)
        self._others: dict[bytes, AESGCM] = {}
        self._fingerprint_key = HKDF(SHA256(), KEY_BYTES, salt=None, info=_FINGERPRINT + self._domain).derive(key)

    def seal(self, payload: bytes, place: SealedRow) -> tuple[bytes, bytes]:
        """Return the nonce (24 bytes) and the sealed payload, which is 16 bytes longer than `payload`. The seal also
        covers the fields of `place`. Call it from one thread only."""
        counter = _COUNTER.pack(self._counter)
        self._counter += 1
        return self._run + counter, self._own.encrypt(b"\0\0\0\0" + counter, payload, self._associated(place))

    def open(self, nonce: bytes, sealed: bytes, place: SealedRow) -> bytes:
        """Return the opened payload. Raises Unsealable when a bit of the payload or of the fields in `place` has
        changed."""
        if len(nonce) != NONCE_BYTES or len(sealed) < SEAL_OVERHEAD_BYTES:
            raise Unsealable
        try:
            cipher = self._cipher_of(nonce[:RUN_BYTES])
            return cipher.decrypt(b"\0\0\0\0" + nonce[RUN_BYTES:], sealed, self._associated(place))
        except (InvalidTag, struct.error, UnicodeEncodeError):  # numbers out of range are damage as well
            raise Unsealable from None

    def fingerprint(self, data: bytes) -> bytes:
        """Return a digest of `data` (32 bytes) that only the store's key can compute."""
        return hmac.digest(self._fingerprint_key, data, "sha256")

    def _associated(self, place: SealedRow) -> bytes:
        header = _HEADER.pack(
            place.lane_number,
            place.sequence,
            place.through,
            place.kind_number,
            place.count,
            place.created_at_us,
            place.kept_us,
            place.observations_total,
            place.bytes_total,
        )
        return b"".join((self._domain, header, _text(place.boot_id), place.previous_hash))

    def _cipher_of(self, run: bytes) -> AESGCM:
        if run == self._run:
            return self._own
        cipher = self._others.get(run)
        if cipher is None:
            if len(self._others) >= RUNS_CACHED_MAX:
                self._others.pop(next(iter(self._others)), None)
            cipher = self._others[run] = self._cipher(run)
        return cipher

    def _cipher(self, run: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=run, info=_INFO + self._domain).derive(self._key))


def _text(text: str) -> bytes:
    octets = text.encode()
    return len(octets).to_bytes(2, "big") + octets


def key_check(key: bytes, *, gateway: str, epoch: str) -> bytes:
    """Return 16 bytes that distinguish a wrong store key from a damaged store and reveal nothing about the key."""
    info = b"argus/v1/buffer/key-check" + _text(gateway) + _text(epoch)
    return HKDF(SHA256(), 16, salt=None, info=info).derive(key)
