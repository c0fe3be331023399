"""Errors about profiles."""

from cloud.foundation.errors import DomainError, PrivateError


class ProfileUnknown(DomainError, code="profile_unknown", status=404):
    """Profile not found."""


class ProfileTaken(DomainError, code="profile_taken", status=409):
    """A profile with this reference exists, and the caller may not change it. Nothing was changed."""


class ConnectorNotForKind(DomainError, code="connector_not_for_kind", status=422):
    """A connector does not enrich profiles of this kind. Omit `connectors` to use all that do."""


class ProfilesUnreadable(PrivateError, code="profiles_unreadable"):
    """The file cannot be read any further. Profiles of the chunks before are stored."""


class ProfileChanged(PrivateError, code="profile_changed"):
    """A profile was changed or removed while it was compared. The comparison must be made again."""
