"""Report a check: as text for a reader who knows no cryptography, and as JSON for programs.

An identifier of a key that the given keys lack is a fault, since the cloud's keys stay published for ever. Where no key
of the algorithm is given at all, or the key was withdrawn, the transcript cannot be judged, and the result is
`unverifiable`.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from argus_sdk.evidence import NO_KEY, LocalVerification, Outcome, Reason
from argus_sdk.verify.files import GivenFile
from protocols.provenance.received import ReceivedRecord, ReceivedTranscript
from protocols.provenance.signatures import Algorithm

LINES_MAX = 100
"""Faults in the text form. The JSON form has all."""

MEANINGS = {
    Reason.SIGNATURE_INVALID: "The signature does not fit. The record was changed after it was signed, or it belongs "
    "to other evidence.",
    Reason.SIGNATURE_MALFORMED: "The signature does not have the form that its algorithm prescribes.",
    Reason.ALGORITHM_UNKNOWN: "The record names a signature algorithm that does not exist.",
    Reason.ALGORITHM_MISMATCH: "The record names another signature algorithm than the transcript.",
    Reason.KEY_UNKNOWN: "The given keys have none with the identifier that the record names.",
    Reason.KEY_WITHDRAWN: "The signature fits, and its key was withdrawn. A thief of the key could make this record.",
    Reason.SIGNED_OUTSIDE_KEY_PERIOD: "The signature fits, and the record states a time at which its key did not sign.",
    Reason.PARENT_MISSING: "The record before this one is not in the transcript. It was removed.",
    Reason.OUT_OF_ORDER: "The record does not follow the record that it names as the one before it.",
    Reason.PARENT_HASH_MISMATCH: "The record states another hash for the record before it than that record has.",
    Reason.DUPLICATE: "The record is in the transcript more than once.",
    Reason.CONTENT_HASH_MISMATCH: "The content that was given is not the content that the record was made for.",
    Reason.NOT_IN_LEDGER: "The cloud has no such record.",
    Reason.LEDGER_MISMATCH: "The cloud has another record with this identifier.",
    Reason.TENANT_MISMATCH: "The transcript names another tenant than expected.",
    Reason.EVIDENCE_MISMATCH: "The transcript names other evidence than expected.",
    Reason.IDENTITY_MISMATCH: "No signature fits the tenant and evidence that the transcript names.",
    Reason.RECORD_COUNT_MISMATCH: "The transcript does not have as many records as it states.",
    Reason.MERKLE_ROOT_MISMATCH: "The Merkle root does not fit the records. Records or the root were changed.",
    Reason.ROOT_SIGNATURE_INVALID: "The signature of the Merkle root does not fit.",
    Reason.ROOT_SIGNATURE_MALFORMED: "The signature of the Merkle root does not have the form that its "
    "algorithm prescribes.",
    Reason.ROOT_ALGORITHM_UNKNOWN: "The Merkle root names a signature algorithm that does not exist.",
    Reason.ROOT_KEY_UNKNOWN: "The given keys have none with the identifier that the Merkle root names.",
    Reason.ROOT_KEY_WITHDRAWN: "The signature of the Merkle root fits, and its key was withdrawn.",
    Reason.GRAPH_MISMATCH: "The PROV-O graph states something else than the signed transcript inside the file.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of the program for one transcript, and the files that it is of."""

    result: LocalVerification
    file: GivenFile
    keys_file: GivenFile | None

    @property
    def outcome(self) -> Outcome:
        """The outcome of the check."""
        return self.result.outcome


def as_json(finding: Finding) -> dict[str, Any]:
    """Return the finding as the verify operation of the cloud reports it, with `outcome`, `graph`, `content`, and the
    number of records whose content was compared (`content_records`)."""
    transcript, verdict = finding.result.transcript, finding.result.verdict
    graph = {None: "absent", True: "matches", False: "differs"}[finding.result.graph_matches]
    return {
        "outcome": finding.outcome,
        "file_sha256": finding.file.sha256,
        "keys_sha256": None if finding.keys_file is None else finding.keys_file.sha256,
        "valid": finding.outcome == "intact",
        "evidence_id": transcript.evidence_id,
        "tenant_id": transcript.tenant_id,
        "algorithm": transcript.root_algorithm,
        "checked_records": verdict.checked_records,
        "merkle_root": transcript.merkle_root,
        "merkle_root_verified": verdict.merkle_root_verified,
        "graph": graph,
        "content": "checked" if verdict.contents_checked else "not_checked",
        "content_records": verdict.contents_checked,
        "broken_links": [
            {"record_id": link.record_id, "index": link.index, "reason": link.reason.value}
            for link in finding.result.broken_links
        ],
    }


