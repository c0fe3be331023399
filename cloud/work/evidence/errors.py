"""Errors of evidence."""

from cloud.foundation.errors import DomainError


class EvidenceUnknown(DomainError, code="evidence_unknown", status=404):
    """There is no such evidence."""
