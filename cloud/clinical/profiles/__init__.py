"""Profiles of people, organisations and wallets, and their enrichment by connectors."""

from cloud.foundation.slice import IdKind, Slice

SLICE = Slice(
    package=__name__,
    ids={"profile": IdKind("profile", "profiles")},
    tags={"Profiles": "People, organisations and wallets, and what lists state about them."},
    tables="tables",
    routes=("routes:routes",),
    retention="jobs:KINDS",
    commands={"profiles": "cli:profiles"},
)
