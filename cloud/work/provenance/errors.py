"""Errors of transcripts of evidence."""

from cloud.foundation.http import Refused


class EvidenceRecordUnknown(Refused, code="evidence_record_unknown", status=404):
    """The evidence has no record with the id in `proof_of`."""


class VerificationBusy(Refused, code="verification_busy", status=503):
    """Other transcripts are being verified. Send the request again in a few seconds."""
