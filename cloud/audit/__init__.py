"""Who did what, written in the same transaction as what was done (C-017)."""

from cloud.audit.model import AuditEntry, Outcome, Sought
from cloud.audit.store import Audit
from cloud.audit.tables import FREQUENT_ACTION

__all__ = ["FREQUENT_ACTION", "Audit", "AuditEntry", "Outcome", "Sought"]
