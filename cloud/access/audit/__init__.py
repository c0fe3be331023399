"""The audit trail: who changed what. Each entry is written in the transaction of the change (contract C-017)."""

# mypy: implicit-reexport
from cloud.access.audit.model import AuditEntry, AuditFilter, Outcome
from cloud.access.audit.store import Audit
from cloud.access.audit.tables import FREQUENT_ACTION
from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, retention="retention:KINDS", tables="tables", commands={"audit": "cli:audit"})
