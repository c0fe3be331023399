"""Profiles of people, organisations and wallets, and their enrichment by connectors."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.profiles.comparison import listed_entries
    from cloud.clinical.profiles.enriching import EnrichedProfile, ProfileEnricher
    from cloud.clinical.profiles.errors import ProfileTaken
    from cloud.clinical.profiles.schemas import ConnectorName, ProfileLine
    from cloud.clinical.profiles.service import Profiles
    from cloud.clinical.profiles.tables import profile_enrichments, profiles
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    data_schemas="schemas:DATA_SCHEMAS",
    ids={"profile": IdKind("profile", "profiles")},
    tags={"Profiles": "People, organisations and wallets, and what lists state about them."},
    tables="tables",
    routes=("routes:routes",),
    retention="jobs:KINDS",
    commands={"profiles": "cli:profiles"},
)
