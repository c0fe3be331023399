"""Who did what, written in the same transaction as what was done (C-017)."""

from cloud.audit.model import AuditEntry, Outcome, Sought
from cloud.audit.store import Audit

__all__ = ["Audit", "AuditEntry", "Outcome", "Sought"]
