"""What a token's validity hangs on besides its signature: a log of changes that every process follows."""

from cloud.access.standing.changes import Change, ChangeKind, ChangeLog

__all__ = ["Change", "ChangeKind", "ChangeLog"]
