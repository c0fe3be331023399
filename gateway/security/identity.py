"""Who this gateway is: its signing key, the key that seals its store, and the certificate it shows to a broker.

The identity is a folder that is made whole or not at all: all files are written and flushed in a folder beside it,
which then takes its name in one step. Nothing here ever overwrites or repairs: a second key under an old name would
break the chain of custody (D7), and a second store key would make the store unreadable (D6).

The store's key comes from a systemd credential where there is one, else from a 0600 file, which does not protect
against a stolen disk; `store_key_protected` says which, so that `doctor` can say it. The identity remembers a
fingerprint of the key, so that a key of another store is refused before the store is touched.

Enrolment with a certificate authority is the fleet's matter; here its result is only found: `client.crt` and
`client.key`.
"""

import base64
import json
import os
import secrets
import shutil
import stat
from dataclasses import dataclass, field
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

from gateway.durable import flush
from protocols.uplink.topics import is_identifier

STORE_KEY_BYTES = 32
STORE_KEY_CREDENTIAL = "argus-store-key"
ABOUT_FILE = "identity.json"
SIGNING_KEY_FILE = "signing.key"
STORE_KEY_FILE = "store.key"
CERTIFICATE_FILE = "client.crt"
CERTIFICATE_KEY_FILE = "client.key"
_FILE_BYTES_MAX = 64 * 1024
_VERSION = 1


class IdentityUnusable(Exception):
    """`diagnosis`: what happened, what it means for the record, what to do. The folder is left as it was."""

    def __init__(self, diagnosis: str) -> None:
        self.diagnosis = diagnosis
        super().__init__(diagnosis)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The client certificate and its key, PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`public_key` is 32 octets, what the cloud registers. Keys do not show in a repr."""

    gateway: str
    signing_key: Ed25519PrivateKey = field(repr=False)
    store_key: bytes = field(repr=False)
    store_key_protected: bool
    tls: TlsFiles | None

    @property
    def public_key(self) -> bytes:
        return self.signing_key.public_key().public_bytes_raw()

    @property
    def public_key_base64(self) -> str:
        """As `argus-cloud gateways add --public-key` takes it."""
        return base64.b64encode(self.public_key).decode()

    @classmethod
    def create(cls, directory: Path, gateway: str, *, credentials: Path | None = None) -> Self:
        """Make the identity of `gateway` in the new folder `directory`, durably. IdentityUnusable where something is
        there already, or where it cannot be written.

        `credentials` is systemd's folder of credentials; None: the one that systemd told this process, if any.
        """
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
        about = {
            "version": _VERSION,
            "gateway": gateway,
            "public_key": base64.b64encode(signing_key.public_key().public_bytes_raw()).decode(),
            "store_key_fingerprint": _fingerprint(store_key),
        }
        files = {
            SIGNING_KEY_FILE: signing_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
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
        """Read the identity in `directory`. IdentityUnusable says what is wrong with it; nothing is repaired."""
        if not directory.is_dir():
            raise IdentityUnusable(
                f"{directory} is not there. Without its identity this gateway can neither read its store nor sign. "
                "Mount its disk, bring the folder back from a backup, or provision a new gateway."
            )
        about = _about(directory)
        signing_key = _signing_key(directory)
        if base64.b64encode(signing_key.public_key().public_bytes_raw()).decode() != about.get("public_key"):
            _damaged(directory / SIGNING_KEY_FILE, "is not the key that this identity was made with")
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
        return cls(
            gateway=str(about["gateway"]),
            signing_key=signing_key,
            store_key=store_key,
            store_key_protected=given is not None,
            tls=_tls(directory),
        )


def _fingerprint(store_key: bytes) -> str:
    """Tells keys apart and nothing about them."""
    return sha256(b"argus/v1/store-key-fingerprint\x00" + store_key).hexdigest()[:32]


def _write_folder(directory: Path, files: dict[str, bytes]) -> None:
    """Write `files`, 0600 in a 0700 folder, flush them, then give the folder its name: whole or not at all."""
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
        # Fails where a folder with something in it has the name by now: whoever was first stays.
        making.rename(directory)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    flush(directory.parent)


def _credential(credentials: Path | None) -> bytes | None:
    """The store key that systemd hands over. CREDENTIALS_DIRECTORY is systemd's way to tell, not a setting of ours."""
    told = os.environ.get("CREDENTIALS_DIRECTORY")
    folder = credentials if credentials is not None else Path(told) if told else None
    if folder is None or not (folder / STORE_KEY_CREDENTIAL).exists():
        return None
    octets = (folder / STORE_KEY_CREDENTIAL).read_bytes()[: _FILE_BYTES_MAX + 1]
    if len(octets) != STORE_KEY_BYTES:
        raise IdentityUnusable(
            f"The credential argus-store-key has {len(octets)} octets and must have {STORE_KEY_BYTES}. The store was "
            "not touched. Make it of 32 random octets when provisioning, or give the key that the store was made with."
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


def _signing_key(directory: Path) -> Ed25519PrivateKey:
    path = directory / SIGNING_KEY_FILE
    try:
        key = load_pem_private_key(_private(path), password=None)
    except (ValueError, TypeError):
        _damaged(path, "is not a private key")
    if not isinstance(key, Ed25519PrivateKey):
        _damaged(path, "is not an Ed25519 key")
    return key


def _private(path: Path) -> bytes:
    """The octets of a file that nobody else may read."""
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
            f"or open its store. If nobody did: chmod 600 {path}. Else provision this gateway anew."
        )
    if len(octets) > _FILE_BYTES_MAX:
        _damaged(path, "is far too large")
    return octets


def _tls(directory: Path) -> TlsFiles | None:
    certificate, key = directory / CERTIFICATE_FILE, directory / CERTIFICATE_KEY_FILE
    if not certificate.exists():
        return None
    _private(key)
    return TlsFiles(certificate, key)


def _damaged(path: Path, what: str) -> NoReturn:
    raise IdentityUnusable(
        f"{path} {what}. This gateway can neither sign nor open its store; both were left alone. Restore the folder "
        "from a backup; without one, move it and the store away and provision a new gateway."
    )
