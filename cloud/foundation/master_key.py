"""The secret from which the cloud derives its other keys, and with which it seals secrets in the database.

The key is 32 random bytes, in base64, in a file of mode 0600 (`[secrets] master_key_file`), so a copy of the database
alone discloses no signing key. HKDF-SHA-256 derives a key for each purpose, so a value sealed for one purpose cannot be
opened for another. A lost key file cannot be recovered. So a key is never created silently, only by `init-secrets` or
the first `migrate`.
"""

import base64
import binascii
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cloud.foundation.db import SqliteAddress, read_address
from cloud.foundation.errors import PrivateError
from cloud.foundation.settings import Settings, SettingsUnusable

KEY_OCTETS = 32
NONCE_OCTETS = 12  # NIST SP 800-38D; random, and each purpose seals far less than 2^32 times
VERSION = b"\x01"
FILE_OCTETS_MAX = 256
KEY_FILE = "master.key"


class MasterKeyAbsent(PrivateError, code="master_key_absent", status=503):
    """The master key file is missing. Create one with `argus-cloud init-secrets`, or restore it from your backup."""


class MasterKeyUnfit(PrivateError, code="master_key_unfit", status=503):
    """The master key file cannot be used."""


class MasterKeyTaken(PrivateError, code="master_key_taken", status=409):
    """A master key file exists and was not changed: data sealed with it cannot be opened without it."""


class SealBroken(PrivateError, code="seal_broken", status=503):
    """Stored data was sealed with another master key, or was altered. Restore the key file that belongs to it."""


class MasterKey:
    """The master key in memory. Neither its repr nor an error shows the key."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        assert len(octets) == KEY_OCTETS
        self._octets = octets

    @classmethod
    def load(cls, path: Path) -> "MasterKey":
        """Read the key file. Raises `MasterKeyAbsent`, or `MasterKeyUnfit` if others may read it or it is invalid."""
        try:
            if path.stat().st_mode & 0o077:
                raise MasterKeyUnfit(f"({path} may be read by others; run chmod 600 on it.)")
            with path.open("rb") as file:
                octets = base64.b64decode(file.read(FILE_OCTETS_MAX).strip(), validate=True)
        except FileNotFoundError:
            raise MasterKeyAbsent(f"({path})") from None
        except (OSError, binascii.Error) as error:
            raise MasterKeyUnfit(f"({path}: {type(error).__name__})") from None
        if len(octets) != KEY_OCTETS:
            raise MasterKeyUnfit(f"({path} does not hold {KEY_OCTETS} bytes in base64.)")
        return cls(octets)

    @classmethod
    def create(cls, path: Path) -> "MasterKey":
        """Write a new key to a new file that only this user can read. Raises `MasterKeyTaken`, `MasterKeyUnfit`."""
        octets = secrets.token_bytes(KEY_OCTETS)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(base64.b64encode(octets) + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.link(fresh, path)  # atomic, and never replaces another file
            finally:
                fresh.unlink()
        except FileExistsError:
            raise MasterKeyTaken(f"({path})") from None
        except OSError as error:
            raise MasterKeyUnfit(f"({path} cannot be written: {error.strerror}.)") from None
        return cls(octets)

    def derive(self, purpose: str) -> bytes:
        """Derive a key of 32 bytes for one purpose. The result is the same each time."""
        return HKDF(SHA256(), KEY_OCTETS, salt=None, info=b"argus cloud v1 " + purpose.encode()).derive(self._octets)

    def seal(self, purpose: str, name: str, plain: bytes) -> bytes:
        """Encrypt bytes with AES-256-GCM under the key of `purpose`. They are bound to `name`, the id of their row, so
        that sealed values cannot be swapped between rows."""
        nonce = secrets.token_bytes(NONCE_OCTETS)
        return VERSION + nonce + AESGCM(self.derive(purpose)).encrypt(nonce, plain, name.encode())

    def open(self, purpose: str, name: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` returned for the same purpose and name. Raises `SealBroken`."""
        nonce, body = sealed[1 : 1 + NONCE_OCTETS], sealed[1 + NONCE_OCTETS :]
        if sealed[:1] != VERSION or len(nonce) != NONCE_OCTETS:
            raise SealBroken
        try:
            return AESGCM(self.derive(purpose)).decrypt(nonce, body, name.encode())
        except InvalidTag:
            raise SealBroken from None


def master_key_path(settings: Settings) -> Path:
    """Return the configured path or, with SQLite, `master.key` beside the database; else raise `SettingsUnusable`."""
    if settings.secrets.master_key_file is not None:
        return settings.secrets.master_key_file
    address = read_address(settings.database_url)
    if isinstance(address, SqliteAddress):
        return address.path.parent / KEY_FILE
    raise SettingsUnusable("([secrets] master_key_file is required with PostgreSQL.)")


def load_master_key(settings: Settings) -> MasterKey:
    """Read the master key that the settings name. Raises `SettingsUnusable`, `MasterKeyAbsent`, `MasterKeyUnfit`."""
    return MasterKey.load(master_key_path(settings))
