"""Forms of the token and revocation endpoints, and the token response (C-061, C-062)."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud.foundation.http import Query


def _given(value: object) -> object:
    """Read an empty parameter as omitted (RFC 6749 §3.1)."""
    return None if value == "" else value


Parameter = Annotated[str | None, BeforeValidator(_given)]


class _Form(BaseModel):
    """A form that ignores unknown parameters (RFC 6749 §3.2)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    client_id: Parameter = Field(default=None, max_length=256, description="The app; omitted with HTTP Basic.")
    client_secret: Parameter = Field(
        default=None, max_length=1024, repr=False, description="The secret of the app; omitted with HTTP Basic."
    )


class TokenForm(_Form):
    """A token request."""

    grant_type: Parameter = Field(
        default=None,
        max_length=256,
        description="`client_credentials` for headless integrations, `authorization_code` to act for a person.",
    )
    scope: Parameter = Field(
        default=None, max_length=4096, description="Approved scopes, separated by spaces. Default: all of them."
    )

    code: Parameter = Field(
        default=None, max_length=256, repr=False, description="From the redirect. Valid for one minute and for one use."
    )
    redirect_uri: Parameter = Field(
        default=None, max_length=2048, description="The redirect_uri of the authorization request, if it had one."
    )
    code_verifier: Parameter = Field(
        default=None, max_length=256, repr=False, description="The verifier of the code challenge (RFC 7636)."
    )


class AccessTokenResponse(BaseModel):
    """An access token (RFC 6749 section 5.1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    access_token: str = Field(repr=False, description="A signed JWT (RFC 9068) for the Authorization header.")
    token_type: Literal["Bearer"] = Field(description="The authentication scheme.")
    expires_in: int = Field(description="Seconds until it expires.")
    scope: str = Field(description="The granted scopes: exactly the requested ones.")


class RevocationForm(_Form):
    """A revocation request (RFC 7009)."""

    token: Parameter = Field(default=None, max_length=16384, repr=False, description="The token.")
    token_type_hint: Parameter = Field(default=None, max_length=256, description="Ignored: there is one kind of token.")


class IntrospectionForm(RevocationForm):
    """An introspection request (RFC 7662)."""


class AuthorizationQuery(Query):
    """An authorization request, for the documentation: the handler reads the pairs as sent."""

    response_type: str = Field(description="`code`.")
    client_id: str = Field(description="The app.")
    redirect_uri: str | None = Field(
        default=None, description="A redirect URI of the app. Must match exactly; optional if only one is registered."
    )
    scope: str | None = Field(default=None, description="Approved scopes, separated by spaces. Default: all of them.")
    state: str | None = Field(default=None, description="Opaque value, returned unchanged. At most 1 KiB.")
    code_challenge: str | None = Field(default=None, description="BASE64URL of the SHA-256 of the verifier.")
    code_challenge_method: Literal["S256"] | None = Field(default=None, description="`S256`.")


class ConsentForm(BaseModel):
    """The consent decision. `request`: the query of the authorization request."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    form_token: str | None = Field(default=None, max_length=100)
    request: str = Field(default="", max_length=8192)
    decision: str = Field(default="", max_length=16)
