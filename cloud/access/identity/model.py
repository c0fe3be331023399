"""Who a user is and what their roles let a token carry."""

from dataclasses import dataclass
from enum import StrEnum

from cloud.access.apps import NAMES
from cloud.foundation.viewer import SecrecyLevel


class Role(StrEnum):
    """What somebody is in their tenant."""

    ADMINISTRATOR = "administrator"  # approves apps and mints their tokens
    MEMBER = "member"  # works with records and devices


SCOPES: dict[Role, frozenset[str]] = {
    Role.ADMINISTRATOR: NAMES,
    Role.MEMBER: frozenset(name for name in NAMES if not name.startswith(("argus:platform:", "webhooks:"))),
}
"""The most that a token which acts for somebody in this role may carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One person. `disabled_at_us` None: they may sign in."""

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
        """What their roles allow, none when they are disabled."""
        if self.disabled_at_us is not None:
            return frozenset()
        return frozenset().union(*(SCOPES[role] for role in self.roles))
