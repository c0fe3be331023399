"""The secret from which the cloud derives its other keys, and with which it seals secrets in the database.

A key is 32 random bytes, in base64, in a file of mode 0600 (`[secrets] master_key_file`) or in a systemd credential, so
a copy of the database alone discloses no signing key. HKDF-SHA-256 derives a key for each purpose, so a value sealed
for one purpose cannot be opened for another. A lost key file cannot be recovered. So a key is never created silently,
only by `init-secrets` or the first `migrate`.

A line of the file holds one key. The first line is the current key, which seals new values. The lines after it are
former keys, newest first: they open what they sealed and verify what they signed, so none is ever removed. A line that
begins with `next ` is a key that opens values and does not seal any yet, so that a rotated key can be copied to every
machine before the first value needs it (`master_key_rotation.py`). All keys are in one file, so that a backup of it is
complete, and one system call replaces it.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
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
VERSION_UNNAMED = b"\x01"
"""First byte of a seal that does not name its key: all seals of an installation that has never rotated its master key,
so that the release before this one can open them."""
VERSION = b"\x02"
"""First byte of a seal that names its key in the bytes after it."""
KEY_ID_BYTES = 5
KEYS_MAX = 64
"""Limit of the keys in the file: a rotation each month for five years. Every process reads the file whole."""
FILE_OCTETS_MAX = KEYS_MAX * 64
KEY_FILE = "master.key"
CREDENTIAL = "argus-master-key"
"""Name of the systemd credential that holds the same text as the file."""
NEXT = b"next "


class MasterKeyAbsent(PrivateError, code="master_key_absent", status=503):
    """The master key file is missing. Create one with `argus-cloud init-secrets`, or restore it from your backup."""


class MasterKeyUnfit(PrivateError, code="master_key_unfit", status=503):
    """The master key file cannot be used."""


class MasterKeyTaken(PrivateError, code="master_key_taken", status=409):
    """A master key file exists and was not changed: data sealed with it cannot be opened without it."""


class SealBroken(PrivateError, code="seal_broken", status=503):
    """Stored data was sealed with another master key, or was altered. Restore the key file that belongs to it."""


class MasterKey:
    """The current master key in memory, with the former keys and the next one. Neither its repr nor an error shows a
    key."""

    __slots__ = ("_by_id", "_current", "_first", "_ids")

    def __init__(self, octets: bytes, former: Sequence[bytes] = (), successor: bytes | None = None) -> None:
        """`former`: the former keys, newest first. `successor`: a key that opens values and does not seal any yet."""
        keys = [octets, *former] if successor is None else [octets, *former, successor]
        assert all(len(key) == KEY_OCTETS for key in keys)
        self._by_id = {_key_id(key): key for key in keys}
        self._ids = list(self._by_id)[: 1 + len(former)]
        self._current = self._ids[0]
        self._first = former[-1] if former else octets

    @classmethod
    def load(cls, path: Path) -> "MasterKey":
        """Read the key file. Raises `MasterKeyAbsent`, or `MasterKeyUnfit` if others may read it or it is invalid."""
        try:
            # A credential is readable by the service alone through an access list, which shows as the group's right.
            if path.stat().st_mode & (0o007 if path.name == CREDENTIAL else 0o077):
                raise MasterKeyUnfit(f"({path} may be read by others; run chmod 600 on it.)")
            with path.open("rb") as file:
                text = file.read(FILE_OCTETS_MAX + 1)
        except FileNotFoundError:
            raise MasterKeyAbsent(f"({path})") from None
        except OSError as error:
            raise MasterKeyUnfit(f"({path}: {type(error).__name__})") from None
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: bytes, path: Path) -> "MasterKey":
        """Return the keys in the text of a key file. Raises `MasterKeyUnfit`, which names `path`."""
        keys: list[bytes] = []
        successors: list[bytes] = []
        for line in text.split(b"\n") if len(text) <= FILE_OCTETS_MAX else ():
            if line.strip():
                (successors if line.startswith(NEXT) else keys).append(_read_key(line.removeprefix(NEXT), path))
        found = [*keys, *successors]
        if not keys or len(successors) > 1 or len(found) > KEYS_MAX or len(set(found)) != len(found):
            raise MasterKeyUnfit(f"({path} does not hold 1 to {KEYS_MAX} different keys in base64, one in each line.)")
        return cls(keys[0], keys[1:], successors[0] if successors else None)

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

    @property
    def kid(self) -> str:
        """The id of the current key, which is derived from it and discloses nothing about it."""
        return name_of_key(self._current)

    @property
    def kids(self) -> Sequence[str]:
        """The ids of the current key and of the former ones, newest first."""
        return [name_of_key(one) for one in self._ids]

    @property
    def successor(self) -> str | None:
        """The id of the key that does not seal values yet; None if there is none."""
        return next((name_of_key(one) for one in self._by_id if one not in self._ids), None)

    @property
    def seal_prefix(self) -> bytes:
        """The first bytes of every value that the current key seals."""
        return VERSION_UNNAMED if len(self._ids) == 1 else VERSION + self._current

    def derive(self, purpose: str, kid: str | None = None) -> bytes:
        """Derive a key of 32 bytes for one purpose, from the first key that this installation had. The result is the
        same each time, also after a rotation: what depends on it, such as a pseudonym, must not change. With `kid`,
        derive it from the key with this id; raises `SealBroken` if the file does not hold that key."""
        octets = self._first if kid is None else self.bytes_of(kid)
        if octets is None:
            raise SealBroken(f"(It derives from the key {kid}, and the key file does not hold that key.)")
        return _derive(octets, purpose)

    def bytes_of(self, kid: str) -> bytes | None:
        """Return the bytes of the master key with this id, for a derivation whose parameters a standard or a contract
        fixes. None if the file does not hold that key."""
        return next((key for one, key in self._by_id.items() if name_of_key(one) == kid), None)

    def seal(self, purpose: str, name: str, plain: bytes) -> bytes:
        """Encrypt bytes with AES-256-GCM under the key of `purpose`. They are bound to `name`, the id of their row, so
        that sealed values cannot be swapped between rows."""
        nonce = secrets.token_bytes(NONCE_OCTETS)
        key = _derive(self._by_id[self._current], purpose)
        return self.seal_prefix + nonce + AESGCM(key).encrypt(nonce, plain, name.encode())

    def open(self, purpose: str, name: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` returned for the same purpose and name. Raises `SealBroken`."""
        version, rest = sealed[:1], sealed[1:]
        keys: Sequence[bytes] = list(self._by_id.values())
        if version == VERSION:
            one, rest = rest[:KEY_ID_BYTES], rest[KEY_ID_BYTES:]
            if one not in self._by_id:
                raise SealBroken(f"(The key {name_of_key(one)} sealed it, and the key file does not hold that key.)")
            keys = [self._by_id[one]]
        elif version != VERSION_UNNAMED:
            raise SealBroken
        nonce, body = rest[:NONCE_OCTETS], rest[NONCE_OCTETS:]
        for key in keys if len(nonce) == NONCE_OCTETS else ():
            try:
                return AESGCM(_derive(key, purpose)).decrypt(nonce, body, name.encode())
            except InvalidTag:
                continue
        raise SealBroken


