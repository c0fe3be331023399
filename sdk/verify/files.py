"""Read the files that the program is given: a transcript, published keys, contents of the evidence.

JSON is read strictly: an object that has a member twice is refused, since two readers would see two documents.
"""

import base64
import binascii
import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from protocols.errors import RemoteProtocolError
from protocols.provenance.key_period import KeyPeriod, read_period
from protocols.provenance.prov_o import is_document, read_document
from protocols.provenance.received import ReceivedTranscript, read_transcript
from protocols.provenance.signatures import Algorithm, MlDsaPublicKey, VerifyKey
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


class PublishedKey(NamedTuple):
    """A published key, and the period in which it signs."""

    key: MlDsaPublicKey
    period: KeyPeriod


class PublishedKeys:
    """The keys of a file in the form of `/.well-known/provenance-keys/ml-dsa-65` (`protocols` VerifyKeys)."""

    def __init__(self, keys: Mapping[str, PublishedKey]) -> None:
        self._keys = keys

    def find(self, algorithm: Algorithm, kid: str) -> VerifyKey | None:
        """Return the ML-DSA-65 key with this identifier. There is never one of HMAC, whose keys are secret."""
        found = self._keys.get(kid) if algorithm is Algorithm.ML_DSA_65 else None
        return None if found is None else found.key

    def period(self, algorithm: Algorithm, kid: str) -> KeyPeriod | None:
        """Return the period of a key that `find` returned."""
        return self._keys[kid].period

    def has_any(self, algorithm: str) -> bool:
        """Return whether there is a key of this algorithm."""
        return algorithm == Algorithm.ML_DSA_65 and bool(self._keys)


def load_transcript(path: str) -> tuple[ReceivedTranscript, bool | None, GivenFile]:
    """Read a transcript in JSON or JSON-LD form from a file, `-` for standard input.

    Return it, whether its PROV-O graph states the same (None if it has no graph), and the file. Raises `FileUnusable`.
    """
    value, file = _load_json(path, FILE_BYTES_MAX)
    try:
        if not is_document(value):
            return read_transcript(value), None, file
        transcript, graph_matches = read_document(value)
        return read_transcript(transcript), graph_matches, file
    except RemoteProtocolError as error:
        raise FileUnusable(f"{path} is no transcript of evidence: {error.reason}.") from None


def load_keys(path: str) -> tuple[PublishedKeys, GivenFile]:
    """Read published keys from a file, and return them and the file. Raises `FileUnusable`."""
    value, file = _load_json(path, KEYS_BYTES_MAX)
    entries = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise FileUnusable(
            f"{path} has no list `keys`. Save /.well-known/provenance-keys/ml-dsa-65 of the cloud to it."
        )
    keys = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("alg") != Algorithm.ML_DSA_65:
            continue
        kid, text = entry.get("kid"), entry.get("public_key")
        try:
            key = MlDsaPublicKey(base64.b64decode(str(text), validate=True))
        except (binascii.Error, ValueError, RemoteProtocolError):
            raise FileUnusable(f"{path}: the key {kid} is not an ML-DSA-65 key in base64.") from None
        try:
            keys[str(kid)] = PublishedKey(key, read_period(entry))
        except RemoteProtocolError as error:
            raise FileUnusable(f"{path}: the period of the key {kid} cannot be read: {error.reason}.") from None
    if not keys:
        raise FileUnusable(f"{path} has no ML-DSA-65 key. Save /.well-known/provenance-keys/ml-dsa-65 to it.")
    return PublishedKeys(keys), file


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


def _load_json(path: str, bytes_max: int) -> tuple[Any, GivenFile]:
    try:
        if path == "-":
            text = sys.stdin.buffer.read(bytes_max + 1)
        else:
            with Path(path).open("rb") as file:
                text = file.read(bytes_max + 1)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror}.") from None
    if len(text) > bytes_max:
        raise FileUnusable(f"{path} is larger than {bytes_max} bytes, so it is not read.")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise FileUnusable(f"{path} has objects or lists inside each other too deeply.") from None
    except ValueError as error:
        raise FileUnusable(f"{path} is not JSON: {error}.") from None
    name = "standard input" if path == "-" else path
    return value, GivenFile(name=name, sha256=hashlib.sha256(text).hexdigest())


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("an object has a member twice")
    return found


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")
