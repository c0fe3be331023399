"""Run the background steps that slices declare in their `Jobs`, and report how far they are."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.foundation.steps.indexes import missing_indexes
    from cloud.foundation.steps.model import StepState
    from cloud.foundation.steps.runner import StepRunner
    from cloud.foundation.steps.store import StepStore
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, jobs="jobs:jobs", tables="tables", commands={"steps": "cli:steps"})
