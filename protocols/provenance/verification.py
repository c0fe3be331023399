"""Check a transcript against keys, and name each broken record with the reason.

Each record is checked for its signature and for its link to the record before, and the root for its value and its
signature. A fault is reported where it is, and not again where it shows: if a record was changed, the `parent_hash` of
the next one does not match, but only the changed record is named, since its own signature fails. The checks are linear
in the number of records, and each signature is checked once.

What a transcript cannot show is for others: whether it is the latest (the cloud knows), and whether the content still
has the hash that the records state (a caller that has the content passes `content_hashes`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from protocols.provenance import merkle
from protocols.provenance.key_period import KeyPeriod
from protocols.provenance.reasons import Reason
from protocols.provenance.received import ReceivedRecord, ReceivedTranscript
from protocols.provenance.record_chain import RecordChain
from protocols.provenance.signatures import (
    RECORD_CONTEXT,
    ROOT_CONTEXT,
    SIGNATURE_BYTES,
    Algorithm,
    VerifyKey,
    VerifyKeys,
)
from protocols.provenance.transcript import HASH_PREFIX, hash_text, join_message, root_message, signed_header


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """A fault. `record_id` and `index` (from 0) are those of the record, None if it concerns the whole transcript."""

    record_id: str | None
    reason: Reason
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of the check. `merkle_root_verified` also needs every record to be verified (contract matrix A-117).
    `contents_checked` is the number of records whose content was compared."""

    checked_records: int
    merkle_root_verified: bool
    broken_links: tuple[BrokenLink, ...]
    contents_checked: int

    @property
    def valid(self) -> bool:
        """True if the transcript is intact."""
        return not self.broken_links


def verify(
    transcript: ReceivedTranscript,
    keys: VerifyKeys,
    *,
    tenant_id: str | None = None,
    evidence_id: str | None = None,
    content_hashes: Mapping[str, str] | None = None,
    ledger: Mapping[str, bytes] | None = None,
    is_confirmed: Callable[[str], bool] = lambda _: False,
) -> Verdict:
    """Check `transcript` with `keys`.

    `tenant_id` and `evidence_id` are those that the verifier expects, None to accept those that the transcript states.
    `content_hashes` maps identifiers of records to the hash of the content after that operation, as the verifier knows
    it, None if it knows no content. `ledger` maps the identifiers of the records that the verifier has itself to their
    leaves, None if it has none; a record with another fault is not compared with it. `is_confirmed` returns
    whether a record of the ledger has another valid signature, so that it does not depend on a key that was withdrawn.
    """
    check = _Check(
        transcript=transcript,
        keys=_KeyCache(keys),
        tenant_id=transcript.tenant_id if tenant_id is None else tenant_id,
        evidence_id=transcript.evidence_id if evidence_id is None else evidence_id,
        is_confirmed=is_confirmed,
    )
    whole = []
    if check.evidence_id != transcript.evidence_id:
        whole.append(BrokenLink(None, Reason.EVIDENCE_MISMATCH))
    if check.tenant_id != transcript.tenant_id:
        whole.append(BrokenLink(None, Reason.TENANT_MISMATCH))
    hashes = content_hashes or {}
    records = check.records(hashes, ledger)
    root = check.root()
    if not whole and check.nothing_fits(records, root):
        whole.append(BrokenLink(None, Reason.IDENTITY_MISMATCH))
    return Verdict(
        checked_records=len(transcript.records),
        merkle_root_verified=not records and not root,
        broken_links=(*whole, *records, *root),
        contents_checked=sum(record.id in hashes for record in transcript.records),
    )


class _KeyCache:
    """The verifier's keys, each looked up once, with the signed header that goes with it."""

    def __init__(self, keys: VerifyKeys) -> None:
        self._keys = keys
        self._found: dict[tuple[Algorithm, str], VerifyKey | None] = {}
        self._periods: dict[tuple[Algorithm, str], KeyPeriod | None] = {}

    def find(self, algorithm: Algorithm, kid: str | None) -> VerifyKey | None:
        if kid is None:
            return None
        if (algorithm, kid) not in self._found:
            self._found[algorithm, kid] = self._keys.find(algorithm, kid)
        return self._found[algorithm, kid]

    def period(self, algorithm: Algorithm, kid: str) -> KeyPeriod | None:
        if (algorithm, kid) not in self._periods:
            self._periods[algorithm, kid] = self._keys.period(algorithm, kid)
        return self._periods[algorithm, kid]


