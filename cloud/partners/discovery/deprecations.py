"""The deprecation matrix: which operations of the contract are deprecated, since when, until when, and what replaces
them (contract matrix A-143).

The routes are the only source: the response headers of a deprecated route, its mark in the OpenAPI document, the 410
after its end, and this document are all derived from its declaration.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from cloud.foundation.http import DEPRECATIONS_PATH, Bases, Host, Route
from cloud.foundation.moments import write_moment
from cloud.partners.discovery.openapi import public_rows

PATH = DEPRECATIONS_PATH


def deprecation_matrix(rows: Sequence[Route], bases: Bases) -> dict[str, Any]:
    """Return the matrix of the public contract, sorted by path and method."""
    deprecated = [row for row in public_rows(rows) if row.deprecated_on is not None]
    return {
        "documentation": f"{bases[Host.DOCS]}/api/docs",
        "deprecations": [_entry(row, bases) for row in sorted(deprecated, key=lambda row: (row.path, row.method))],
    }


def _entry(row: Route, bases: Bases) -> dict[str, Any]:
    return {
        "operation": row.name,
        "hosts": [bases[host] for host in row.hosts],
        "deprecated_at": _moment(row.deprecated_on),
        "sunset_at": _moment(row.sunset_on),
        "successor": None if row.successor is None else bases[row.hosts[0]] + row.successor,
    }


def _moment(day: date | None) -> str | None:
    """Return the beginning of a day in UTC, as the header fields `Deprecation` and `Sunset` give it."""
    if day is None:
        return None
    return write_moment(int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000)
