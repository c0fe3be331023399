"""Forms and query parameters of the sign-in pages.

`next` is the path that a page leads to when it is done. Only paths of our own pages are accepted, so that a link on
another site cannot use this host to redirect people elsewhere. Any other value counts as omitted.
"""

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud.foundation.http import Query

NEXT_LENGTH_MAX = 6000
_NEXT = re.compile(r"/(v1/oauth/authorize|admin|sign-in/(password|recovery-codes|authenticator))([/?][!-\[\]-~]*)?")


def _next(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return text if len(text) <= NEXT_LENGTH_MAX and _NEXT.fullmatch(text) else ""


Next = Annotated[str, BeforeValidator(_next)]


class SignInQuery(Query):
    """The query of a sign-in page."""

    next: Next = Field(default="", description="Where to go when signed in.")
    lang: str | None = Field(default=None, max_length=8, description="`en` or `pl`.")


class CodeQuery(SignInQuery):
    """The query of the page for the second factor."""

    recovery: bool = Field(default=False, description="Whether to request a recovery code, with letters.")


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    form_token: str | None = Field(default=None, max_length=100)
    next: Next = ""
    lang: str | None = Field(default=None, max_length=8)


class SignInForm(_Form):
    """User name and password."""

    username: str = Field(default="", max_length=254)
    password: str = Field(default="", max_length=1024, repr=False)


class CodeForm(_Form):
    """Six digits of the authenticator app, or a recovery code. `recovery`: the page requested a recovery code."""

    code: str = Field(default="", max_length=32, repr=False)
    recovery: bool = False


class SetUpForm(_Form):
    """The first code of a new second factor. `key`: the secret of this factor, as it was in the page."""

    code: str = Field(default="", max_length=32, repr=False)
    key: str = Field(default="", max_length=64, repr=False)


class AuthenticatorForm(SetUpForm):
    """The first code of a new authenticator app. `current`: digits of the app that it replaces, or a recovery code."""

    current: str = Field(default="", max_length=32, repr=False)


class PasswordForm(_Form):
    """The current password, and the new one, typed twice."""

    present: str = Field(default="", max_length=1024, repr=False)
    wanted: str = Field(default="", max_length=1024, repr=False)
    again: str = Field(default="", max_length=1024, repr=False)


class SignOutForm(_Form):
    """The sign-out form, without fields of its own."""
