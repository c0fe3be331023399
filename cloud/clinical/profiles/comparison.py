"""Compare a profile by the connectors, and make the enrichment from their findings.

The result depends on the profile, on the imported lists and on the given id and time alone. So an interrupted
comparison that is made again has the same result, as long as neither has changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from cloud.clinical.profiles.connectors import CONNECTORS, Connector, Finding
from cloud.clinical.profiles.errors import ConnectorNotForKind
from cloud.clinical.profiles.model import Enrichment, Profile
from cloud.foundation.db import Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Viewer

HIGH, MEDIUM = 85, 40
"""Risk scores from which the level is high and medium. A hit of a sanctions list with a score of 0.85 is high."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A profile and the findings of the connectors about it."""

    profile: Profile
    findings: Sequence[tuple[Connector, Finding]]

    @property
    def valid_since_us(self) -> int:
        """The time since which the profile and the searched lists have been as they were compared."""
        return max([self.profile.updated_at_us, *(finding.lists_since_us for _, finding in self.findings)])

    @property
    def risk_score(self) -> int | None:
        """The highest risk score of the connectors; None if no connector had data."""
        return max((one.risk_score for _, one in self.findings if one.risk_score is not None), default=None)

    @property
    def risk_level(self) -> str:
        """The level of the risk score; `unknown` if no connector had data."""
        score = self.risk_score
        if score is None:
            return "unknown"
        return "high" if score >= HIGH else "medium" if score >= MEDIUM else "low"

    def enrichment(self, id: str, at_us: int) -> Enrichment:
        """Return the enrichment with this id and time."""
        document = {
            "id": id,
            "profile_id": self.profile.id,
            "enriched_at": write_moment(at_us),
            "risk": {"level": self.risk_level, "score": self.risk_score},
            "connectors": [
                {
                    "connector": connector.name,
                    "status": finding.status,
                    "risk_score": finding.risk_score,
                    "sources": list(finding.sources),
                    "hits": list(finding.hits),
                }
                for connector, finding in self.findings
            ],
        }
        return Enrichment(
            tenant_id=self.profile.tenant_id,
            id=id,
            profile_id=self.profile.id,
            enriched_at_us=at_us,
            document=orjson.dumps(document).decode(),
        )

    def audit_details(self, enrichment: Enrichment) -> dict[str, Any]:
        """Return the metadata of the audit entry `profile.enrich`."""
        return {
            "enrichment_id": enrichment.id,
            "connectors": [connector.name for connector, _ in self.findings],
            "hits": sum(len(finding.hits) for _, finding in self.findings),
        }


async def compare(tx: Transaction, viewer: Viewer, profile: Profile, names: Sequence[str] | None) -> Comparison:
    """Compare a profile by the connectors with these names (None: all for its kind). The connectors only read, so `tx`
    need not occupy the writer. Raises `ConnectorNotForKind`."""
    chosen = _chosen(profile, names)
    return Comparison(profile, [(one, await one.enrich(tx, viewer, profile)) for one in chosen])


def listed_entries(document: str) -> Sequence[tuple[str, str]]:
    """Return the entries of sanctions lists that are hits in the document of an enrichment, each once, as the name of
    the list and the reference in it."""
    hits = (hit for one in orjson.loads(document)["connectors"] for hit in one["hits"])
    return list(dict.fromkeys((hit["list"], hit["reference"]) for hit in hits if hit["reference"] is not None))


def _chosen(profile: Profile, names: Sequence[str] | None) -> Iterator[Connector]:
    if names is None:
        return (one for one in CONNECTORS.values() if profile.kind in one.kinds)
    for place, name in enumerate(names):
        if profile.kind not in CONNECTORS[name].kinds:
            raise ConnectorNotForKind(mistakes=[Mistake(f"not for the kind {profile.kind}", f"/connectors/{place}")])
    return (one for one in CONNECTORS.values() if one.name in names)
