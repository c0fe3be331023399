"""Files for the machine of a broker: certificates and configuration, written to a folder that the operator copies."""

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from cloud.foundation.command import Workplace
from cloud.foundation.errors import PrivateError
from cloud.foundation.master_key import load_master_key
from cloud.vehicles.fleet.authority import CERTIFICATE_DAYS, issue_server
from cloud.vehicles.fleet.authority_store import AuthorityStore
from cloud.vehicles.fleet.errors import AuthorityAbsent

FILE_BYTES_MAX = 64 * 1024
"""A certificate, a key or a request has one or two kilobytes."""
CA_FILE = Path("/etc/argus/ca.pem")
"""The authorities' certificates, for the settings of the cloud and of each vehicle."""


class FileUnusable(PrivateError, code="file_unusable"):
    """A file could not be read or written."""


async def server_files(place: Workplace, names: list[str]) -> tuple[bytes, bytes | None, bytes | None]:
    """Return the authorities' certificates and, unless `names` is empty, a new certificate and key for the broker.
    Raises `AuthorityAbsent`."""
    store = AuthorityStore()
    async with place.database.read() as tx:
        known = await store.certificates(tx)
        if not known:
            raise AuthorityAbsent
        trusted = b"".join(certificate.public_bytes(Encoding.PEM) for _, certificate in known)
        if not names:
            return trusted, None, None
        newest = (await store.open(tx, load_master_key(place.settings)))[-1]
    certificate, key = issue_server(newest, names, days=CERTIFICATE_DAYS, now_us=place.clock.now_us())
    return trusted, certificate, key


def read_file(path: Path) -> bytes:
    """Return the content of a small file. Raises `FileUnusable`."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise FileUnusable(f"({path}: {error.strerror})") from None
    if len(content) > FILE_BYTES_MAX:
        raise FileUnusable(f"({path} is too large to be a certificate.)")
    return content


def write_all(files: Mapping[Path, bytes], *, private: bool = False) -> None:
    """Write the files. Keys are for their owner only, and so are all files if `private`. Raises `FileUnusable`."""
    for path, content in files.items():
        owner_only = private or path.suffix == ".key"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o600 if owner_only else 0o644)
            if owner_only:
                path.chmod(0o600)  # before the content: the file may have existed with wider rights
            path.write_bytes(content)
        except OSError as error:
            raise FileUnusable(f"({path} cannot be written: {error.strerror})") from None
