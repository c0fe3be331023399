"""Telephony: the carriers of a tenant, and the routes of their numbers to the subsystems that take calls."""

from cloud.foundation.slice import IdKind, Slice

SLICE = Slice(
    package=__name__,
    tables="tables",
    graph="graph:GRAPH",
    commands={"telephony": "cli:telephony"},
    ids={
        "provider": IdKind("telephony provider", "telephony_providers"),
        "route": IdKind("telephony route", "telephony_routes"),
    },
)
