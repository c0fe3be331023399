"""Retention periods and legal holds of tenants, and the chores that delete expired data of every kind.

Each slice (the folder of one capability) declares its kinds of data as `cloud.foundation.retention.Kind`.
"""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.access.retention.errors import HoldUnknown, PeriodRefused
    from cloud.access.retention.service import Retention
    from cloud.access.retention.storage import OBJECT_BYTES, StorageRecord, project
    from cloud.access.retention.store import RetentionStore
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, jobs="jobs:jobs", tables="tables", commands={"retention": "cli:retention"})
