"""Check a transcript against keys, and name each broken record with the reason.

Each record is checked for its signature and for its link to the record before, and the root for its value and its
signature. A fault is reported where it is, and not again where it shows: if a record was changed, the `parent_hash` of
the next one does not match, but only the changed record is named, since its own signature fails. The checks are linear
in the number of records, and each signature is checked once.

What a transcript cannot show is for others: whether it is the latest (the cloud knows), and whether the content still
has the hash that the records state (a caller that has the content passes `content_hashes`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from protocols.provenance import merkle
from protocols.provenance.received import ReceivedRecord, ReceivedTranscript
from protocols.provenance.signatures import (
    RECORD_CONTEXT,
    ROOT_CONTEXT,
    SIGNATURE_BYTES,
    Algorithm,
    VerifyKey,
    VerifyKeys,
)
from protocols.provenance.transcript import HASH_PREFIX, hash_text, join_message, root_message, signed_header


class Reason(StrEnum):
    """Reason why a record, or the transcript as a whole, is not verified."""

    SIGNATURE_INVALID = "signature_invalid"
    """A signed member of the record was changed, or its signature, or it belongs to another evidence or tenant."""
    SIGNATURE_MALFORMED = "signature_malformed"
    """The signature is not hexadecimal text of the length that its algorithm has."""
    ALGORITHM_UNKNOWN = "algorithm_unknown"
    ALGORITHM_MISMATCH = "algorithm_mismatch"
    """The record names another algorithm than the root."""
    KEY_UNKNOWN = "key_unknown"
    """The verifier has no key with this identifier for this algorithm."""
    PARENT_MISSING = "parent_missing"
    """The record before this one was removed: its parent is not in the transcript."""
    OUT_OF_ORDER = "record_out_of_order"
    """The parent of the record is in the transcript, but not directly before it."""
    PARENT_HASH_MISMATCH = "parent_hash_mismatch"
    """The record states another hash of its parent than the parent has."""
    DUPLICATE = "record_duplicate"
    """A record with this identifier came before."""
    CONTENT_HASH_MISMATCH = "content_hash_mismatch"
    """The content, or the cloud's own record of it, has another hash than the record states."""
    NOT_IN_LEDGER = "record_not_in_ledger"
    """The record is signed, and the cloud has no such record: its own was removed, or a key of it is in other hands."""
    LEDGER_MISMATCH = "ledger_mismatch"
    """The record is signed, and the cloud's own record with this identifier is another one."""
    TENANT_MISMATCH = "tenant_mismatch"
    EVIDENCE_MISMATCH = "evidence_mismatch"
    IDENTITY_MISMATCH = "identity_mismatch"
    """No signature fits the stated tenant and evidence, so these were changed or everything was signed elsewhere."""
    RECORD_COUNT_MISMATCH = "record_count_mismatch"
    MERKLE_ROOT_MISMATCH = "merkle_root_mismatch"
    ROOT_SIGNATURE_INVALID = "root_signature_invalid"
    ROOT_SIGNATURE_MALFORMED = "root_signature_malformed"
    ROOT_ALGORITHM_UNKNOWN = "root_algorithm_unknown"
    ROOT_KEY_UNKNOWN = "root_key_unknown"
    GRAPH_MISMATCH = "graph_mismatch"
    """The PROV-O graph states something else than the transcript that it contains."""


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """A fault. `record_id` and `index` (from 0) are those of the record, None if it concerns the whole transcript."""

    record_id: str | None
    reason: Reason
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of the check. `merkle_root_verified` also needs every record to be verified (contract matrix A-117)."""

    checked_records: int
    merkle_root_verified: bool
    broken_links: tuple[BrokenLink, ...]
    content_checked: bool

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
) -> Verdict:
    """Check `transcript` with `keys`.

    `tenant_id` and `evidence_id` are those that the verifier expects, None to accept those that the transcript states.
    `content_hashes` maps identifiers of records to the hash of the content after that operation, as the verifier knows
    it, None if it knows no content. `ledger` maps the identifiers of the records that the verifier has itself to their
    leaves, None if it has none; a record with another fault is not compared with it.
    """
    check = _Check(
        transcript=transcript,
        keys=_KeyCache(keys),
        tenant_id=transcript.tenant_id if tenant_id is None else tenant_id,
        evidence_id=transcript.evidence_id if evidence_id is None else evidence_id,
    )
    whole = []
    if check.evidence_id != transcript.evidence_id:
        whole.append(BrokenLink(None, Reason.EVIDENCE_MISMATCH))
    if check.tenant_id != transcript.tenant_id:
        whole.append(BrokenLink(None, Reason.TENANT_MISMATCH))
    records = check.records(content_hashes or {}, ledger)
    root = check.root()
    if not whole and check.nothing_fits(records, root):
        whole.append(BrokenLink(None, Reason.IDENTITY_MISMATCH))
    return Verdict(
        checked_records=len(transcript.records),
        merkle_root_verified=not records and not root,
        broken_links=(*whole, *records, *root),
        content_checked=content_hashes is not None,
    )


class _KeyCache:
    """The verifier's keys, each looked up once, with the signed header that goes with it."""

    def __init__(self, keys: VerifyKeys) -> None:
        self._keys = keys
        self._found: dict[tuple[Algorithm, str], VerifyKey | None] = {}

    def find(self, algorithm: Algorithm, kid: str | None) -> VerifyKey | None:
        if kid is None:
            return None
        if (algorithm, kid) not in self._found:
            self._found[algorithm, kid] = self._keys.find(algorithm, kid)
        return self._found[algorithm, kid]


