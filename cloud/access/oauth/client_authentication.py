"""Authenticate the client of a request by HTTP Basic or by the form's fields, never by both (contract A-032; security
requirements S-018, S-019). An unknown client and a wrong secret get the same response after the same steps. Received
values are never logged, because users paste secrets into the wrong field.
"""

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from multidict import CIMultiDictProxy

from cloud.access.apps import App, Apps
from cloud.foundation.http import NEVER_AN_ID, OAuthError
from cloud.foundation.ids import SHAPE

CHALLENGE = {"WWW-Authenticate": 'Basic realm="argus", charset="UTF-8"'}
BASIC_LENGTH_MAX = 4096


@dataclass(frozen=True, slots=True)
class Credentials:
    """The client id and secret in a request. `secret` None: the request has no secret."""

    client_id: str
    secret: str | None = field(repr=False)


def invalid_client() -> OAuthError:
    """Return the 401 error for an unknown or unauthenticated client."""
    return OAuthError("invalid_client", "The client is unknown or its secret is wrong.", status=401, headers=CHALLENGE)


def read_credentials(headers: CIMultiDictProxy[str], client_id: str | None, client_secret: str | None) -> Credentials:
    """Read the credentials from the Authorization header or, without it, from the form. Raises `OAuthError`."""
    given = headers.getall("Authorization", ())
    if len(given) > 1:
        raise OAuthError("invalid_request", "There is more than one Authorization header.")
    if not given:
        if client_id is None:
            raise invalid_client()
        return Credentials(client_id, client_secret)
    if client_secret is not None:
        raise OAuthError("invalid_request", "Send the secret in the Authorization header or in the form, not in both.")
    presented = _basic(given[0])
    if client_id is not None and client_id != presented.client_id:
        raise OAuthError("invalid_request", "The Authorization header and the form name different clients.")
    return presented


def _basic(header: str) -> Credentials:
    """Read HTTP Basic credentials, each form-encoded inside the base64 (RFC 6749 §2.3.1). Raises `OAuthError`."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > BASIC_LENGTH_MAX:
        raise invalid_client()
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        name, secret = unquote_plus(name, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise invalid_client() from None
    if not colon:
        raise invalid_client()
    return Credentials(name, secret or None)


async def authenticated(apps: Apps, credentials: Credentials, *, public_too: bool = False) -> App:
    """Return the app that these credentials authenticate. Raises `OAuthError`. `public_too`: also accept a public
    client, which the caller must verify by other means, such as PKCE or possession of the token."""
    # A name that cannot be a client id takes the same path to the database as one that does not exist.
    client_id = credentials.client_id if SHAPE.fullmatch(credentials.client_id) else NEVER_AN_ID
    app = await apps.authenticate(client_id, credentials.secret or "")
    if app is not None:
        return app
    if credentials.secret is None:
        known = await apps.find(client_id)
        if known is not None and not known.confidential:
            if public_too:
                return known
            raise OAuthError("unauthorized_client", "A public client has no secret, so it cannot act for itself.")
    raise invalid_client()
