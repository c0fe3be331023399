"""What the platform's routes read and answer (C-019…C-052, A-042…A-046)."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud.access.apps.model import GrantType
from cloud.access.apps.scopes import NAMES
from cloud.foundation.http.query import Paged

HOSTS_MAX = 50
TTL_S_MAX = 90 * 86_400


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _whole(value: object) -> object:
    """JSON has one kind of number: 7.0 is a whole one (JSON Schema 2020-12 §4.2.3)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
# What the two texts may be is for the document; a wrong one is refused by the service, with a code of its own.
ScopeName = Annotated[str, Field(json_schema_extra={"enum": sorted(NAMES)})]
GrantName = Annotated[str, Field(json_schema_extra={"enum": sorted(GrantType)})]
ScopeNames = Annotated[list[ScopeName], Field(max_length=64)]
HostName = Annotated[
    str, Field(max_length=253, pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
]


HostNames = Annotated[list[HostName], Field(max_length=HOSTS_MAX, json_schema_extra={"uniqueItems": True})]


class ScopeShown(_Answer):
    """One scope."""

    name: str = Field(description="As it stands in a token.")
    description: str = Field(description="For consent and approval screens.")


class ScopeCatalogue(_Answer):
    """Every scope that this tenant's apps can be given."""

    scopes: list[ScopeShown]


class AppWanted(_Body):
    """An app to be registered."""

    name: str = Field(min_length=1, max_length=200, description="What people call it.")
    grant_types: list[GrantName] = Field(
        max_length=8,
        json_schema_extra={"minItems": 1},
        description="`client_credentials` to act for itself, `authorization_code` to act for people.",
    )
    redirect_uris: list[Annotated[str, Field(max_length=1024)]] = Field(
        default=[], max_length=20, description="Where codes may be sent, letter by letter; https."
    )
    requested_scopes: ScopeNames = Field(min_length=1, description="From the scope catalogue.")
    token_endpoint_auth_method: Literal["client_secret_basic", "client_secret_post", "none"] = Field(
        default="client_secret_basic", description="`none`: a public client, which has no secret."
    )
    organization_id: str | None = Field(
        default=None, max_length=64, description="The organisation that it acts in; left out, the caller's own."
    )


class Governance(_Answer):
    """Every flag."""

    allow_service_tokens: bool = Field(description="Whether service tokens may be minted; off also ends them.")
    enforce_pkce: bool = Field(description="Whether authorization requests need a code challenge.")
    allowed_redirect_hosts: list[str] | None = Field(description="Hosts for codes; null: all that are registered.")
    allowed_webhook_hosts: list[str] | None = Field(description="Hosts for webhooks; null: any public one.")
    allowed_scopes: list[str] | None = Field(description="What may be used of the approval; null: all of it.")
    max_token_ttl_seconds: int | None = Field(description="The longest life of a token; null: as its kind has it.")


class GovernancePatch(_Body):
    """Flags to change (RFC 7396): what is left out stays, null is the default."""

    allow_service_tokens: bool | None = None
    enforce_pkce: bool | None = None
    allowed_redirect_hosts: HostNames | None = None
    allowed_webhook_hosts: HostNames | None = None
    allowed_scopes: ScopeNames | None = None
    max_token_ttl_seconds: Annotated[int, Field(ge=60, le=TTL_S_MAX), BeforeValidator(_whole)] | None = None


class SecretShown(_Answer):
    """A secret that works; never the secret."""

    created_at: str
    expires_at: str | None = Field(description="null: until it is rotated away.")


class AppShown(_Answer):
    """An app, as whoever administers it sees it."""

    client_id: str
    name: str
    grant_types: list[str]
    redirect_uris: list[str]
    requested_scopes: list[str]
    approved_scopes: list[str]
    token_endpoint_auth_method: str
    tenant_id: str
    organization_id: str | None = Field(description="null: it acts for the tenant as a whole.")
    governance: Governance
    secrets: list[SecretShown] = Field(description="The secrets that work now, newest first; at most two.")
    created_at: str


class AppCreated(AppShown):
    """A new app with its secrets, which are shown only now."""

    client_secret: str | None = Field(repr=False, description="null for a public client.")
    callback_signing_secret: str = Field(repr=False, description="Signs what is sent to the app's call-backs.")


class AppPage(_Answer):
    """A page of apps."""

    apps: list[AppShown]
    next_cursor: str | None = Field(description="For the next page; null on the last.")


class AppQuery(Paged):
    """Which page of the apps."""


class GovernanceAnswer(_Answer):
    """The flags of one app."""

    client_id: str
    governance: Governance


class ServiceTokenWanted(_Body):
    """A service token to be minted."""

    scopes: ScopeNames | None = Field(default=None, min_length=1, description="Of the app's approval; left out, all.")
    ttl_seconds: Whole | None = Field(
        default=None,
        description="60 to 7776000, and no more than governance allows; left out, a day.",
        json_schema_extra={"minimum": 60, "maximum": TTL_S_MAX},
    )


class ServiceToken(_Answer):
    """A service token, which is shown only now."""

    token: str = Field(repr=False)
    expires_at: str


class RotationWanted(_Body):
    """How the previous secret ends."""

    revoke_previous: bool = Field(default=False, description="End it now, for a secret that has leaked.")
    grace_hours: Whole = Field(default=24, ge=0, le=168, description="How long it goes on working.")


class Rotated(_Answer):
    """The new secrets, which are shown only now."""

    client_id: str
    client_secret: str = Field(repr=False)
    previous_secret_expires_at: str | None = Field(description="null: the previous one has stopped working.")
    callback_signing_secret: str = Field(repr=False)
