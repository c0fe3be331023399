"""Identity of this gateway: its signing key, the key that encrypts its store, and its certificate for the broker.

The identity is a folder that is made whole or not at all, by renaming a flushed temporary folder. Nothing here
overwrites or repairs an identity by itself: a second signing key under the same name would break the chain of custody,
and a second store key would make the store unreadable.

The store's key comes from a systemd credential, otherwise from a 0600 file, which does not protect against a stolen
disk (`store_key_protected`). The identity has a fingerprint of the key, so that the key of another store is refused
before the store is opened.

The signing key and the key of the client certificate are encrypted (sealed) under the store key by `secret_store`.
Identities made by earlier versions have them in plain files: `seal` encrypts and removes these. The fleet's certificate
authority issues the certificate `client.crt` from `client.csr`.
"""

import base64
import json
import os
import re
import secrets
import shutil
import stat
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import NoReturn, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.durable import flush, replace_file
from gateway.security.secret_store import SecretDamaged, SecretStore
from gateway.security.tls_key import create_tls_key
from protocols.uplink.topics import is_identifier

STORE_KEY_BYTES = 32
STORE_KEY_CREDENTIAL = "argus-store-key"
ABOUT_FILE = "identity.json"
SIGNING_KEY_FILE = "signing.key"
STORE_KEY_FILE = "store.key"
CERTIFICATE_FILE = "client.crt"
CERTIFICATE_KEY_FILE = "client.key"
REQUEST_FILE = "client.csr"
_KEY_NAME = re.compile(r"signing(-[0-9a-f]{8})?\.key")
_FILE_BYTES_MAX = 64 * 1024
_VERSION = 1


