"""The audit trail: who changed what, written in the transaction of the change (C-017)."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.access.audit.model import AuditEntry, AuditFilter, Outcome
    from cloud.access.audit.store import Audit
    from cloud.access.audit.tables import FREQUENT_ACTION
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, jobs="jobs:jobs", tables="tables", commands={"audit": "cli:audit"})
