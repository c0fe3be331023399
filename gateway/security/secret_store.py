"""Secrets of this gateway (signing key, TLS key, broker password), each encrypted (sealed) under the store's key.

The cipher is AES-256-GCM, with a key that HKDF-SHA-256 derives from the store's key. The associated data is the
secret's name and, for a secret that the settings name, its path, so that no sealed file can replace another. Random
nonces are enough, because a gateway seals only a few secrets in its life.

A secret in a plain file (`[mqtt] password_file`, `key_file`) is sealed when it is first read, and the plain file is
removed once the sealed file is durable. A plain file that cannot be removed is used as it is, and `doctor` names it. A
systemd credential is in memory and stays as it is. Plain secrets that were once on flash memory may still be found
there: where that matters, make new secrets.
"""

import errno
import os
import secrets
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.durable import flush, replace_file

SUFFIX = ".sealed"
SECRET_BYTES_MAX = 64 * 1024
"""Upper bound on a secret: a private key with its certificates has a few kilobytes."""
_VERSION = b"\x01"
_NONCE_BYTES = 12
_SEAL_BYTES = len(_VERSION) + _NONCE_BYTES + 16
"""Bytes of a sealed file beyond its secret: version, nonce and the cipher's tag."""
_INFO = b"argus/v1/identity/secret\x00"

log = structlog.get_logger()


class SecretDamaged(Exception):
    """A sealed file was damaged, or sealed under another key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(str(path))


class SecretStore:
    """The sealed (encrypted) secrets in one folder, one file each."""

    def __init__(self, folder: Path, store_key: bytes, *, gateway: str) -> None:
        self._folder = folder
        key = HKDF(SHA256(), 32, salt=None, info=_INFO + gateway.encode()).derive(store_key)
        self._cipher = AESGCM(key)
        self._left_plain: set[Path] = set()

    def seal(self, name: str, secret: bytes, *, source: str = "") -> bytes:
        """Encrypt `secret` and return the content of its sealed file. `source`: path of the secret in the settings, ""
        for the gateway's own keys."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, _associated(name, source))

    def path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"

    def put(self, name: str, secret: bytes, *, source: str = "") -> None:
        """Write a sealed file durably, and read it back to prove that it can be opened. Raises OSError."""
        replace_file(self.path(name), self.seal(name, secret, source=source))
        if self.get(name, source=source) != secret:
            raise OSError(f"{self.path(name)} cannot be read back")

    def get(self, name: str, *, source: str = "") -> bytes | None:
        """Return the secret of this name, or None. Raises `SecretDamaged` and OSError."""
        path = self.path(name)
        try:
            with path.open("rb") as file:
                sealed = file.read(SECRET_BYTES_MAX + _SEAL_BYTES)
        except FileNotFoundError:
            return None
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) != _NONCE_BYTES:
            raise SecretDamaged(path)
        try:
            return self._cipher.decrypt(nonce, body, _associated(name, source))
        except InvalidTag:
            raise SecretDamaged(path) from None

    def take(self, path: Path, name: str) -> bytes:
        """Return the secret that the settings name by `path`: from the file, which is then sealed and removed, or else
        from the sealed copy. Raises `SecretDamaged`, and FileNotFoundError where neither exists. Raises OSError for a
        file that is too large to be a secret; such a file is not removed."""
        try:
            with path.open("rb") as file:
                secret = file.read(SECRET_BYTES_MAX + 1)
        except FileNotFoundError:
            sealed = self.read_sealed(path, name)
            if sealed is None:
                raise
            return sealed
        if len(secret) > SECRET_BYTES_MAX:
            raise OSError(errno.EFBIG, "it is too large to be a secret", str(path))
        if not is_credential(path):
            name, source = self._place(path, name)
            self._replace_plain(path, name, secret, source=source)
        return secret

    def read_sealed(self, path: Path, name: str) -> bytes | None:
        """Return the secret from the sealed copy of the file at `path`, or None."""
        name, source = self._place(path, name)
        return self.get(name, source=source)

    def _place(self, path: Path, name: str) -> tuple[str, str]:
        """Return the name and source under which the secret at `path` is sealed. A key in the identity's folder has no
        source."""
        return (path.name, "") if path.parent == self._folder else (name, str(path))

    def seal_file(self, path: Path) -> bool:
        """Seal (encrypt) and remove a plain file of this folder. Return False if that fails; the file then stays."""
        return self._replace_plain(path, path.name, path.read_bytes(), source="")

    def _replace_plain(self, path: Path, name: str, secret: bytes, *, source: str) -> bool:
        """Seal (encrypt) the plain file at `path` and remove it. Return False if that fails; the plain file then stays.
        The sealed file is durable before the removal, so a power cut leaves at least one of the two files.

        A symbolic link is kept: removing it would leave the plain secret at its target, where `doctor` would no longer
        find it.
        """
        try:
            if path.is_symlink():
                raise OSError(errno.ELOOP, "it is a symbolic link")
            if not self._holds(name, secret, source):
                self.put(name, secret, source=source)
            path.unlink()
            flush(path.parent)
        except OSError as error:
            if path not in self._left_plain:
                self._left_plain.add(path)
                log.warning("secret.left_plain", file=str(path), why=error.strerror or type(error).__name__)
            return False
        log.info("secret.sealed", file=str(path))
        return True

    def _holds(self, name: str, secret: bytes, source: str) -> bool:
        try:
            return self.get(name, source=source) == secret
        except SecretDamaged:
            return False  # another secret under this name, whose source has changed: it is replaced


def is_credential(path: Path) -> bool:
    """Return whether the file is a systemd credential, which is kept in memory for this service alone."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return folder is not None and path.is_relative_to(folder)


def _associated(name: str, source: str) -> bytes:
    return name.encode() + b"\x00" + os.fsencode(source)
