"""The OAuth endpoints of the auth host."""

from cloud.access.oauth.handlers import OAuthHandlers
from cloud.access.oauth.pages import AuthorizationHandlers, refusal
from cloud.access.oauth.schemas import (
    AuthorizationQuery,
    ConsentForm,
    IntrospectionForm,
    RevocationForm,
    TokenAnswer,
    TokenForm,
)
from cloud.foundation.http.host import Host
from cloud.foundation.http.route import CLIENT_AUTHENTICATED, PUBLIC, BodyKind, RateClass, Route

_FORM_OCTETS_MAX = 32_768

_REFUSALS = {
    400: "The request is malformed, or asks for a grant or scope that this client does not have.",
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
            answer_media_type="text/html",
            answers={
                302: "Back to the app's redirect URI, with a code or an OAuth error.",
                303: "To the sign-in page first.",
                200: "The consent page.",
                400: "A page: the app or its redirect URI is not known, so nothing is sent anywhere.",
            },
            operation_id="authorize",
            summary="Start OAuth authorization code flow",
            description="Initiates the authorization flow for integrations that act on behalf of a signed-in user. "
            "Redirect URI and scopes must have been approved for the app. PKCE with S256 is required of public "
            "clients, and of every app whose governance enforces it. The redirect carries `code`, `state` and `iss`.",
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
            body_octets_max=_FORM_OCTETS_MAX,
            answers={302: "Back to the app.", 303: "Back to the app.", 403: "The form did not come from our page."},
            summary="Allow or refuse an app",
            tag="Pages",
            in_contract=False,
            refusal_page=refusal,
        ),
        Route(
            method="POST",
            path="/v1/oauth/token",
            handler=h.token,
            host=Host.AUTH,
            scopes=CLIENT_AUTHENTICATED,
            rate_class=RateClass.TOKEN,
            body=TokenForm,
            body_kind=BodyKind.FORM,
            body_octets_max=_FORM_OCTETS_MAX,
            answer=TokenAnswer,
            answers={200: "An access token.", **_REFUSALS},
            operation_id="issueToken",
            summary="Exchange or mint access tokens",
            description="Issues an access token to an app that proves itself by HTTP Basic or by the form's fields. "
            "Only scopes that were approved for the app may be requested; nothing is narrowed silently.",
            tag="Authentication",
            added_in="v2026.2",
            oauth_errors=True,
            request_example={
                "grant_type": "client_credentials",
                "client_id": "app_123",
                "client_secret": "<client-secret>",
                "scope": "webhooks:write",
            },
            answer_example={
                "access_token": "<jwt>",
                "token_type": "Bearer",
                "expires_in": 3600,
                "scope": "webhooks:write",
            },
        ),
        Route(
            method="POST",
            path="/v1/oauth/revoke",
            handler=h.revoke,
            host=Host.AUTH,
            scopes=CLIENT_AUTHENTICATED,
            rate_class=RateClass.TOKEN,
            body=RevocationForm,
            body_kind=BodyKind.FORM,
            body_octets_max=_FORM_OCTETS_MAX,
            answers={200: "The token is not, or no longer, valid.", **_REFUSALS},
            operation_id="revokeToken",
            summary="Revoke an access token",
            description="Ends a token of the calling app before it expires (RFC 7009). All hosts refuse it within "
            "a minute.",
            tag="Authentication",
            in_contract=False,
            oauth_errors=True,
        ),
        Route(
            method="POST",
            path="/v1/oauth/introspect",
            handler=h.introspect,
            host=Host.AUTH,
            scopes=CLIENT_AUTHENTICATED,
            rate_class=RateClass.TOKEN,
            body=IntrospectionForm,
            body_kind=BodyKind.FORM,
            body_octets_max=_FORM_OCTETS_MAX,
            answers={200: "Whether the token is active, and what it says then.", **_REFUSALS},
            operation_id="introspectToken",
            summary="Introspect an access token",
            description="Says whether a token of the asking client's tenant would be accepted now (RFC 7662).",
            tag="Authentication",
            in_contract=False,
            oauth_errors=True,
        ),
        Route(
            method="GET",
            path="/.well-known/oauth-authorization-server",
            handler=h.metadata,
            host=Host.AUTH,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            answers={200: "The metadata.", 304: "It has not changed."},
            operation_id="authorizationServerMetadata",
            summary="Read the authorization server's metadata",
            description="RFC 8414: where the endpoints are and what they can do.",
            tag="Authentication",
            in_contract=False,
            open_to_browsers=True,
        ),
    )
