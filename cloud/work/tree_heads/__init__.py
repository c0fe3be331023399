"""Signed tree heads: the daily root over all evidence records of a tenant, with time stamps of an outside service."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.work.tree_heads.findings import tree_head_findings
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    tables="tables",
    routes=("routes:routes",),
    jobs="jobs:jobs",
    settings={"provenance": "settings:ProvenanceSection"},
    commands={"tree-heads": "cli:tree_heads"},
)
