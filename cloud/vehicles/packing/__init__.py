"""Move the signed batches of numerics from rows to packed objects, some days after they arrived."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.vehicles.packing.findings import packing_findings
    from cloud.vehicles.packing.numerics_objects import NumericsObject, NumericsObjects
    from cloud.vehicles.packing.unpacking import BatchesPacked, RunUnpacker
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, jobs="jobs:jobs")
