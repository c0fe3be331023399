"""What a token's validity hangs on besides its signature: a log of changes that every process follows."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

if TYPE_CHECKING:
    from cloud.access.standing.changes import Change, ChangeKind, ChangeLog
else:
    __getattr__ = lazy_exports(__name__)

__all__ = ["Change", "ChangeKind", "ChangeLog"]

SLICE = Slice(package=__name__, tables="tables")
