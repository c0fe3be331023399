"""Seal of a care record: sign-off fixes the log by a hash chain, signed with the gateway's key.

Each change is hashed together with the hash of the change before it, in the order in which the gateway stored them. So
a change that was edited, removed, added or moved makes every later hash another one. The seal is itself a change of the
log (`record.seal`), with the number of changes that it covers, the last hash, and the gateway's Ed25519 signature over
both and the encounter. An addendum is followed by a new seal, which also covers the earlier one.

Ed25519 is the key that already signs the batches of the gateway (RFC 8032); the cloud knows its public half. A context
string separates the two kinds of signatures.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.uplink.epcr import encode_changes

_CHAIN = b"argus/v1/record-chain\x00"
_SIGNATURE = b"argus/v1/record-seal\x00"
_FORM = 1
_CHANGES_MAX = 2**31
"""Far more changes than a log has, and a number that JSON holds exactly."""
_LENGTHS = (32, 64)
"""Bytes of a SHA-256 hash and of an Ed25519 signature."""
GATEWAY_AUTHOR = "gateway"
"""Author of the changes that the gateway writes."""


class SealVerdict(StrEnum):
    """Result of the check of a log."""

    UNSEALED = "unsealed"
    INTACT = "intact"
    CHANGED = "changed"
    """The log differs from what was sealed, or no seal covers its end."""
    FORGED = "forged"
    """The signature is not of the given key."""
    UNREADABLE = "unreadable"
    """The seal has a form that this release does not know."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal. `changes`: number of changes that it covers, from the beginning of the log. `digest`: the hash of the
    last of them, 32 bytes. `signature`: 64 bytes."""

    changes: int
    digest: bytes
    signature: bytes


def chain_start(encounter: str) -> bytes:
    """Return the hash before the first change of an encounter's log."""
    return hashlib.sha256(_CHAIN + encounter.encode()).digest()


def chain(digest: bytes, change: FieldChange) -> bytes:
    """Return the hash after `change`, where `digest` is the hash before it."""
    return hashlib.sha256(digest + encode_changes([change])).digest()


def chain_end(encounter: str, changes: Sequence[FieldChange]) -> bytes:
    """Return the hash after the last of `changes`, the log of an encounter from its beginning."""
    digest = chain_start(encounter)
    for change in changes:
        digest = chain(digest, change)
    return digest


def seal_value(encounter: str, changes: int, digest: bytes, sign: Callable[[bytes], bytes]) -> str:
    """Return the value of `record.seal` over a log of so many changes that ends with `digest`."""
    seal = {
        "form": _FORM,
        "changes": changes,
        "digest": digest.hex(),
        "signature": base64.b64encode(sign(_message(encounter, changes, digest))).decode("ascii"),
    }
    return json.dumps(seal, separators=(",", ":"))


def read_seal(value: str) -> Seal | None:
    """Return the seal in a value of `record.seal`, or None for a form that this release does not know."""
    try:
        found = json.loads(value)
        if found["form"] != _FORM or type(found["changes"]) is not int:
            return None
        digest, signature = bytes.fromhex(found["digest"]), base64.b64decode(found["signature"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not 0 <= found["changes"] <= _CHANGES_MAX or (len(digest), len(signature)) != _LENGTHS:
        return None
    return Seal(found["changes"], digest, signature)


def check_seal(encounter: str, changes: Sequence[FieldChange], public_key: bytes) -> SealVerdict:
    """Check the last seal of a log, in its stored order, with the raw public key of the gateway (32 bytes)."""
    verdicts = seal_verdicts(encounter, changes, [public_key])
    if not verdicts:
        return SealVerdict.UNSEALED
    last = max(verdicts)
    return (
        verdicts[last] if last == len(changes) - 1 or verdicts[last] is SealVerdict.UNREADABLE else SealVerdict.CHANGED
    )


def seal_verdicts(
    encounter: str, changes: Sequence[FieldChange], public_keys: Sequence[bytes]
) -> dict[int, SealVerdict]:
    """Check each seal of a log, in its stored order, over the changes before it. Return the results by the place of the
    seal in `changes`. `public_keys` are the raw keys of the gateway, each 32 bytes; one of them must have signed."""
    verdicts: dict[int, SealVerdict] = {}
    digest = chain_start(encounter)
    for place, change in enumerate(changes):
        if change.key == Annotation.SEAL:
            verdicts[place] = _verdict(encounter, change, place, digest, public_keys)
        digest = chain(digest, change)
    return verdicts


def _verdict(
    encounter: str, change: FieldChange, place: int, digest: bytes, public_keys: Sequence[bytes]
) -> SealVerdict:
    """Return the verdict on a seal behind so many changes that end with `digest`."""
    seal = read_seal(change.value or "")
    if seal is None:
        return SealVerdict.UNREADABLE
    if (seal.changes, seal.digest) != (place, digest):
        return SealVerdict.CHANGED
    message = _message(encounter, seal.changes, seal.digest)
    return SealVerdict.INTACT if any(_signed(seal, message, key) for key in public_keys) else SealVerdict.FORGED


def _signed(seal: Seal, message: bytes, public_key: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(seal.signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(encounter: str, changes: int, digest: bytes) -> bytes:
    return _SIGNATURE + json.dumps([encounter, changes, digest.hex()], separators=(",", ":")).encode()
