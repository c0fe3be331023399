"""Handlers of the token, revocation and introspection endpoints, and of the server's metadata (RFC 8414). Requests are
forms. Responses are the JSON documents of RFC 6749, and no cache may store them.
"""

from cloud.access.apps import CATALOGUE, GrantType
from cloud.access.oauth.client_authentication import read_credentials
from cloud.access.oauth.schemas import IntrospectionForm, RevocationForm, TokenForm
from cloud.access.oauth.service import TokenEndpoint
from cloud.access.tokens import Names
from cloud.foundation.http import Json, OAuthError, Request, Response, strong_etag
from cloud.foundation.pages import Language

NEVER_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 §5.1


class OAuthHandlers:
    """Handlers of the OAuth endpoints. `names`: issuer and audience of tokens. `docs`: address of the docs host."""

    def __init__(self, endpoint: TokenEndpoint, names: Names, docs: str) -> None:
        self._endpoint = endpoint
        self._names = names
        self._docs = docs

    async def token(self, request: Request) -> Response:
        form: TokenForm = request.body
        if form.grant_type is None:
            raise OAuthError("invalid_request", "grant_type is missing.")
        if form.grant_type not in set(GrantType):
            raise OAuthError("unsupported_grant_type", "Use authorization_code or client_credentials.")
        credentials = read_credentials(request.headers, form.client_id, form.client_secret)
        if form.grant_type == GrantType.CLIENT_CREDENTIALS:
            minted = await self._endpoint.client_credentials(credentials, form.scope)
        else:
            minted = await self._endpoint.authorization_code(
                credentials, form.code, form.redirect_uri, form.code_verifier, request.trace
            )
        claims = minted.claims
        document = {
            "access_token": minted.token,
            "token_type": "Bearer",
            "expires_in": claims.expires_at_s - claims.issued_at_s,
            "scope": " ".join(claims.scopes),
        }
        return Json(document, headers=NEVER_KEPT)

    async def revoke(self, request: Request) -> Response:
        form: RevocationForm = request.body
        credentials = read_credentials(request.headers, form.client_id, form.client_secret)
        if form.token is None:
            raise OAuthError("invalid_request", "token is missing.")
        await self._endpoint.revoke(credentials, form.token, request.trace)
        return Response(200, headers=NEVER_KEPT)

    async def introspect(self, request: Request) -> Response:
        """Return whether a token is active and, if so, its claims."""
        form: IntrospectionForm = request.body
        credentials = read_credentials(request.headers, form.client_id, form.client_secret)
        if form.token is None:
            raise OAuthError("invalid_request", "token is missing.")
        claims = await self._endpoint.introspect(credentials, form.token)
        if claims is None:
            return Json({"active": False}, headers=NEVER_KEPT)
        return Json({"active": True, "token_type": "Bearer", **claims.document(self._names)}, headers=NEVER_KEPT)

    async def metadata(self, request: Request) -> Response:
        issuer = self._names.issuer
        by_secret = ["client_secret_basic", "client_secret_post"]
        document = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/v1/oauth/authorize",
            "token_endpoint": f"{issuer}/v1/oauth/token",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "revocation_endpoint": f"{issuer}/v1/oauth/revoke",
            "introspection_endpoint": f"{issuer}/v1/oauth/introspect",
            "scopes_supported": [scope.name for scope in CATALOGUE],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": [grant.value for grant in GrantType],
            "token_endpoint_auth_methods_supported": [*by_secret, "none"],
            "revocation_endpoint_auth_methods_supported": [*by_secret, "none"],
            "introspection_endpoint_auth_methods_supported": by_secret,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "ui_locales_supported": [language.value for language in Language],
            "service_documentation": f"{self._docs}/api/docs",
        }
        response = Json(document, headers={"Cache-Control": "public, max-age=300"})
        response.etag = strong_etag(response.body)
        return response
