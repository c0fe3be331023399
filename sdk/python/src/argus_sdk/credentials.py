"""Access tokens: requested with the credentials of an app, or given by the caller.

A token is kept until shortly before it expires, and is replaced once if the service refuses it before. The repr of
these objects has neither token nor secret.
"""

import base64
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote_plus

from argus_sdk.errors import ResponseUnusable
from argus_sdk.transport import Connection, RequestToSend

TOKEN_PATH = "/v1/oauth/token"  # noqa: S105  a path
EXPIRY_MARGIN_S = 60.0
"""A token is replaced so long before it expires, since a request and its retries take time."""


class TokenSource(Protocol):
    """The source of a client's access tokens."""

    def token(self, connection: Connection) -> str:
        """Return an access token that is not known to be invalid."""
        ...

    def replace(self, refused: str, connection: Connection) -> str | None:
        """Return another token than the refused one, None if there is none."""
        ...


class AccessToken:
    """A token that the caller has: a service token, or the token of a signed-in person. It is never replaced."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, _connection: Connection) -> str:
        """Return the token."""
        return self._token

    def replace(self, _refused: str, _connection: Connection) -> None:
        """Return None: the SDK has no other token."""
        return


class ClientCredentials:
    """The client id and the secret of an app (RFC 6749 section 4.4). `scope` limits the tokens, None for all scopes of
    the app. Threads may share it."""

    def __init__(
        self,
        auth_url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = auth_url.rstrip("/") + TOKEN_PATH
        self._authorization = "Basic " + _basic(client_id, client_secret)
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._valid_until_s = 0.0

    def token(self, connection: Connection) -> str:
        """Return the present token, or a new one shortly before it expires. Raises as `Connection.send` does."""
        with self._lock:
            if self._token is None or self._clock() >= self._valid_until_s:
                self._request(connection)
            assert self._token is not None
            return self._token

    def replace(self, refused: str, connection: Connection) -> str:
        """Return another token than the refused one, which another thread may have requested."""
        with self._lock:
            if self._token is None or self._token == refused:
                self._request(connection)
            assert self._token is not None
            return self._token

    def _request(self, connection: Connection) -> None:
        sent_at_s = self._clock()
        document: Any = connection.read_json(
            RequestToSend(
                "POST",
                self._address,
                headers={"Authorization": self._authorization},
                form=self._form,
                # A token that did not arrive does nothing, so the request may be repeated.
                is_repeatable=True,
            )
        )
        known: dict[str, Any] = document if isinstance(document, dict) else {}
        token, lifetime_s = known.get("access_token"), known.get("expires_in")
        if not isinstance(token, str) or not isinstance(lifetime_s, int | float):
            raise ResponseUnusable("token_response_malformed", "The auth host returned no token.")
        self._token = token
        self._valid_until_s = sent_at_s + max(lifetime_s - EXPIRY_MARGIN_S, lifetime_s / 2)


def _basic(client_id: str, client_secret: str) -> str:
    """Return the credentials of HTTP Basic; both parts are form-encoded first (RFC 6749 section 2.3.1)."""
    return base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()).decode()
