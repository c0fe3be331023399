"""The forms of the token and revocation endpoints, and the token answer (C-061, C-062)."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


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
        default=None, max_length=256, description="`client_credentials` for headless integrations."
    )
    scope: Parameter = Field(
        default=None, max_length=4096, description="Approved scopes with a space between; left out, all of them."
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
