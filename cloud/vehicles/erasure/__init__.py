"""Erase an encounter: its values, its care record, and the signed batches that have any of them."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.vehicles.erasure.findings import erasure_findings
    from cloud.vehicles.erasure.store import ErasureStore
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, tables="tables", jobs="jobs:jobs", commands={"erasure": "cli:erasure"})
