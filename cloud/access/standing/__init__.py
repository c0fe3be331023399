"""The log of changes that can end a token early. Every process that verifies tokens follows it."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.access.standing.changes import Change, ChangeKind, ChangeLog
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, tables="tables")
