"""Read the files that the program is given: a transcript, published keys, contents of the evidence."""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

from argus_sdk.errors import EvidenceUnusable
from argus_sdk.evidence import PublishedKeys, read_keys
from protocols.provenance.transcript import hash_text

FILE_BYTES_MAX = 192 * 2**20
"""Size of a file. 10 000 records with ML-DSA-65 take 72 MB, and 88 MB in the JSON-LD form; indentation adds to both.
The verify operation of the cloud takes 8 MiB only."""
KEYS_BYTES_MAX = 2**20
"""Size of a file of keys: about 350 keys."""
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFile:
    """A file that the program was given, with the SHA-256 of its bytes, so that a report can be tied to it."""

    name: str
    sha256: str


class FileUnusable(Exception):
    """A file cannot be used. The message names it, the reason, and the remedy."""


def load_keys(path: str) -> tuple[PublishedKeys, GivenFile]:
    """Read published keys from a file, and return them and the file. Raises `FileUnusable`."""
    text, file = load_text(path, KEYS_BYTES_MAX)
    try:
        return read_keys(text), file
    except EvidenceUnusable as error:
        raise FileUnusable(
            f"{file.name}: {error.detail} Save /.well-known/provenance-keys/ml-dsa-65 of the cloud to it."
        ) from None


def content_hash(path: str) -> str:
    """Return the SHA-256 of a file in the form of `content_hash`. Raises `FileUnusable`."""
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror}.") from None
    return hash_text(digest.digest())


def load_text(path: str, bytes_max: int) -> tuple[bytes, GivenFile]:
    """Return the bytes of a file, `-` for standard input, and the file. Raises `FileUnusable`."""
    name = "standard input" if path == "-" else path
    try:
        if path == "-":
            text = sys.stdin.buffer.read(bytes_max + 1)
        else:
            with Path(path).open("rb") as file:
                text = file.read(bytes_max + 1)
    except OSError as error:
        raise FileUnusable(f"{name} cannot be read: {error.strerror}.") from None
    if len(text) > bytes_max:
        raise FileUnusable(f"{name} is larger than {bytes_max} bytes, so it is not read.")
    return text, GivenFile(name=name, sha256=hashlib.sha256(text).hexdigest())
