"""Apps, scopes and webhook subscriptions, on the auth host."""

from collections.abc import Iterator
from typing import Any, cast

from argus_sdk import types
from argus_sdk.api import segment
from argus_sdk.operations.group import Group


class Scopes(Group):
    """The scopes that an app may have."""

    def list(self) -> types.ScopeCatalogue:
        """Return the scope catalogue of the tenant."""
        return cast(types.ScopeCatalogue, self._api.request("GET", "/v1/platform/scopes"))


class Apps(Group):
    """The apps of the tenant."""

    def list(self, *, limit: int | None = None) -> Iterator[types.AppShown]:
        """Yield the apps. `limit` is the size of a page."""
        return self._api.pages("/v1/platform/apps", {"limit": limit})

    def create(self, wanted: types.AppWanted) -> types.AppCreated:
        """Register an app. The response has its secrets, once."""
        return cast(types.AppCreated, self._api.request("POST", "/v1/platform/apps", body=wanted))

    def read(self, client_id: str) -> types.AppShown:
        """Return one app."""
        return cast(types.AppShown, self._api.request("GET", f"/v1/platform/apps/{segment(client_id)}"))

    def update_governance(self, client_id: str, changes: types.GovernancePatch) -> types.AppGovernance:
        """Change rules of an app; absent members stay, null sets the default."""
        path = f"/v1/platform/apps/{segment(client_id)}/governance"
        return cast(types.AppGovernance, self._api.request("PATCH", path, body=changes))

    def mint_service_token(self, client_id: str, wanted: types.ServiceTokenWanted) -> types.ServiceToken:
        """Issue a token for automation."""
        path = f"/v1/platform/apps/{segment(client_id)}/service-token"
        return cast(types.ServiceToken, self._api.request("POST", path, body=wanted))

    def rotate_secret(self, client_id: str, wanted: types.RotationWanted | None = None) -> types.Rotated:
        """Issue a new secret, which is in the response, once."""
        path = f"/v1/platform/apps/{segment(client_id)}/rotate-secret"
        return cast(types.Rotated, self._api.request("POST", path, body=wanted))


class Webhooks(Group):
    """The webhook subscriptions of the app. `argus_sdk.webhooks` verifies what they deliver."""

    def list(self, *, limit: int | None = None) -> Iterator[types.WebhookShown]:
        """Yield the subscriptions."""
        return self._api.pages("/v1/webhooks", {"limit": limit})

    def create(self, wanted: types.WebhookWanted) -> types.WebhookCreated:
        """Subscribe. Without a `secret`, the response has a generated one, once."""
        return cast(types.WebhookCreated, self._api.request("POST", "/v1/webhooks", body=wanted))

    def read(self, webhook_id: str) -> types.WebhookShown:
        """Return one subscription."""
        return cast(types.WebhookShown, self._api.request("GET", f"/v1/webhooks/{segment(webhook_id)}"))

    def update(self, webhook_id: str, changes: types.WebhookChange) -> types.WebhookShown:
        """Change the given members and keep the others. A new `secret` rotates: both sign for 24 hours."""
        # A repetition with the same secret does not rotate again.
        found = self._api.request("PUT", f"/v1/webhooks/{segment(webhook_id)}", body=changes)
        return cast(types.WebhookShown, found)

    def delete(self, webhook_id: str) -> None:
        """Unsubscribe. Pending deliveries are discarded."""
        self._api.request("DELETE", f"/v1/webhooks/{segment(webhook_id)}")

    def list_deliveries(
        self,
        webhook_id: str,
        *,
        status: types.DeliveryStatus | None = None,
        kind: types.DeliveryKind | None = None,
        event: str | None = None,
        event_id: str | None = None,
        limit: int | None = None,
    ) -> Iterator[types.DeliveryShown]:
        """Yield the deliveries of the last 30 days, newest first."""
        query: dict[str, Any] = {"status": status, "kind": kind, "event": event, "event_id": event_id, "limit": limit}
        return self._api.pages(f"/v1/webhooks/{segment(webhook_id)}/deliveries", query)

    def send_test(self, webhook_id: str) -> types.QueuedTest:
        """Queue a delivery of `webhook.test`."""
        return cast(types.QueuedTest, self._api.request("POST", f"/v1/webhooks/{segment(webhook_id)}/test"))
