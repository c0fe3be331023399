"""The OAuth endpoints of the auth host."""

from cloud.http.host import Host
from cloud.http.route import CLIENT_AUTHENTICATED, BodyKind, RateClass, Route
from cloud.oauth.handlers import OAuthHandlers
from cloud.oauth.schemas import RevocationForm, TokenAnswer, TokenForm

_FORM_OCTETS_MAX = 32_768

_REFUSALS = {
    400: "The request is malformed, or asks for a grant or scope that this client does not have.",
    401: "The client is unknown or its secret is wrong.",
    415: "The body is not a form.",
    429: "Too many requests, or too many wrong secrets, from this address.",
}


def routes(h: OAuthHandlers) -> tuple[Route, ...]:
    return (
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
    )
