"""Who did what, written in the same transaction as what was done (C-017)."""

from cloud.access.audit.model import AuditEntry, Outcome, Sought
from cloud.access.audit.store import Audit
from cloud.access.audit.tables import FREQUENT_ACTION

__all__ = ["FREQUENT_ACTION", "Audit", "AuditEntry", "Outcome", "Sought"]