@dataclass(slots=True, kw_only=True)
class _Check:
    """State of one check."""

    transcript: ReceivedTranscript
    keys: _KeyCache
    tenant_id: str
    evidence_id: str
    leaves: list[bytes] = field(default_factory=list)
    headers: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def records(self, content_hashes: Mapping[str, str], ledger: Mapping[str, bytes] | None) -> list[BrokenLink]:
        """Check every record, in order. Fills `leaves`."""
        all_ids = {record.id for record in self.transcript.records}
        chain = _Chain(all_ids)
        broken: list[BrokenLink] = []
        for index, record in enumerate(self.transcript.records):
            leaf = merkle.leaf_hash(record.core)
            self.leaves.append(leaf)
            link = chain.add_duplicate(record)
            fault = self._signature_fault(record)
            if link is None:
                link = chain.add(record, hash_text(leaf), genuine=fault is None)
            stated = content_hashes.get(record.id, record.content_hash)
            content = Reason.CONTENT_HASH_MISMATCH if stated != record.content_hash else None
            reasons = [reason for reason in (link, fault, content) if reason is not None]
            if ledger is not None and not reasons and ledger.get(record.id) != leaf:
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
        return None if key.verify(RECORD_CONTEXT, message, signature) else Reason.SIGNATURE_INVALID

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
                return None
        return Reason.ROOT_SIGNATURE_INVALID

    def nothing_fits(self, records: list[BrokenLink], root: list[BrokenLink]) -> bool:
        """Return whether no signature fits, of any record or of the root."""
        invalid = sum(link.reason is Reason.SIGNATURE_INVALID for link in records)
        return (
            bool(self.leaves)
            and invalid == len(self.leaves)
            and any(link.reason is Reason.ROOT_SIGNATURE_INVALID for link in root)
        )


class _Chain:
    """The chain of parents so far."""

    def __init__(self, all_ids: set[str]) -> None:
        self._all_ids = all_ids
        self._seen: set[str] = set()
        self._previous: tuple[str, str, bool] | None = None
        """Identifier and leaf of the record before, and whether its signature is valid; None before the first."""
        self._genuine: tuple[str, str] | None = None
        """Identifier and leaf of the last record with a valid signature."""

    def add_duplicate(self, record: ReceivedRecord) -> Reason | None:
        """Return the fault of a record that came before. It is then no part of the chain."""
        return Reason.DUPLICATE if record.id in self._seen else None

    def add(self, record: ReceivedRecord, leaf: str, *, genuine: bool) -> Reason | None:
        """Add a record, and return the fault of its link to the record before."""
        fault = self._fault(record)
        self._seen.add(record.id)
        self._previous = (record.id, leaf, genuine)
        if genuine:
            self._genuine = (record.id, leaf)
        return fault

    def _fault(self, record: ReceivedRecord) -> Reason | None:
        if self._previous is not None and record.parent_id == self._previous[0]:
            _, leaf, parent_genuine = self._previous
            # A changed parent is named itself. Its child states the hash that the parent had, and is not at fault.
            fits = record.parent_hash == leaf or not parent_genuine
        elif self._genuine is not None and record.parent_id == self._genuine[0]:
            # Records that were inserted in between have no valid signature, and are named themselves.
            fits = record.parent_hash == self._genuine[1]
        elif self._genuine is None and record.parent_id is None:
            fits = record.parent_hash is None
        elif record.parent_id is None or record.parent_id in self._all_ids:
            return Reason.OUT_OF_ORDER
        else:
            return Reason.PARENT_MISSING
        return None if fits else Reason.PARENT_HASH_MISMATCH


_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}


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
