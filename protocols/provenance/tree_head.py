"""Signed tree head: the root over all evidence records of a tenant at one time, signed by the platform.

Two heads with a consistency proof show that nothing was changed or removed between them; one head with an inclusion
proof shows that a record existed when the head was signed. A time-stamping service (RFC 3161) may confirm the time of a
head, so that its proof depends neither on the clock nor on the keys of the platform: it signs the hash of
`stamped_bytes`.
"""

from dataclasses import dataclass

from protocols.provenance.canonical_json import JsonValue, canonical_json
from protocols.provenance.signatures import Signer
from protocols.provenance.transcript import VERSION, Signature, hash_text

HEAD_CONTEXT = b"argus.prov.head.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """The root over the first `tree_size` records of a tenant, as 32 bytes. `signed_at` is RFC 3339 in UTC."""

    tenant_id: str
    tree_size: int
    root: bytes
    signed_at: str


def head_document(head: TreeHead, algorithm: str, kid: str) -> dict[str, JsonValue]:
    """Return the members of a head that its signature covers."""
    return {
        "tenant_id": head.tenant_id,
        "tree_size": head.tree_size,
        "root_hash": hash_text(head.root),
        "signed_at": head.signed_at,
        "signature_alg": algorithm,
        "signature_kid": kid,
        "version": VERSION,
    }


def sign_head(head: TreeHead, signer: Signer) -> Signature:
    """Return the signature of a head, over the canonical JSON (RFC 8785) of `head_document`."""
    message = canonical_json(head_document(head, signer.algorithm.value, signer.kid))
    return Signature(algorithm=signer.algorithm, kid=signer.kid, value=signer.sign(HEAD_CONTEXT, message))


def write_head(head: TreeHead, signature: Signature) -> dict[str, JsonValue]:
    """Return a head with its signature, as it is published."""
    members = head_document(head, signature.algorithm.value, signature.kid)
    return {**members, "signature": signature.value.hex()}


def stamped_bytes(head: TreeHead, signature: Signature) -> bytes:
    """Return the bytes whose SHA-256 a time-stamping service signs: the canonical JSON of `write_head`."""
    return canonical_json(write_head(head, signature))
