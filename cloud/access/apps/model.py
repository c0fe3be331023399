"""Data classes of integration apps: identity, scopes, and governance (the limits that a tenant sets)."""

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from cloud.foundation.viewer import SecrecyLevel


class GrantType(StrEnum):
    """The OAuth grant types of the contract (C-059). The auth host refuses every other grant type."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance:
    """The limits that a tenant's administrator sets for an app (contract C-037)."""

    allow_service_tokens: bool = False
    """Turning it off also stops service tokens that exist (A-029)."""
    enforce_pkce: bool = True
    allowed_redirect_hosts: tuple[str, ...] | None = None
    """Names of hosts that authorization responses may be sent to. None: every registered redirect URI."""
    allowed_webhook_hosts: tuple[str, ...] | None = None
    """Names of hosts that the app's webhooks may be sent to. None: every public host."""
    allowed_scopes: tuple[str, ...] | None = None
    """The approved scopes that the app may use. None: all of them."""
    max_token_ttl_seconds: int | None = None
    """The longest lifetime of a token of this app. None: the longest lifetime of the kind of token."""

    def allows_redirect(self, redirect_uri: str) -> bool:
        hosts = self.allowed_redirect_hosts
        return hosts is None or (urlsplit(redirect_uri).hostname or "") in hosts

    def allows_webhook(self, host: str) -> bool:
        return self.allowed_webhook_hosts is None or host in self.allowed_webhook_hosts

    def document(self) -> dict[str, Any]:
        """Return a dict that maps the contract's name of every governance flag to the flag's value."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Governance":
        """Build an app's governance from a dict that maps names of flags to their values. An absent flag gets its
        default value."""
        known: dict[str, Any] = {one.name: document[one.name] for one in fields(cls) if one.name in document}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**{**known, **lists})


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An integration app, which is an OAuth client. `organization_id` None: the app acts for the whole tenant.
    `clearance`: the highest secrecy level that the app may see."""

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
    """The generation of the secret that signs call-backs; each rotation increments it."""
    callback_kid: str | None = None
    """The id of the master key that this secret derives from. None: the first one of the installation."""
    callback_previous_until_us: int | None = None
    """The time until which the previous call-back secret signs too."""
    callback_previous_kid: str | None = None
    """The id of the master key that the previous secret derives from."""
    confidential: bool = True
    created_at_us: int

    @property
    def usable_scopes(self) -> tuple[str, ...]:
        """Return the approved scopes that the app's governance allows, in the order of their approval."""
        allowed = self.governance.allowed_scopes
        return tuple(name for name in self.approved_scopes if allowed is None or name in allowed)


@dataclass(frozen=True, slots=True)
class LiveSecret:
    """A client secret that an app can use now. `expires_at_us` None: the secret has no expiry until a rotation sets
    one."""

    id: str
    digest: bytes = field(repr=False)
    created_at_us: int
    expires_at_us: int | None
