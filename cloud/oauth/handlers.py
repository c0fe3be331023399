"""Handlers of the token and the revocation endpoint: form in, RFC 6749 document out, nothing kept by any cache."""

from cloud.http.answer import Answer, Json
from cloud.http.errors import OAuthError
from cloud.http.request import Request
from cloud.oauth.client_authentication import read_credentials
from cloud.oauth.schemas import RevocationForm, TokenForm
from cloud.oauth.service import TokenEndpoint

NEVER_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 §5.1


class OAuthHandlers:
    """One for the auth host."""

    def __init__(self, endpoint: TokenEndpoint) -> None:
        self._endpoint = endpoint

    async def token(self, request: Request) -> Answer:
        """`POST /v1/oauth/token`."""
        form: TokenForm = request.body
        if form.grant_type is None:
            raise OAuthError("invalid_request", "grant_type is missing.")
        if form.grant_type != "client_credentials":
            raise OAuthError("unsupported_grant_type", "Use client_credentials.")
        credentials = read_credentials(request.headers, form.client_id, form.client_secret)
        minted = await self._endpoint.client_credentials(credentials, form.scope)
        claims = minted.claims
        document = {
            "access_token": minted.token,
            "token_type": "Bearer",
            "expires_in": claims.expires_at_s - claims.issued_at_s,
            "scope": " ".join(claims.scopes),
        }
        return Json(document, headers=NEVER_KEPT)

    async def revoke(self, request: Request) -> Answer:
        """`POST /v1/oauth/revoke`."""
        form: RevocationForm = request.body
        credentials = read_credentials(request.headers, form.client_id, form.client_secret)
        if form.token is None:
            raise OAuthError("invalid_request", "token is missing.")
        await self._endpoint.revoke(credentials, form.token, request.trace)
        return Answer(200, headers=NEVER_KEPT)
