"""The forms of the token and revocation endpoints, and the token answer (C-061, C-062)."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud.foundation.http.query import Query


def _given(value: object) -> object:
    """RFC 6749 §3.1: a parameter without a value counts as left out."""
    return None if value == "" else value


Parameter = Annotated[str | None, BeforeValidator(_given)]


class _Form(BaseModel):
    """Parameters that we do not know are ignored, as RFC 6749 §3.2 wants it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    client_id: Parameter = Field(default=None, max_length=256, description="The app, unless HTTP Basic names it.")
    client_secret: Parameter = Field(
        default=None, max_length=1024, repr=False, description="Its secret, unless HTTP Basic carries it."
    )


class TokenForm(_Form):
    """A token request."""

    grant_type: Parameter = Field(
        default=None,
        max_length=256,
        description="`client_credentials` for headless integrations, `authorization_code` to act for somebody.",
    )
    scope: Parameter = Field(
        default=None, max_length=4096, description="Approved scopes with a space between; left out, all of them."
    )

    code: Parameter = Field(
        default=None, max_length=256, repr=False, description="From the redirect; good for a minute, and once."
    )
    redirect_uri: Parameter = Field(
        default=None, max_length=2048, description="As in the authorization request, if it was there."
    )
    code_verifier: Parameter = Field(
        default=None, max_length=256, repr=False, description="What the code challenge was made of (RFC 7636)."
    )


class TokenAnswer(BaseModel):
    """An access token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    access_token: str = Field(repr=False, description="A signed JWT (RFC 9068) for the Authorization header.")
    token_type: Literal["Bearer"] = Field(description="How to present it.")
    expires_in: int = Field(description="Seconds until it expires.")
    scope: str = Field(description="What it may do: the requested scopes, never fewer.")


class RevocationForm(_Form):
    """A revocation request (RFC 7009)."""

    token: Parameter = Field(default=None, max_length=16384, repr=False, description="The token to end.")
    token_type_hint: Parameter = Field(default=None, max_length=256, description="Not needed; there is one kind.")


class IntrospectionForm(RevocationForm):
    """An introspection request (RFC 7662)."""


class AuthorizationQuery(Query):
    """An authorization request. For the documentation: the handler reads the pairs as they were sent."""

    response_type: str = Field(description="`code`.")
    client_id: str = Field(description="The app.")
    redirect_uri: str | None = Field(
        default=None,
        description="One that the app has registered, letter by letter; left out if it is the only.",
    )
    scope: str | None = Field(default=None, description="Approved scopes with a space between; left out, all of them.")
    state: str | None = Field(default=None, description="Opaque; comes back unchanged. At most 1 KiB.")
    code_challenge: str | None = Field(default=None, description="BASE64URL of the SHA-256 of the verifier.")
    code_challenge_method: Literal["S256"] | None = Field(default=None, description="`S256`.")


class ConsentForm(BaseModel):
    """The decision. `request`: the authorization request, as its query."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    form_token: str | None = Field(default=None, max_length=100)
    request: str = Field(default="", max_length=8192)
    decision: str = Field(default="", max_length=16)
