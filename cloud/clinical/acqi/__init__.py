"""Quality indicators of ambulance care (ACQI), computed from care records."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.acqi.scoring import Scoring
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    tables="tables",
    graph="graph:GRAPH",
    jobs="jobs:jobs",
    commands={"acqi": "cli:acqi"},
)