def name_of_key(key_id: bytes) -> str:
    """Return the id of a master key as operators and signatures write it, from its bytes in a seal."""
    return f"mk-{key_id.hex()}"


def _derive(octets: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_OCTETS, salt=None, info=b"argus cloud v1 " + purpose.encode()).derive(octets)


def _key_id(octets: bytes) -> bytes:
    return HKDF(SHA256(), KEY_ID_BYTES, salt=None, info=b"argus cloud v1 key id").derive(octets)


def _read_key(line: bytes, path: Path) -> bytes:
    try:
        octets = base64.b64decode(line.strip(), validate=True)
    except binascii.Error as error:
        raise MasterKeyUnfit(f"({path}: {type(error).__name__})") from None
    if len(octets) != KEY_OCTETS:
        raise MasterKeyUnfit(f"({path} does not hold {KEY_OCTETS} bytes in base64.)")
    return octets


def master_key_path(settings: Settings) -> Path:
    """Return the configured path, else the systemd credential if there is one, else `master.key` beside a SQLite
    database. Raises `SettingsUnusable`."""
    if settings.secrets.master_key_file is not None:
        return settings.secrets.master_key_file
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")  # systemd's variable
    if credentials is not None and Path(credentials, CREDENTIAL).exists():
        return Path(credentials, CREDENTIAL)
    address = read_address(settings.database_url)
    if isinstance(address, SqliteAddress):
        return address.path.parent / KEY_FILE
    raise SettingsUnusable(
        f"([secrets] master_key_file, or the systemd credential {CREDENTIAL}, is required with PostgreSQL.)"
    )


def load_master_key(settings: Settings) -> MasterKey:
    """Read the master key that the settings name. Raises `SettingsUnusable`, `MasterKeyAbsent`, `MasterKeyUnfit`."""
    return MasterKey.load(master_key_path(settings))
