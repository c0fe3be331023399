"""The log of changes that can end a token early. Every process that verifies tokens reads the log every few seconds."""

# mypy: implicit-reexport
from cloud.access.standing.changes import Change, ChangeKind, ChangeLog
from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, tables="tables")
