"""What an integration app is: who it acts for, what it may ask for, and what its tenant allows it."""

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from cloud.foundation.viewer import SecrecyLevel


class GrantType(StrEnum):
    """The grants of the contract (C-059); the auth host refuses every other."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance:
    """What the tenant's administrator allows this app (C-037)."""

    allow_service_tokens: bool = False
    """Turning it off also stops service tokens that exist (A-029)."""
    enforce_pkce: bool = True
    allowed_redirect_hosts: tuple[str, ...] | None = None
    """Names of hosts that answers of the authorization endpoint may go to. None: wherever the app has registered."""
    allowed_webhook_hosts: tuple[str, ...] | None = None
    """Names of hosts that the app's webhooks may be sent to. None: any public one."""
    allowed_scopes: tuple[str, ...] | None = None
    """What the app may use of its approved scopes. None: all of them."""
    max_token_ttl_seconds: int | None = None
    """The longest that a token of this app may live. None: as long as its kind may."""

    def allows_redirect(self, redirect_uri: str) -> bool:
        """Whether the tenant lets answers go to this registered address."""
        hosts = self.allowed_redirect_hosts
        return hosts is None or (urlsplit(redirect_uri).hostname or "") in hosts

    def allows_webhook(self, host: str) -> bool:
        """Whether the tenant lets the app's webhooks go to a host of this name."""
        return self.allowed_webhook_hosts is None or host in self.allowed_webhook_hosts

    def document(self) -> dict[str, Any]:
        """Every flag by its contract name."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Governance":
        """From a stored document; a flag that it lacks has its default."""
        known: dict[str, Any] = {one.name: document[one.name] for one in fields(cls) if one.name in document}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**{**known, **lists})


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One app. `organization_id` None: it acts for the tenant as a whole. `clearance`: the most it may see."""

    client_id: str
    tenant_id: str
    organization_id: str | None
    name: str
    grant_types: tuple[GrantType, ...]
    redirect_uris: tuple[str, ...] = ()
    requested_scopes: tuple[str, ...]
    approved_scopes: tuple[str, ...]
    governance: Governance = field(default_factory=Governance)
    clearance: SecrecyLevel = SecrecyLevel.STANDARD
    callback_generation: int = 1
    """Which secret signs what is sent to the app's call-backs; each rotation takes the next."""
    callback_previous_until_us: int | None = None
    """Until when the secret before it signs too."""
    confidential: bool = True
    created_at_us: int

    @property
    def usable_scopes(self) -> tuple[str, ...]:
        """What was approved and is not held back by governance, in the order of the approval."""
        allowed = self.governance.allowed_scopes
        return tuple(name for name in self.approved_scopes if allowed is None or name in allowed)


@dataclass(frozen=True, slots=True)
class LiveSecret:
    """One secret that works. `expires_at_us` None: until it is rotated away."""

    id: str
    digest: bytes = field(repr=False)
    created_at_us: int
    expires_at_us: int | None
