"""Errors of transcripts of evidence."""

from cloud.foundation.errors import DomainError
from cloud.foundation.http import Refused


class EvidenceRecordUnknown(Refused, code="evidence_record_unknown", status=404):
    """The evidence has no record with the id in `proof_of`, or has fewer records than `consistent_with`."""


class VerificationBusy(Refused, code="verification_busy", status=503):
    """Other transcripts are being verified. Send the request again in a few seconds."""


class EvidenceRecordsMissing(DomainError, code="evidence_records_missing", status=500):
    """Records of this evidence are missing from the database, so no transcript of it is signed. The operator finds the
    place with `argus-cloud evidence check`."""
