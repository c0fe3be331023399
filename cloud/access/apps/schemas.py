"""Bodies of the platform routes (C-019…C-052, A-042…A-046)."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud.access.apps.model import GrantType
from cloud.access.apps.scopes import NAMES
from cloud.foundation.http import Paged

HOSTS_MAX = 50
TTL_S_MAX = 90 * 86_400


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _whole(value: object) -> object:
    """Read 7.0 as 7: JSON has one kind of number (JSON Schema 2020-12 §4.2.3)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
# The enum is for the document only: the service rejects an unknown name with a code of its own.
ScopeName = Annotated[str, Field(json_schema_extra={"enum": sorted(NAMES)})]
GrantName = Annotated[str, Field(json_schema_extra={"enum": sorted(GrantType)})]
ScopeNames = Annotated[list[ScopeName], Field(max_length=64)]
HostName = Annotated[
    str, Field(max_length=253, pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
]


HostNames = Annotated[list[HostName], Field(max_length=HOSTS_MAX, json_schema_extra={"uniqueItems": True})]


class ScopeShown(_Response):
    """One scope."""

    name: str = Field(description="As in a token.")
    description: str = Field(description="For consent and approval screens.")


class ScopeCatalogue(_Response):
    """Every scope that can be granted to this tenant's apps."""

    scopes: list[ScopeShown]


class AppWanted(_Body):
    """An app to register."""

    name: str = Field(min_length=1, max_length=200, description="Display name.")
    grant_types: list[GrantName] = Field(
        max_length=8,
        json_schema_extra={"minItems": 1},
        description="`client_credentials` to act for itself, `authorization_code` to act for a person.",
    )
    redirect_uris: list[Annotated[str, Field(max_length=1024)]] = Field(
        default=[], max_length=20, description="Where authorization codes may be sent: https, compared exactly."
    )
    requested_scopes: ScopeNames = Field(min_length=1, description="From the scope catalogue.")
    token_endpoint_auth_method: Literal["client_secret_basic", "client_secret_post", "none"] = Field(
        default="client_secret_basic", description="`none`: a public client, without a secret."
    )
    organization_id: str | None = Field(
        default=None, max_length=64, description="The organisation of the app. Default: the caller's organisation."
    )


class Governance(_Response):
    """All governance flags."""

    allow_service_tokens: bool = Field(
        description="Whether service tokens may be minted. Turning it off revokes the minted ones."
    )
    enforce_pkce: bool = Field(description="Whether authorization requests need PKCE.")
    allowed_redirect_hosts: list[str] | None = Field(
        description="Allowed hosts of redirect URIs; null: all registered ones."
    )
    allowed_webhook_hosts: list[str] | None = Field(description="Allowed hosts of webhooks; null: any public host.")
    allowed_scopes: list[str] | None = Field(description="Approved scopes that may be used; null: all of them.")
    max_token_ttl_seconds: int | None = Field(description="Maximum lifetime of a token; null: the default of its kind.")


class GovernancePatch(_Body):
    """Flags to change (RFC 7396): omitted flags keep their value, null restores the default."""

    allow_service_tokens: bool | None = None
    enforce_pkce: bool | None = None
    allowed_redirect_hosts: HostNames | None = None
    allowed_webhook_hosts: HostNames | None = None
    allowed_scopes: ScopeNames | None = None
    max_token_ttl_seconds: Annotated[int, Field(ge=60, le=TTL_S_MAX), BeforeValidator(_whole)] | None = None


class SecretShown(_Response):
    """Validity of a secret, without the secret."""

    created_at: str
    expires_at: str | None = Field(description="null: valid until the next rotation.")


class AppShown(_Response):
    """An app as administrators see it."""

    client_id: str
    name: str
    grant_types: list[str]
    redirect_uris: list[str]
    requested_scopes: list[str]
    approved_scopes: list[str]
    token_endpoint_auth_method: str
    tenant_id: str
    organization_id: str | None = Field(description="null: the app acts for the whole tenant.")
    governance: Governance
    secrets: list[SecretShown] = Field(description="The valid secrets, newest first; at most two.")
    created_at: str


class AppCreated(AppShown):
    """A new app with its secrets, which are shown only once."""

    client_secret: str | None = Field(default=None, repr=False, description="Absent for a public client.")
    callback_signing_secret: str = Field(repr=False, description="Signs the requests to the app's callbacks.")


class AppPage(_Response):
    """A page of apps."""

    apps: list[AppShown]
    next_cursor: str | None = Field(description="For the next page; null on the last.")


class AppQuery(Paged):
    """Page of the listing of apps."""


class AppGovernance(_Response):
    """The governance flags of one app."""

    client_id: str
    governance: Governance


class ServiceTokenWanted(_Body):
    """A service token to mint."""

    scopes: ScopeNames | None = Field(
        default=None, min_length=1, description="Approved scopes of the app. Default: all of them."
    )
    ttl_seconds: (
        Annotated[Whole, Field(json_schema_extra={"minimum": 60, "maximum": TTL_S_MAX, "format": "int64"})] | None
    ) = Field(
        default=None,
        description="60 to 7776000, and at most the limit of the app's governance. Default: one day.",
    )


class ServiceToken(_Response):
    """A service token, which is shown only once."""

    token: str = Field(repr=False)
    expires_at: str


class RotationWanted(_Body):
    """The end of the previous secret."""

    revoke_previous: bool = Field(default=False, description="Revoke it now, for a leaked secret.")
    grace_hours: Whole = Field(default=24, ge=0, le=168, description="Hours for which it remains valid.")


class Rotated(_Response):
    """The new secrets, which are shown only once."""

    client_id: str
    client_secret: str = Field(repr=False)
    previous_secret_expires_at: str | None = Field(description="null: the previous secret is revoked.")
    callback_signing_secret: str = Field(repr=False)
