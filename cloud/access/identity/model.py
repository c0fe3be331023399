"""A user, and the scopes that the user's roles allow in a token."""

from dataclasses import dataclass
from enum import StrEnum

from cloud.access.apps import NAMES
from cloud.foundation.viewer import SecrecyLevel


class Role(StrEnum):
    """The role of a user in the tenant."""

    ADMINISTRATOR = "administrator"  # approves apps and mints their tokens
    MEMBER = "member"  # works with records and devices


SCOPES: dict[Role, frozenset[str]] = {
    Role.ADMINISTRATOR: NAMES,
    Role.MEMBER: frozenset(name for name in NAMES if not name.startswith(("argus:platform:", "webhooks:"))),
}
"""The most that a token which acts for a user in this role may carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of a tenant. `disabled_at_us` None: the user may sign in."""

    id: str
    tenant_id: str
    organization_id: str | None
    username: str
    roles: tuple[Role, ...]
    clearance: SecrecyLevel
    created_at_us: int
    disabled_at_us: int | None = None
    has_second_factor: bool = False

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes that the user's roles allow; none for a disabled user."""
        if self.disabled_at_us is not None:
            return frozenset()
        return frozenset().union(*(SCOPES[role] for role in self.roles))
