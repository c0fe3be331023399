"""The list of routes that `argus-cloud routes` prints, for reviews and for tools that test every route."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloud.foundation.http.host import Host
from cloud.foundation.http.route import Access, Route


def listed(route: Route, host: Host) -> dict[str, Any]:
    """Return the properties of a route on one host as plain values."""
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


_HEADINGS = ("HOST", "METHOD", "PATH", "SCOPES", "LIMIT", "NEEDS", "CONTRACT")


def table_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return routes as a text table, one line for each result of `listed`, however wide the terminal is."""
    lines = [_HEADINGS, *(_columns(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(_HEADINGS))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _columns(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of a route. The caller must have any one of the scopes in the column SCOPES. The column NEEDS
    has `organization` if the token must have an organisation, and `key` if the route accepts an Idempotency-Key."""
    access = row["access"] if row["access"] != Access.TOKEN.value else "any token"
    needs = [word for word, needed in (("organization", "needs_organization"), ("key", "idempotent")) if row[needed]]
    scopes = "|".join((row["scopes"] or "").split()) or access
    contract = "yes" if row["in_contract"] else "no"
    return (row["host"], row["method"], row["path"], scopes, row["rate_class"], " ".join(needs) or "-", contract)
