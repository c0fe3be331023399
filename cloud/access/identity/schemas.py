"""The forms and addresses of the sign-in pages.

`next` is where somebody goes when they are done: a path of our own pages, so that a link of a stranger cannot use us to
send people elsewhere. Anything else is as if it were not there.
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
    """The query of a link to the pages."""

    next: Next = Field(default="", description="Where to go when signed in.")
    lang: str | None = Field(default=None, max_length=8, description="`en` or `pl`.")


class CodeQuery(SignInQuery):
    """The query of a link to the page of the second factor."""

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
    """Six digits of the authenticator app, or a recovery code. `recovery`: the page requested the latter."""

    code: str = Field(default="", max_length=32, repr=False)
    recovery: bool = False


class SetUpForm(_Form):
    """The first code of a new second factor. `key`: its secret, as the page carried it."""

    code: str = Field(default="", max_length=32, repr=False)
    key: str = Field(default="", max_length=64, repr=False)


class AuthenticatorForm(SetUpForm):
    """The first code of a second factor that replaces another. `current`: digits of the other, or a recovery code."""

    current: str = Field(default="", max_length=32, repr=False)


class PasswordForm(_Form):
    """The present password and the one that is to follow it, typed twice."""

    present: str = Field(default="", max_length=1024, repr=False)
    wanted: str = Field(default="", max_length=1024, repr=False)
    again: str = Field(default="", max_length=1024, repr=False)


class SignOutForm(_Form):
    """Nothing but the wish."""
