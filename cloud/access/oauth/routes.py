"""The OAuth endpoints of the auth host."""

from functools import partial

from cloud.access.oauth.handlers import OAuthHandlers
from cloud.access.oauth.pages import AuthorizationHandlers, refusal
from cloud.access.oauth.schemas import (
    AccessTokenResponse,
    AuthorizationQuery,
    ConsentForm,
    IntrospectionForm,
    RevocationForm,
    TokenForm,
)
from cloud.foundation.http import CLIENT_AUTHENTICATED, PUBLIC, BodyKind, Host, RateClass, Route

_FORM_BYTES_MAX = 32_768

_client_row = partial(
    Route,
    method="POST",
    host=Host.AUTH,
    scopes=CLIENT_AUTHENTICATED,
    rate_class=RateClass.TOKEN,
    body_kind=BodyKind.FORM,
    body_bytes_max=_FORM_BYTES_MAX,
    tag="Authentication",
    oauth_errors=True,
)

_REFUSALS = {
    400: "The request is malformed, or the client may not use this grant or scope.",
    401: "The client is unknown or its secret is wrong.",
    415: "The body is not a form.",
    429: "Too many requests, or too many wrong secrets, from this address.",
}


def routes(h: OAuthHandlers, pages: AuthorizationHandlers) -> tuple[Route, ...]:
    return (
        Route(
            method="GET",
            path="/v1/oauth/authorize",
            handler=pages.authorize,
            host=Host.AUTH,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            query=AuthorizationQuery,
            query_as_sent=True,
            response_media_type="text/html",
            responses={
                302: "Redirect to the app's redirect URI with a code or an OAuth error.",
                303: "Redirect to the sign-in page.",
                200: "The consent page.",
                400: "A page: the app or its redirect URI is unknown. There is no redirect.",
            },
            errors=(
                "access_denied",
                "invalid_request",
                "invalid_scope",
                "request_not_supported",
                "unauthorized_client",
                "unsupported_response_type",
            ),
            operation_id="authorize",
            summary="Start OAuth authorization code flow",
            description="Starts the authorization flow for integrations that act on behalf of a signed-in user. "
            "The redirect URI must be registered and the scopes approved for the app. PKCE with S256 is required for "
            "public clients and for apps whose governance enforces it. The redirect carries `code`, `state` and `iss`.",
            tag="Authentication",
            added_in="v2026.2",
            refusal_page=refusal,
        ),
        Route(
            method="POST",
            path="/consent",
            handler=pages.decide,
            host=Host.AUTH,
            scopes=PUBLIC,
            rate_class=RateClass.TOKEN,
            body=ConsentForm,
            body_kind=BodyKind.FORM,
            body_bytes_max=_FORM_BYTES_MAX,
            responses={
                302: "Redirect to the app.",
                303: "Redirect to the app.",
                403: "The form was not sent from this page.",
            },
            summary="Allow or deny an app",
            tag="Pages",
            in_contract=False,
            refusal_page=refusal,
        ),
        _client_row(
            path="/v1/oauth/token",
            handler=h.token,
            body=TokenForm,
            response=AccessTokenResponse,
            responses={200: "An access token.", **_REFUSALS},
            errors=(
                "invalid_request",
                "invalid_grant",
                "invalid_scope",
                "unauthorized_client",
                "unsupported_grant_type",
                "invalid_client",
                "temporarily_unavailable",
            ),
            operation_id="issueToken",
            summary="Exchange or mint access tokens",
            description="Issues an access token to an app that authenticates with HTTP Basic or in the form. Only "
            "approved scopes may be requested, and scopes are never narrowed silently. The scopes determine `aud`: the "
            "API, and also the auth host with a webhook or platform scope.",
            added_in="v2026.2",
            request_example={
                "grant_type": "client_credentials",
                "client_id": "app_123",
                "client_secret": "<client-secret>",
                "scope": "webhooks:write",
            },
            response_example={
                "access_token": "<jwt>",
                "token_type": "Bearer",
                "expires_in": 3600,
                "scope": "webhooks:write",
            },
        ),
        _client_row(
            path="/v1/oauth/revoke",
            handler=h.revoke,
            body=RevocationForm,
            responses={200: "The token is not valid (any more).", **_REFUSALS},
            operation_id="revokeToken",
            summary="Revoke an access token",
            description="Revokes a token of the calling app (RFC 7009). All hosts reject it within a minute.",
            in_contract=False,
        ),
        _client_row(
            path="/v1/oauth/introspect",
            handler=h.introspect,
            body=IntrospectionForm,
            responses={200: "Whether the token is active, and its claims if it is.", **_REFUSALS},
            operation_id="introspectToken",
            summary="Introspect an access token",
            description="Returns whether a token of the client's tenant is valid now (RFC 7662).",
            in_contract=False,
        ),
        Route(
            method="GET",
            path="/.well-known/oauth-authorization-server",
            handler=h.metadata,
            host=Host.AUTH,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            responses={200: "The metadata.", 304: "Not modified."},
            operation_id="authorizationServerMetadata",
            summary="Read the authorization server's metadata",
            description="Endpoints and capabilities (RFC 8414).",
            tag="Authentication",
            in_contract=False,
            open_to_browsers=True,
        ),
    )
