"""Values of profiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cloud.foundation.viewer import SecrecyLevel


class ProfileKind(StrEnum):
    """The kind of subject that a profile describes."""

    PERSON = "person"
    ORGANIZATION = "organization"
    WALLET = "wallet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A person, organisation or wallet. `reference` is its id in the system of the organisation. A wallet has `asset`
    and `address`, the others have names. `birth_date` is an ISO date, perhaps without day or month."""

    tenant_id: str
    id: str
    organization_id: str
    reference: str
    kind: ProfileKind
    names: Sequence[str]
    birth_date: str | None
    countries: Sequence[str]
    asset: str | None
    address: str | None
    secrecy_level: SecrecyLevel
    created_at_us: int
    updated_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrichment:
    """The result of the connectors for a profile at a time. `document` is JSON text, as the API shows it."""

    tenant_id: str
    id: str
    profile_id: str
    enriched_at_us: int
    document: str


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A line of an imported file that cannot be used. The text never repeats the line."""

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedProfiles:
    """The result of an import. `stored` counts new and changed profiles, `left_out` those of chunks with a problem."""

    stored: int
    left_out: int
    problems: Sequence[LineProblem]
