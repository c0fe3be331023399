"""Check the parameters of an authorization request (RFC 6749 §4.1.1, RFC 7636, RFC 9700).

An error before the redirect URI is verified is shown on a page, without a redirect (`NoRedirect`). A later error is
sent to the app by redirect, with `state` and `iss` (`Redirected`). Redirect URIs must match exactly; only a public
client on the loopback may choose its port (RFC 8252 §7.3).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from cloud.access.apps import App, GrantType, ScopeUnknown, check_approved, effective, read_scopes
from cloud.foundation.errors import PrivateError

STATE_OCTETS_MAX = 1024
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""BASE64URL of a SHA-256, without padding (RFC 7636 §4.2)."""
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?(/[^#]*)?")
_ONCE = ("response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")

Pairs = Sequence[tuple[str, str]]


class NoRedirect(PrivateError, code="authorization_request_unusable", status=400):
    """The request names no registered app, or a redirect URI that the app has not registered."""


class Redirected(Exception):
    """An error that the app is told. `error` as in RFC 6749 §4.1.2.1."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


class Target(NamedTuple):
    """The app and redirect URI of an authorization response. `sent`: the parameter `redirect_uri` of the request, None
    if it was absent. `state`: the parameter `state` of the request, None if it was absent or invalid."""

    app: App
    redirect_uri: str
    sent: str | None
    state: str | None

    @property
    def could_be_anybody(self) -> bool:
        """Return whether any program on the user's device could receive the response: the app is a public client, and
        the redirect URI is a loopback address."""
        return not self.app.confidential and _LOOPBACK.fullmatch(self.redirect_uri) is not None

    def address(self, issuer: str, **response: str) -> str:
        """Return the redirect URI with the parameters of the response, the request's `state`, and `iss` (RFC 9207)."""
        parameters = {**response, **({} if self.state is None else {"state": self.state}), "iss": issuer}
        joint = "&" if urlsplit(self.redirect_uri).query else "?"
        return f"{self.redirect_uri}{joint}{urlencode(parameters)}"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid authorization request. `scopes` empty: the request names no scopes. `challenge`: the PKCE challenge, None
    without PKCE."""

    scopes: tuple[str, ...]
    challenge: str | None


def client_of(pairs: Pairs) -> str:
    """Return the client id of an authorization request. Raises `NoRedirect` if the request has none or several."""
    named = [value for name, value in pairs if name == "client_id"]
    if len(named) != 1:
        raise NoRedirect
    return named[0]


def target_of(pairs: Pairs, app: App | None) -> Target:
    """Return the app and redirect URI for the response to an authorization request. Raises `NoRedirect` if the redirect
    URI is not allowed, or if `app` is None (unknown)."""
    sent = [value for name, value in pairs if name == "redirect_uri"]
    if app is None or len(sent) > 1:
        raise NoRedirect
    if not sent:
        if len(app.redirect_uris) != 1:
            raise NoRedirect
        redirect_uri = app.redirect_uris[0]
    elif any(_same(app, registered, sent[0]) for registered in app.redirect_uris):
        redirect_uri = sent[0]
    else:
        raise NoRedirect
    if not app.governance.allows_redirect(redirect_uri):
        raise NoRedirect
    states = [value for name, value in pairs if name == "state"]
    usable = len(states) == 1 and len(states[0].encode()) <= STATE_OCTETS_MAX
    return Target(app, redirect_uri, sent[0] if sent else None, states[0] if usable else None)


def read_request(pairs: Pairs, target: Target) -> AuthorizationRequest:
    """Check the parameters of a request; return its scopes and PKCE challenge. Raises `Redirected`."""
    app = target.app
    for name in _ONCE:
        if sum(given == name for given, _ in pairs) > 1:
            raise Redirected("invalid_request", f"{name} is given more than once.")
    # RFC 6749 §3.1: a parameter without a value counts as omitted, and unknown ones are ignored.
    given = {name: value for name, value in pairs if value}
    if "state" in given and target.state is None:
        raise Redirected("invalid_request", f"state is longer than {STATE_OCTETS_MAX} bytes.")
    if "response_type" not in given:
        raise Redirected("invalid_request", "response_type is missing.")
    if given["response_type"] != "code":
        raise Redirected("unsupported_response_type", "Use response_type=code.")
    if given.get("response_mode", "query") != "query":
        raise Redirected("invalid_request", "Use response_mode=query.")
    if "request" in given or "request_uri" in given:
        raise Redirected("request_not_supported", "Send the parameters in the query.")
    if GrantType.AUTHORIZATION_CODE not in app.grant_types:
        raise Redirected("unauthorized_client", "This app is not registered for authorization_code.")
    return AuthorizationRequest(_scopes(app, given.get("scope")), _challenge(app, given))


def _scopes(app: App, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    try:
        scopes = read_scopes(text, entitled=app.usable_scopes)
        check_approved(scopes, effective(app.usable_scopes))
    except ScopeUnknown as error:
        raise Redirected("invalid_scope", f"{error.detail} {error.suggestion}".rstrip()) from None
    return scopes


def _challenge(app: App, given: dict[str, str]) -> str | None:
    challenge, method = given.get("code_challenge"), given.get("code_challenge_method")
    if challenge is None:
        if method is not None:
            raise Redirected("invalid_request", "code_challenge is missing.")
        if not app.confidential or app.governance.enforce_pkce:
            raise Redirected("invalid_request", "This app must use PKCE: send code_challenge.")
        return None
    if method != "S256":
        raise Redirected("invalid_request", "Use code_challenge_method=S256.")
    if CHALLENGE.fullmatch(challenge) is None:
        raise Redirected("invalid_request", "code_challenge is not the BASE64URL of a SHA-256 digest.")
    return challenge


def _same(app: App, registered: str, sent: str) -> bool:
    """Return whether the redirect URI `sent` in a request equals the `registered` one. Only the loopback port of a
    public client may differ (RFC 8252 §7.3)."""
    if registered == sent:
        return True
    ours, theirs = _LOOPBACK.fullmatch(registered), _LOOPBACK.fullmatch(sent)
    if app.confidential or ours is None or theirs is None:
        return False
    return (ours[1], ours[3]) == (theirs[1], theirs[3]) and _port_usable(theirs[2])


def _port_usable(port: str | None) -> bool:
    return port is None or 0 < int(port[1:]) <= 65_535
