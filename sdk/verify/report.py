"""Report a check: as text for a reader who knows no cryptography, and as JSON for programs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from protocols.provenance.received import ReceivedTranscript
from protocols.provenance.signatures import Algorithm
from protocols.provenance.verification import BrokenLink, Reason, Verdict

LINES_MAX = 100
"""Faults in the text form. The JSON form has all."""

MEANINGS = {
    Reason.SIGNATURE_INVALID: "The signature does not fit. The record was changed after it was signed, or it belongs "
    "to other evidence.",
    Reason.SIGNATURE_MALFORMED: "The signature has not the form that its algorithm prescribes.",
    Reason.ALGORITHM_UNKNOWN: "The record names a signature algorithm that does not exist.",
    Reason.ALGORITHM_MISMATCH: "The record names another signature algorithm than the transcript.",
    Reason.KEY_UNKNOWN: "The file of keys has no key with the identifier that the record names.",
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
    Reason.RECORD_COUNT_MISMATCH: "The transcript has not as many records as it states.",
    Reason.MERKLE_ROOT_MISMATCH: "The Merkle root does not fit the records. Records or the root were changed.",
    Reason.ROOT_SIGNATURE_INVALID: "The signature of the Merkle root does not fit.",
    Reason.ROOT_SIGNATURE_MALFORMED: "The signature of the Merkle root has not the form that its algorithm prescribes.",
    Reason.ROOT_ALGORITHM_UNKNOWN: "The Merkle root names a signature algorithm that does not exist.",
    Reason.ROOT_KEY_UNKNOWN: "The file of keys has no key with the identifier that the Merkle root names.",
    Reason.GRAPH_MISMATCH: "The PROV-O graph states something else than the signed transcript inside the file.",
}
_NO_KEY = {Reason.KEY_UNKNOWN, Reason.ROOT_KEY_UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of the program for one transcript."""

    transcript: ReceivedTranscript
    verdict: Verdict
    graph_matches: bool | None

    @property
    def broken_links(self) -> tuple[BrokenLink, ...]:
        """All faults, that of the graph first."""
        graph = (BrokenLink(None, Reason.GRAPH_MISMATCH),) if self.graph_matches is False else ()
        return (*graph, *self.verdict.broken_links)

    @property
    def outcome(self) -> str:
        """`intact`, `broken`, or `unverifiable` if nothing is wrong except that keys are absent."""
        if not self.broken_links:
            return "intact"
        return "unverifiable" if all(link.reason in _NO_KEY for link in self.broken_links) else "broken"


def as_json(finding: Finding) -> dict[str, Any]:
    """Return the finding as the verify operation of the cloud reports it, with `outcome`, `graph` and `content`."""
    transcript, verdict = finding.transcript, finding.verdict
    graph = {None: "absent", True: "matches", False: "differs"}[finding.graph_matches]
    return {
        "outcome": finding.outcome,
        "valid": finding.outcome == "intact",
        "evidence_id": transcript.evidence_id,
        "tenant_id": transcript.tenant_id,
        "algorithm": transcript.root_algorithm,
        "checked_records": verdict.checked_records,
        "merkle_root": transcript.merkle_root,
        "merkle_root_verified": verdict.merkle_root_verified,
        "graph": graph,
        "content": "checked" if verdict.content_checked else "not_checked",
        "broken_links": [
            {"record_id": link.record_id, "index": link.index, "reason": link.reason.value}
            for link in finding.broken_links
        ],
    }


def as_text(finding: Finding) -> Iterator[str]:
    """Yield the lines of the finding."""
    transcript = finding.transcript
    yield {
        "intact": "INTACT. The transcript is as it was signed.",
        "broken": "NOT INTACT. The transcript is not as it was signed.",
        "unverifiable": "NOT VERIFIED. Signatures could not be checked, because keys are absent.",
    }[finding.outcome]
    yield ""
    yield f"  Evidence     {_shown(transcript.evidence_id)}"
    yield f"  Tenant       {_shown(transcript.tenant_id)}"
    yield f"  Records      {finding.verdict.checked_records}"
    yield f"  Algorithm    {_shown(transcript.root_algorithm)}"
    yield f"  Merkle root  {_shown(transcript.merkle_root)}"
    yield f"  Content      {'compared with the files given' if finding.verdict.content_checked else 'not compared'}"
    yield ""
    if finding.outcome == "intact":
        yield "Each record has a valid signature and follows the record before it. The Merkle root over all records"
        yield "and its signature are valid."
    elif finding.outcome == "unverifiable":
        yield from _advice(transcript)
        yield ""
        yield from _faults(finding)
    else:
        yield from _faults(finding)


def _advice(transcript: ReceivedTranscript) -> Iterator[str]:
    yield "The chain of records and the Merkle root fit together, but anyone can make such a chain."
    if transcript.root_algorithm == Algorithm.HMAC_SHA256:
        yield "The keys of hmac-sha256 are secret, so only the cloud can check this transcript. Request it again with"
        yield "algorithm=ml-dsa-65, or send it to the cloud's verify operation."
    else:
        yield "Save the cloud's /.well-known/provenance-keys/ml-dsa-65 to a file and give it with --keys."


def _faults(finding: Finding) -> Iterator[str]:
    links = finding.broken_links
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
