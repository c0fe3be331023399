"""Routes of the sign-in pages on the auth host. None is in the public contract (C-060)."""

from typing import Any

from cloud.access.identity.authenticator_page import PATH as AUTHENTICATOR
from cloud.access.identity.authenticator_page import AuthenticatorHandlers
from cloud.access.identity.handlers import PAGES, SignInHandlers
from cloud.access.identity.password_page import PATH as PASSWORD
from cloud.access.identity.password_page import PasswordHandlers
from cloud.access.identity.recovery_page import PATH as RECOVERY
from cloud.access.identity.recovery_page import RecoveryCodeHandlers
from cloud.access.identity.schemas import (
    AuthenticatorForm,
    CodeForm,
    CodeQuery,
    PasswordForm,
    SetUpForm,
    SignInForm,
    SignInQuery,
    SignOutForm,
)
from cloud.foundation.http import PUBLIC, BodyKind, Handler, Host, RateClass, Route

_FORM_BYTES_MAX = 16_384


def sign_in_rows(
    h: SignInHandlers,
    passwords: PasswordHandlers,
    recovery: RecoveryCodeHandlers,
    authenticator: AuthenticatorHandlers,
) -> tuple[Route, ...]:
    return (
        _page("GET", "/sign-in", h.page, "Show the sign-in page", query=SignInQuery),
        _page("POST", "/sign-in", h.sign_in, "Sign in", body=SignInForm),
        _page("GET", "/sign-in/second-factor", h.second_factor_page, "Request a code", query=CodeQuery),
        _page("POST", "/sign-in/second-factor", h.second_factor, "Give a code", body=CodeForm),
        _page("GET", "/sign-in/second-factor/set-up", h.set_up_page, "Offer a second factor", query=SignInQuery),
        _page("POST", "/sign-in/second-factor/set-up", h.set_up, "Set a second factor up", body=SetUpForm),
        _page("GET", PASSWORD, passwords.page, "Show the form for another password", query=SignInQuery),
        _page("POST", PASSWORD, passwords.change, "Change one's password", body=PasswordForm),
        _page("GET", RECOVERY, recovery.page, "Show the number of recovery codes left", query=SignInQuery),
        _page("POST", RECOVERY, recovery.replace, "Replace the recovery codes", body=CodeForm),
        _page("GET", AUTHENTICATOR, authenticator.page, "Offer another authenticator app", query=SignInQuery),
        _page("POST", AUTHENTICATOR, authenticator.replace, "Replace the authenticator app", body=AuthenticatorForm),
        _page("POST", "/sign-out", h.sign_out, "Sign out", body=SignOutForm),
    )


def _page(method: str, path: str, handler: Handler, summary: str, **more: Any) -> Route:
    return Route(
        method=method,
        path=path,
        handler=handler,
        host=Host.AUTH,
        scopes=PUBLIC,
        rate_class=RateClass.PUBLIC if method == "GET" else RateClass.TOKEN,
        body_kind=BodyKind.FORM,
        body_bytes_max=_FORM_BYTES_MAX,
        responses={200: "The page.", 303: "Onward.", 403: "The form did not come from our page."},
        summary=summary,
        tag="Pages",
        in_contract=False,
        refusal_page=PAGES.refusal,
        **more,
    )
