"""Errors of evidence."""

from cloud.foundation.errors import DomainError


class EvidenceUnknown(DomainError, code="evidence_unknown", status=404):
    """There is no such evidence."""


class EvidenceDamaged(DomainError, code="evidence_damaged", status=500):
    """A record of this evidence was changed in the database and cannot be shown. The operator finds it with
    `argus-cloud evidence check`."""
