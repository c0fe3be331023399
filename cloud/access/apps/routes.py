"""Routes of scopes and apps on the auth host (C-019…C-052)."""

from functools import partial

from cloud.access.apps.handlers import AppHandlers
from cloud.access.apps.schemas import (
    AppCreated,
    AppGovernance,
    AppPage,
    AppQuery,
    AppShown,
    AppWanted,
    GovernancePatch,
    Rotated,
    RotationWanted,
    ScopeCatalogue,
    ServiceToken,
    ServiceTokenWanted,
)
from cloud.foundation.http import Audience, Host, Parts, RateClass, Route, Scopes

READ = Scopes.any_of("argus:platform:read", "argus:platform:admin")
ADMIN = Scopes.any_of("argus:platform:admin")
_row = partial(Route, host=Host.AUTH, tag="Apps", added_in="v2026.2")
_administrator_row = partial(_row, scopes=ADMIN, rate_class=RateClass.WRITE, audience=Audience.ADMINISTRATORS)
_GOVERNANCE = {
    "allow_service_tokens": False,
    "enforce_pkce": True,
    "allowed_redirect_hosts": None,
    "allowed_webhook_hosts": None,
    "allowed_scopes": None,
    "max_token_ttl_seconds": None,
}
_APP = {
    "client_id": "app_123",
    "name": "Case sync connector",
    "grant_types": ["client_credentials"],
    "redirect_uris": [],
    "requested_scopes": ["webhooks:write"],
    "approved_scopes": ["webhooks:write"],
    "token_endpoint_auth_method": "client_secret_basic",
    "tenant_id": "tnt_1",
    "organization_id": None,
    "governance": _GOVERNANCE,
    "secrets": [{"created_at": "2026-03-24T10:00:00Z", "expires_at": None}],
    "created_at": "2026-03-24T10:00:00Z",
}


def routes(parts: Parts) -> tuple[Route, ...]:
    h = AppHandlers(parts)
    return (*_catalogue_and_apps(h), *_administration(h))


def _catalogue_and_apps(h: AppHandlers) -> tuple[Route, ...]:
    return (
        _row(
            method="GET",
            path="/v1/platform/scopes",
            handler=h.scopes,
            scopes=READ,
            response=ScopeCatalogue,
            responses={200: "Every scope that can be granted to apps of this tenant.", 304: "Not modified."},
            operation_id="listScopes",
            summary="List available scopes",
            description="The scope catalogue that external apps can request at registration and at token issuance.",
            response_example={
                "scopes": [
                    {"name": "webhooks:write", "description": "Create and update outbound webhook subscriptions"}
                ]
            },
        ),
        _row(
            method="GET",
            path="/v1/platform/apps",
            handler=h.list,
            scopes=READ,
            query=AppQuery,
            response=AppPage,
            responses={200: "A page of the tenant's apps, ordered by id."},
            response_example={"apps": [_APP], "next_cursor": None},
            operation_id="listApps",
            summary="List platform apps",
            description="The integration apps of the caller's tenant.",
        ),
        _row(
            method="POST",
            path="/v1/platform/apps",
            handler=h.create,
            scopes=ADMIN,
            rate_class=RateClass.WRITE,
            body=AppWanted,
            response=AppCreated,
            responses={
                201: "The app with its secrets, which are shown only once.",
                400: "The body is invalid, or a grant, scope or redirect URI is unknown or not allowed.",
                403: "The requested secrecy level is above the clearance of the caller.",
                404: "Organisation not found.",
            },
            errors=(
                "invalid_grant_types",
                "invalid_redirect_uri",
                "invalid_scope",
                "invalid_governance",
                "clearance_exceeded",
                "organization_unknown",
                "name_malformed",
            ),
            operation_id="createApp",
            summary="Create a platform app",
            description="Registers an integration app. Tokens are issued to registered apps only.",
            request_example={
                "name": "Case sync connector",
                "grant_types": ["client_credentials"],
                "redirect_uris": [],
                "requested_scopes": ["webhooks:write"],
            },
            response_example={
                **_APP,
                "client_secret": "<write-once-secret>",
                "callback_signing_secret": "<write-once-callback-secret>",
            },
        ),
        _row(
            method="GET",
            path="/v1/platform/apps/{client_id}",
            handler=h.inspect,
            scopes=READ,
            response=AppShown,
            responses={200: "The app and its governance.", 304: "Not modified.", 404: "App not found."},
            errors=("app_unknown",),
            operation_id="inspectApp",
            summary="Inspect an integration app",
            description="Redirect URIs, grants, scopes, governance and the creation times of its secrets.",
            response_example=_APP,
        ),
    )


def _administration(h: AppHandlers) -> tuple[Route, ...]:
    return (
        _administrator_row(
            method="PATCH",
            path="/v1/platform/apps/{client_id}/governance",
            handler=h.govern,
            body=GovernancePatch,
            response=AppGovernance,
            responses={
                200: "All flags after the change.",
                400: "A flag is unknown or has an invalid value.",
                404: "App not found.",
                412: "The app has changed since the version in If-Match.",
            },
            errors=(
                "invalid_governance",
                "invalid_scope",
                "app_unknown",
                "clearance_exceeded",
            ),
            operation_id="updateAppGovernance",
            summary="Update app governance",
            description="Changes flags of one app (JSON Merge Patch: omitted flags keep their value, null restores the "
            "default). Turning service tokens off also revokes the minted ones.",
            request_example={"allow_service_tokens": True, "enforce_pkce": True},
            response_example={"client_id": "app_123", "governance": {**_GOVERNANCE, "allow_service_tokens": True}},
        ),
        _administrator_row(
            method="POST",
            path="/v1/platform/apps/{client_id}/service-token",
            handler=h.mint_service_token,
            body=ServiceTokenWanted,
            body_optional=True,
            response=ServiceToken,
            responses={
                201: "The token, which is shown only once.",
                400: "A scope is not approved for the app, or the lifetime exceeds the app's governance.",
                403: "The app's governance does not allow service tokens.",
                404: "App not found.",
            },
            errors=(
                "invalid_scope",
                "invalid_ttl",
                "service_tokens_disabled",
                "clearance_exceeded",
                "app_unknown",
            ),
            operation_id="mintServiceToken",
            summary="Mint a service token",
            description="A token for automation, independent of a user session.",
            request_example={"scopes": ["webhooks:write"]},
            response_example={"token": "<service-token>", "expires_at": "2026-03-24T10:00:00Z"},
        ),
        _administrator_row(
            method="POST",
            path="/v1/platform/apps/{client_id}/rotate-secret",
            handler=h.rotate_secret,
            body=RotationWanted,
            body_optional=True,
            response=Rotated,
            responses={
                200: "The new secrets, which are shown only once.",
                404: "App not found.",
                409: "A public client has no secret.",
            },
            errors=(
                "grace_too_long",
                "app_unknown",
                "app_public",
            ),
            operation_id="rotateAppSecret",
            summary="Rotate an app secret",
            description="Creates a secret. The previous one is valid for another 24 hours, or ends now with "
            "`revoke_previous`. At most two secrets are valid at a time.",
            response_example={
                "client_id": "app_123",
                "client_secret": "<new-write-once-secret>",
                "previous_secret_expires_at": "2026-03-25T10:00:00Z",
                "callback_signing_secret": "<new-write-once-callback-secret>",
            },
        ),
    )
