"""A row as `argus-cloud routes` shows it: what somebody asks who reviews, documents or walks the surface."""

from typing import Any

from cloud.foundation.http.host import Host
from cloud.foundation.http.route import Access, Route


def listed(route: Route, host: Host) -> dict[str, Any]:
    """One row on one host, in plain values."""
    scopes = route.scopes
    return {
        "host": host.value,
        "method": route.method,
        "path": route.path,
        "access": scopes.access.value,
        "scopes": " ".join(sorted(scopes.names)) if scopes.access is Access.TOKEN else None,
        "needs_organization": route.needs_organization,
        "idempotent": route.idempotent,
        "rate_class": route.rate_class.value,
        "audience": route.audience.value,
        "stability": route.stability.value,
        "added_in": route.added_in,
        "deprecated_on": None if route.deprecated_on is None else route.deprecated_on.isoformat(),
        "sunset_on": None if route.sunset_on is None else route.sunset_on.isoformat(),
        "in_contract": route.in_contract,
    }