def as_text(finding: Finding) -> Iterator[str]:
    """Yield the lines of the finding."""
    yield _headline(finding)
    yield ""
    yield from _facts(finding)
    yield ""
    if finding.outcome == "intact":
        yield "Each record has a valid signature and follows the record before it. The Merkle root, one hash over all"
        yield "records, fits them, and its signature is valid. So none was changed, inserted, moved, or removed between"
        yield "others since it was signed."
        yield ""
        yield "This does not show whether the evidence has later records. The cloud's verify operation shows it, and so"
        yield "does a tree head of a later day."
    elif finding.result.only_keys_withdrawn:
        yield from _faults(finding)
        yield ""
        yield from _advice_on_withdrawn_keys()
    elif finding.outcome == "unverifiable":
        yield from _advice(finding.result.transcript)
    else:
        yield from _faults(finding)
        if any(link.reason in NO_KEY for link in finding.result.broken_links):
            yield ""
            yield from _advice_on_keys(finding)


def _headline(finding: Finding) -> str:
    if finding.outcome == "intact":
        return "INTACT. The transcript is as it was signed."
    if finding.result.only_keys_withdrawn:
        return "NOT VERIFIED. Each signature fits, but a key was withdrawn, so its signatures alone prove nothing."
    if finding.outcome == "unverifiable":
        return "NOT VERIFIED. No signature could be checked, because no key of this algorithm was given."
    if finding.result.only_keys_unknown:
        return "NOT INTACT, or the file of keys is not complete: signatures name a key that it does not have."
    return "NOT INTACT. The transcript is not as it was signed."


def _facts(finding: Finding) -> Iterator[str]:
    transcript, verdict, keys = finding.result.transcript, finding.result.verdict, finding.keys_file
    broken = {link.index for link in finding.result.broken_links if link.index is not None}
    count = verdict.checked_records
    yield f"  File         {_shown(finding.file.name)}"
    yield f"               sha256:{finding.file.sha256}"
    if keys is not None:
        yield f"  Keys         {_shown(keys.name)}"
        yield f"               sha256:{keys.sha256}"
    yield f"  Evidence     {_shown(transcript.evidence_id)}"
    yield f"  Tenant       {_shown(transcript.tenant_id)}"
    intact = f", {count - len(broken)} of them without a fault" if finding.result.has_key and broken else ""
    yield f"  Records      {count}{intact}"
    if transcript.records:
        yield f"  Signed       {_signed_at(transcript.records[0])} to {_signed_at(transcript.records[-1])}, as stated"
    yield f"  Algorithm    {_shown(transcript.root_algorithm)}"
    yield f"  Merkle root  {_shown(transcript.merkle_root)}"
    compared = f"compared with the given files for {verdict.contents_checked} of {count} records"
    yield f"  Content      {compared if verdict.contents_checked else 'not compared (--content)'}"


def _signed_at(record: ReceivedRecord) -> str:
    return _shown(str(json.loads(record.core).get("signed_at")))


def _advice(transcript: ReceivedTranscript) -> Iterator[str]:
    yield "The chain of records and the Merkle root fit together, but anyone can make such a chain."
    if transcript.root_algorithm == Algorithm.HMAC_SHA256:
        yield "The keys of hmac-sha256 are secret, so only the cloud can check this transcript. Request it again with"
        yield "algorithm=ml-dsa-65, or send it to the cloud's verify operation."
    else:
        yield "Save the cloud's /.well-known/provenance-keys/ml-dsa-65 to a file, and pass the file with --keys."


def _advice_on_keys(finding: Finding) -> Iterator[str]:
    if not finding.result.has_key:
        yield "Signatures were not checked, since no key of this algorithm was given."
        return
    yield "If a key is unknown, get the cloud's /.well-known/provenance-keys/ml-dsa-65 again: its keys stay published"
    yield "for ever. If the new file does not have the key either, its identifier was changed, or it is not a key of"
    yield "the cloud."


def _advice_on_withdrawn_keys() -> Iterator[str]:
    yield "The private key may have been stolen, and a thief can state any time in a record. A record with such a"
    yield "signature counts if it is in a tree head that has a time stamp from before the withdrawal (`not_after` in"
    yield "the file of keys), or if the cloud's verify operation, which also checks the secret signature, reports it as"
    yield "valid."


def _faults(finding: Finding) -> Iterator[str]:
    links = finding.result.broken_links
    yield f"{len(links)} fault{'s' if len(links) != 1 else ''}:"
    for link in links[:LINES_MAX]:
        place = "Transcript" if link.index is None else f"Record {link.index + 1} ({_shown(link.record_id or '')})"
        yield f"  {place}: {MEANINGS[link.reason]} [{link.reason}]"
    if len(links) > LINES_MAX:
        left = Counter(link.reason.value for link in links[LINES_MAX:])
        yield "  and " + ", ".join(f"{count} more with {reason}" for reason, count in left.most_common())


def _shown(text: str) -> str:
    """Return text of the file for a terminal: at most 120 characters, without control characters."""
    plain = "".join(character if character.isprintable() else "�" for character in text)
    return plain if len(plain) <= 120 else plain[:119] + "…"