class IdentityUnusable(Exception):
    """`diagnosis`: what happened, what it means for the record, what to do. The folder is left as it was."""

    def __init__(self, diagnosis: str) -> None:
        self.diagnosis = diagnosis
        super().__init__(diagnosis)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The path of the client certificate, and the certificate's private key in PEM. The key is not kept in a plain
    file."""

    certificate: Path
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The identity of one gateway. `public_key`: 32 bytes, as registered in the cloud. A repr has no private keys."""

    gateway: str
    signing_key: Ed25519PrivateKey = field(repr=False)
    store_key: bytes = field(repr=False)
    store_key_protected: bool
    tls: TlsFiles | None
    secrets: SecretStore = field(repr=False, compare=False)
    directory: Path

    @property
    def public_key(self) -> bytes:
        return self.signing_key.public_key().public_bytes_raw()

    @property
    def public_key_base64(self) -> str:
        """The public key in base64, for `argus-cloud gateways add --public-key`."""
        return base64.b64encode(self.public_key).decode()

    @classmethod
    def create(cls, directory: Path, gateway: str, *, credentials: Path | None = None) -> Self:
        """Make the identity of `gateway` durably in the new folder `directory`. `credentials`: systemd's folder of
        credentials; None: the folder that systemd gave this process, if any. Raises IdentityUnusable where `directory`
        is not empty or cannot be written."""
        if not is_identifier(gateway):
            raise IdentityUnusable(
                f"{gateway!r} cannot name a gateway. Nothing was made. Choose 1 to 64 of A-Z a-z 0-9 _ -."
            )
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise IdentityUnusable(
                f"{directory} is there already and was left alone. A second identity would break this gateway's chain "
                "of custody. Use it as it is, or move it away if this is to be a new gateway."
            )
        given = _credential(credentials)
        signing_key, store_key = Ed25519PrivateKey.generate(), given or secrets.token_bytes(STORE_KEY_BYTES)
        sealing = SecretStore(directory, store_key, gateway=gateway)
        tls_key, request = create_tls_key(gateway)
        about = {
            "version": _VERSION,
            "gateway": gateway,
            "public_key": base64.b64encode(signing_key.public_key().public_bytes_raw()).decode(),
            "store_key_fingerprint": _fingerprint(store_key),
        }
        files = {
            sealing.path(SIGNING_KEY_FILE).name: sealing.seal(SIGNING_KEY_FILE, _pem(signing_key)),
            sealing.path(CERTIFICATE_KEY_FILE).name: sealing.seal(CERTIFICATE_KEY_FILE, tls_key),
            REQUEST_FILE: request,
            ABOUT_FILE: json.dumps(about, indent=1).encode() + b"\n",
        }
        if given is None:
            files[STORE_KEY_FILE] = store_key
        try:
            _write_folder(directory, files)
        except OSError as error:
            raise IdentityUnusable(
                f"{directory} cannot be made: {error.strerror}. This gateway has no identity yet. Correct the folder "
                "above it and provision again."
            ) from error
        return cls.load(directory, credentials=credentials)

    @classmethod
    def load(cls, directory: Path, *, credentials: Path | None = None) -> Self:
        """Read the identity in `directory`. `credentials`: systemd's folder of credentials; None: the folder that
        systemd gave this process, if any. Raises IdentityUnusable, repairs nothing."""
        if not directory.is_dir():
            raise IdentityUnusable(
                f"{directory} is not there. Without its identity this gateway can neither read its store nor sign. "
                "Mount its disk, bring the folder back from a backup, or provision a new gateway."
            )
        about = _about(directory)
        given = _credential(credentials)
        if given is None and not (directory / STORE_KEY_FILE).exists():
            raise IdentityUnusable(
                f"{directory / STORE_KEY_FILE} is missing, and systemd gave no credential {STORE_KEY_CREDENTIAL}. "
                "Without the key the store cannot be opened; it was left alone. Where the key is a credential, run "
                f"this command by systemd-run with --property=LoadCredentialEncrypted={STORE_KEY_CREDENTIAL}:FILE; "
                "else restore the key from a backup."
            )
        store_key = given if given is not None else _private(directory / STORE_KEY_FILE)
        source = "the credential argus-store-key" if given is not None else str(directory / STORE_KEY_FILE)
        if len(store_key) != STORE_KEY_BYTES or _fingerprint(store_key) != about.get("store_key_fingerprint"):
            raise IdentityUnusable(
                f"The store key in {source} is not the one that this identity was made with. The store would not open "
                "with it and was not touched. Give the right key, or restore the folder from a backup."
            )
        gateway = str(about["gateway"])
        sealing = SecretStore(directory, store_key, gateway=gateway)
        signing_key = _signing_key(directory, sealing, about)
        return cls(
            gateway=gateway,
            signing_key=signing_key,
            store_key=store_key,
            store_key_protected=given is not None,
            tls=_tls(directory, sealing),
            secrets=sealing,
            directory=directory,
        )

    @property
    def plain_files(self) -> tuple[Path, ...]:
        """The key files in the identity's folder that are not encrypted."""
        named = (SIGNING_KEY_FILE, CERTIFICATE_KEY_FILE)
        return tuple(path for name in named if (path := self.directory / name).exists())

    def seal(self) -> None:
        """Encrypt and remove the plain key files. A file that cannot be encrypted or removed (a full disk) stays and is
        logged."""
        for path in self.plain_files:
            self.secrets.seal_file(path)

    @property
    def has_tls_key(self) -> bool:
        return self.secrets.path(CERTIFICATE_KEY_FILE).exists() or (self.directory / CERTIFICATE_KEY_FILE).exists()

    def make_tls_key(self) -> None:
        """Make the key of the client certificate and its certificate request. Raises OSError."""
        key, request = create_tls_key(self.gateway)
        self.secrets.put(CERTIFICATE_KEY_FILE, key)
        replace_file(self.directory / REQUEST_FILE, request)

    def replace_signing_key(self) -> "Identity":
        """Make a new signing key, remove the previous one, and return the new identity. The new key must then be
        registered in the cloud. A power cut leaves either the previous identity or the new one. Raises OSError."""
        name, key = f"signing-{secrets.token_hex(4)}.key", Ed25519PrivateKey.generate()
        self.secrets.put(name, _pem(key))
        about = _about(self.directory)
        old = self.secrets.path(_key_name(self.directory, about))
        about |= {"public_key": base64.b64encode(key.public_key().public_bytes_raw()).decode(), "signing_key": name}
        replace_file(self.directory / ABOUT_FILE, json.dumps(about, indent=1).encode() + b"\n")
        for path in (old, self.directory / SIGNING_KEY_FILE):
            path.unlink(missing_ok=True)
        flush(self.directory)
        return replace(self, signing_key=key)


def _fingerprint(store_key: bytes) -> str:
    """Return a fingerprint that identifies a key and does not reveal it."""
    return sha256(b"argus/v1/store-key-fingerprint\x00" + store_key).hexdigest()[:32]