@dataclass(slots=True, kw_only=True)
class _Check:
    """State of one check."""

    transcript: ReceivedTranscript
    keys: _KeyCache
    tenant_id: str
    evidence_id: str
    is_confirmed: Callable[[str], bool]
    leaves: list[bytes] = field(default_factory=list)
    headers: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def records(self, content_hashes: Mapping[str, str], ledger: Mapping[str, bytes] | None) -> list[BrokenLink]:
        """Check every record, in order. Fills `leaves`."""
        all_ids = {record.id for record in self.transcript.records}
        chain = RecordChain(all_ids)
        broken: list[BrokenLink] = []
        for index, record in enumerate(self.transcript.records):
            leaf = merkle.leaf_hash(record.core)
            self.leaves.append(leaf)
            link = chain.add_duplicate(record)
            fault = self._signature_fault(record)
            if link is None:
                link = chain.add(record, hash_text(leaf), genuine=fault is None or fault in _FAULTS_OF_KEYS)
            is_held = ledger is not None and ledger.get(record.id) == leaf
            if fault is Reason.KEY_WITHDRAWN and is_held and self.is_confirmed(record.id):
                fault = None
            stated = content_hashes.get(record.id, record.content_hash)
            content = Reason.CONTENT_HASH_MISMATCH if stated != record.content_hash else None
            reasons = [reason for reason in (link, fault, content) if reason is not None]
            if ledger is not None and not is_held and _FAULTS_OF_KEYS.issuperset(reasons):
                reasons.append(Reason.LEDGER_MISMATCH if record.id in ledger else Reason.NOT_IN_LEDGER)
            broken += [BrokenLink(record.id, reason, index) for reason in reasons]
        return broken

    def _signature_fault(self, record: ReceivedRecord) -> Reason | None:
        algorithm = _ALGORITHMS.get(record.algorithm)
        if algorithm is None:
            return Reason.ALGORITHM_UNKNOWN
        if record.algorithm != self.transcript.root_algorithm and self.transcript.root_algorithm in _ALGORITHMS:
            return Reason.ALGORITHM_MISMATCH
        signature = _signature(record.signature, algorithm)
        if signature is None:
            return Reason.SIGNATURE_MALFORMED
        key = self.keys.find(algorithm, record.kid)
        if key is None or record.kid is None:
            return Reason.KEY_UNKNOWN
        message = join_message(record.core, self._header(record.algorithm, record.kid))
        if not key.verify(RECORD_CONTEXT, message, signature):
            return Reason.SIGNATURE_INVALID
        period = self.keys.period(algorithm, record.kid)
        if period is None:
            return None
        if not period.includes(record.signed_at):
            return Reason.SIGNED_OUTSIDE_KEY_PERIOD
        return Reason.KEY_WITHDRAWN if period.is_withdrawn else None

    def _header(self, algorithm: str, kid: str) -> bytes:
        header = self.headers.get((algorithm, kid))
        if header is None:
            header = self.headers[algorithm, kid] = signed_header(
                tenant_id=self.tenant_id, evidence_id=self.evidence_id, algorithm=algorithm, kid=kid
            )
        return header

    def root(self) -> list[BrokenLink]:
        """Check the root over `leaves` and its signature."""
        transcript = self.transcript
        computed = merkle.root(self.leaves)
        reasons = []
        if transcript.record_count not in (None, len(self.leaves)):
            reasons.append(Reason.RECORD_COUNT_MISMATCH)
        if transcript.merkle_root != hash_text(computed):
            reasons.append(Reason.MERKLE_ROOT_MISMATCH)
        fault = self._root_signature_fault(computed)
        if fault is not None:
            reasons.append(fault)
        return [BrokenLink(None, reason) for reason in reasons]

    def _root_signature_fault(self, computed: bytes) -> Reason | None:
        transcript = self.transcript
        algorithm = _ALGORITHMS.get(transcript.root_algorithm)
        if algorithm is None:
            return Reason.ROOT_ALGORITHM_UNKNOWN
        signature = _signature(transcript.root_signature, algorithm)
        if signature is None:
            return Reason.ROOT_SIGNATURE_MALFORMED
        key = self.keys.find(algorithm, transcript.root_kid)
        if key is None or transcript.root_kid is None:
            return Reason.ROOT_KEY_UNKNOWN
        # The signature may fit what the transcript states or what its records give. If it fits either, the fault is
        # in the other and is reported there.
        signed = {(computed, len(self.leaves))}
        stated = _hash(transcript.merkle_root)
        if stated is not None:
            signed.add((stated, len(self.leaves) if transcript.record_count is None else transcript.record_count))
        for root, count in signed:
            message = root_message(
                root,
                tenant_id=self.tenant_id,
                evidence_id=self.evidence_id,
                record_count=count,
                version=transcript.version,
                algorithm=transcript.root_algorithm,
                kid=transcript.root_kid,
            )
            if key.verify(ROOT_CONTEXT, message, signature):
                return self._root_key_fault(algorithm, transcript.root_kid)
        return Reason.ROOT_SIGNATURE_INVALID

    def _root_key_fault(self, algorithm: Algorithm, kid: str) -> Reason | None:
        """Return the fault of a root whose key was withdrawn, None if its records do not depend on a signature."""
        period = self.keys.period(algorithm, kid)
        if period is None or not period.is_withdrawn:
            return None
        are_confirmed = all(self.is_confirmed(record.id) for record in self.transcript.records)
        return None if self.leaves and are_confirmed else Reason.ROOT_KEY_WITHDRAWN

    def nothing_fits(self, records: list[BrokenLink], root: list[BrokenLink]) -> bool:
        """Return whether no signature fits, of any record or of the root."""
        invalid = sum(link.reason is Reason.SIGNATURE_INVALID for link in records)
        return (
            bool(self.leaves)
            and invalid == len(self.leaves)
            and any(link.reason is Reason.ROOT_SIGNATURE_INVALID for link in root)
        )


_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}
_FAULTS_OF_KEYS = frozenset({Reason.KEY_WITHDRAWN, Reason.SIGNED_OUTSIDE_KEY_PERIOD})
"""Faults of a record whose signature is valid."""


def _signature(text: str, algorithm: Algorithm) -> bytes | None:
    """Return the bytes of a signature, None unless it is lower-case hexadecimal text of the algorithm's length."""
    return _hexadecimal(text, SIGNATURE_BYTES[algorithm])


def _hash(text: str) -> bytes | None:
    return _hexadecimal(text.removeprefix(HASH_PREFIX), merkle.HASH_BYTES) if text.startswith(HASH_PREFIX) else None


def _hexadecimal(text: str, size_bytes: int) -> bytes | None:
    if len(text) != 2 * size_bytes:
        return None
    try:
        value = bytes.fromhex(text)
    except ValueError:
        return None
    # Upper case and spaces, which `fromhex` accepts, would give one signature several texts.
    return value if value.hex() == text else None
