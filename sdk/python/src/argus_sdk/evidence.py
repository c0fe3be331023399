"""Verify the signed transcript of evidence on this machine, without a network.

Anyone can check `ml-dsa-65` signatures (FIPS 204) with the keys that the cloud publishes. The keys of `hmac-sha256` are
secrets of the tenant, so only the cloud can check such a transcript: here it is `unverifiable`, and so is one whose key
was withdrawn, since a thief of the key could have made it. What a transcript
cannot show is whether the evidence has later records; the verify operation of the API shows it.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from argus_sdk.errors import EvidenceUnusable
from argus_sdk.strict_json import read_value, unusable
from protocols.errors import RemoteProtocolError
from protocols.provenance.key_period import KeyPeriod, read_period
from protocols.provenance.prov_o import is_document, read_document
from protocols.provenance.reasons import Reason
from protocols.provenance.received import ReceivedTranscript, read_transcript
from protocols.provenance.signatures import Algorithm, MlDsaPublicKey, VerifyKey
from protocols.provenance.verification import BrokenLink, Verdict, verify

__all__ = [
    "NO_KEY",
    "BrokenLink",
    "LocalVerification",
    "Outcome",
    "PublishedKeys",
    "Reason",
    "read_evidence",
    "read_keys",
    "verify_provenance_local",
]

Outcome = Literal["intact", "broken", "unverifiable"]
NO_KEY = frozenset({Reason.KEY_UNKNOWN, Reason.ROOT_KEY_UNKNOWN})
"""Reasons that a verifier with more keys may not find."""
_WITHDRAWN = {Reason.KEY_WITHDRAWN, Reason.ROOT_KEY_WITHDRAWN}
_CONTENT_HASH = re.compile(r"sha256:[0-9a-f]{64}")


class PublishedKey(NamedTuple):
    """A published key, and the period in which it signs."""

    key: MlDsaPublicKey
    period: KeyPeriod


class PublishedKeys:
    """Keys in the form of `/.well-known/provenance-keys/ml-dsa-65`, by their identifiers."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalVerification:
    """Result of a check. `graph_matches` is None if the transcript has no PROV-O graph. `has_key`: a key of the
    transcript's algorithm was given."""

    transcript: ReceivedTranscript
    verdict: Verdict
    graph_matches: bool | None
    has_key: bool

    @property
    def broken_links(self) -> tuple[BrokenLink, ...]:
        """All faults, that of the graph first. Each has `record_id` and `index`, None for the whole, and `reason`."""
        graph = (BrokenLink(None, Reason.GRAPH_MISMATCH),) if self.graph_matches is False else ()
        return (*graph, *self.verdict.broken_links)

    @property
    def outcome(self) -> Outcome:
        """`intact`, `broken`, or `unverifiable` if nothing is wrong except that no key of the algorithm was given, or
        that keys were withdrawn."""
        if not self.broken_links:
            return "intact"
        no_key = self.only_keys_unknown and not self.has_key
        return "unverifiable" if no_key or self.only_keys_withdrawn else "broken"

    @property
    def valid(self) -> bool:
        """True if the transcript is intact."""
        return self.outcome == "intact"

    @property
    def only_keys_unknown(self) -> bool:
        """True if every fault is an unknown key."""
        return all(link.reason in NO_KEY for link in self.broken_links)

    @property
    def only_keys_withdrawn(self) -> bool:
        """True if there are faults, and each is a withdrawn key."""
        return bool(self.broken_links) and all(link.reason in _WITHDRAWN for link in self.broken_links)