def _write_folder(directory: Path, files: dict[str, bytes]) -> None:
    """Write `files` (0600) in a temporary folder (0700), flush them, and rename the folder to `directory`."""
    making = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    making.mkdir(mode=0o700)
    try:
        for name, octets in files.items():
            descriptor = os.open(making / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(descriptor)
        flush(making)
        # Fails where a folder with content has the name by now: the first one stays.
        making.rename(directory)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    flush(directory.parent)


def _credential(credentials: Path | None) -> bytes | None:
    """Return the store key that systemd provides, or None. CREDENTIALS_DIRECTORY is systemd's variable."""
    named = os.environ.get("CREDENTIALS_DIRECTORY")
    folder = credentials if credentials is not None else Path(named) if named else None
    if folder is None or not (folder / STORE_KEY_CREDENTIAL).exists():
        return None
    octets = (folder / STORE_KEY_CREDENTIAL).read_bytes()[: _FILE_BYTES_MAX + 1]
    if len(octets) != STORE_KEY_BYTES:
        raise IdentityUnusable(
            f"The credential argus-store-key has {len(octets)} bytes and must have {STORE_KEY_BYTES}. The store was "
            "not touched. Make it of 32 random bytes when provisioning, or give the key that the store was made with."
        )
    return octets


def _about(directory: Path) -> dict[str, object]:
    path = directory / ABOUT_FILE
    try:
        about = json.loads(_private(path))
    except ValueError:
        _damaged(path, "is not JSON")
    if not isinstance(about, dict) or about.get("version") != _VERSION or not isinstance(about.get("gateway"), str):
        _damaged(path, "is not of a kind that this version knows")
    return about


def _key_name(directory: Path, about: dict[str, object]) -> str:
    """Return the file name of the signing key; each replacement has a different name."""
    name = about.get("signing_key", SIGNING_KEY_FILE)
    if not isinstance(name, str) or not _KEY_NAME.fullmatch(name):
        _damaged(directory / ABOUT_FILE, "names no signing key")
    return name


def _signing_key(directory: Path, sealing: SecretStore, about: dict[str, object]) -> Ed25519PrivateKey:
    name = _key_name(directory, about)
    pem = _secret(directory, sealing, name)
    path = sealing.path(name)
    if pem is None:
        _damaged(path, "is missing")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        _damaged(path, "is not a private key")
    if not isinstance(key, Ed25519PrivateKey):
        _damaged(path, "is not an Ed25519 key")
    if base64.b64encode(key.public_key().public_bytes_raw()).decode() != about.get("public_key"):
        _damaged(path, "is not the key that this identity was made with")
    return key


def _secret(directory: Path, sealing: SecretStore, name: str) -> bytes | None:
    """Return a key from its encrypted file or else from its plain file, or None."""
    try:
        sealed = sealing.get(name)
    except SecretDamaged as error:
        _damaged(error.path, "is damaged, or is not the one that this identity was made with")
    except OSError as error:
        _damaged(sealing.path(name), f"cannot be read ({error.strerror})")
    if sealed is not None or not (directory / name).exists():
        return sealed
    return _private(directory / name)


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _private(path: Path) -> bytes:
    """Return the content of a file. Raises IdentityUnusable where other users may read the file."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            octets = file.read(_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        _damaged(path, "is missing")
    except OSError as error:
        _damaged(path, f"cannot be read ({error.strerror})")
    if mode & 0o077:
        raise IdentityUnusable(
            f"{path} may be read by other users of this machine (mode {mode:04o}). Who has it can sign as this gateway "
            f"or open its store. If none did: chmod 600 {path}. Else provision this gateway again."
        )
    if len(octets) > _FILE_BYTES_MAX:
        _damaged(path, "is far too large")
    return octets


def _tls(directory: Path, sealing: SecretStore) -> TlsFiles | None:
    certificate = directory / CERTIFICATE_FILE
    if not certificate.exists():
        return None
    key = _secret(directory, sealing, CERTIFICATE_KEY_FILE)
    if key is None:
        _damaged(sealing.path(CERTIFICATE_KEY_FILE), "is missing, and its certificate is there")
    return TlsFiles(certificate, key)


def _damaged(path: Path, what: str) -> NoReturn:
    raise IdentityUnusable(
        f"{path} {what}. This gateway can neither sign nor open its store; both were left alone. Restore the folder "
        "from a backup; without one, move it and the store away and provision a new gateway."
    )