def verify_provenance_local(
    transcript: Mapping[str, Any] | bytes | str,
    keys: Mapping[str, Any] | bytes | str | PublishedKeys | None = None,
    *,
    evidence_id: str | None = None,
    tenant_id: str | None = None,
    content_hashes: Mapping[str, str] | None = None,
) -> LocalVerification:
    """Check a transcript in JSON or JSON-LD form with published keys. Raises `EvidenceUnusable`.

    Give the text as it was received where you have it. `keys` is the document of
    `/.well-known/provenance-keys/ml-dsa-65`. `evidence_id` and `tenant_id` are those that you expect, None to accept
    what the transcript states. `content_hashes` maps records of the transcript to the hash of the content after them
    (`sha256:` and 64 lower-case hexadecimal digits), None to compare no content.
    """
    received, graph_matches = read_evidence(transcript)
    _check_expected({"evidence_id": evidence_id, "tenant_id": tenant_id}, content_hashes or {}, received)
    known = keys if isinstance(keys, PublishedKeys) else PublishedKeys({}) if keys is None else read_keys(keys)
    verdict = verify(received, known, tenant_id=tenant_id, evidence_id=evidence_id, content_hashes=content_hashes)
    return LocalVerification(
        transcript=received,
        verdict=verdict,
        graph_matches=graph_matches,
        has_key=known.has_any(received.root_algorithm),
    )


def read_evidence(transcript: Mapping[str, Any] | bytes | str) -> tuple[ReceivedTranscript, bool | None]:
    """Return a transcript, and whether its PROV-O graph states the same (None without one). Raises
    `EvidenceUnusable`."""
    value = _value(transcript, "transcript_malformed")
    try:
        if not is_document(value):
            return read_transcript(value), None
        inner, graph_matches = read_document(value)
        return read_transcript(inner), graph_matches
    except RemoteProtocolError as error:
        raise unusable("transcript_malformed", error.reason) from None


def read_keys(keys: Mapping[str, Any] | bytes | str) -> PublishedKeys:
    """Return the ML-DSA-65 keys of the cloud's document of keys. Raises `EvidenceUnusable`."""
    value = _value(keys, "keys_malformed")
    entries = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise unusable("keys_malformed", "it has no list `keys`")
    found = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("alg") != Algorithm.ML_DSA_65:
            continue
        kid, text = entry.get("kid"), entry.get("public_key")
        try:
            key = MlDsaPublicKey(base64.b64decode(str(text), validate=True))
        except (binascii.Error, ValueError, RemoteProtocolError):
            raise unusable("keys_malformed", "one of its keys is not an ML-DSA-65 key in base64") from None
        if not isinstance(kid, str):
            raise unusable("keys_malformed", "one of its keys has no identifier")
        if kid in found:
            raise unusable("keys_malformed", "two of its keys have one identifier")
        try:
            found[kid] = PublishedKey(key, read_period(entry))
        except RemoteProtocolError as error:
            raise unusable("keys_malformed", f"in one of its keys, {error.reason}") from None
    if not found:
        raise unusable("keys_malformed", "it has no ML-DSA-65 key")
    return PublishedKeys(found)


def _check_expected(
    identity: Mapping[str, str | None], content_hashes: Mapping[str, str], received: ReceivedTranscript
) -> None:
    """Refuse what the caller expects if it can fit no transcript, or names a record that this one does not have.

    A check that leaves it out would look like one that passed.
    """
    for name, text in identity.items():
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            raise EvidenceUnusable("identity_malformed", f"The expected {name} is not Unicode text.") from None
    records = {record.id for record in received.records} if content_hashes else set()
    for record_id, content_hash in content_hashes.items():
        if record_id not in records:
            raise EvidenceUnusable("record_unknown", f"The transcript has no record {record_id}.")
        if _CONTENT_HASH.fullmatch(content_hash) is None:
            detail = f"The hash for the record {record_id} is not sha256: and 64 lower-case hexadecimal digits."
            raise EvidenceUnusable("content_hash_malformed", detail)


def _value(given: Mapping[str, Any] | bytes | str, code: str) -> Any:
    """Return given JSON text as a value, and a value unchanged."""
    return given if isinstance(given, Mapping) else read_value(given, code)
