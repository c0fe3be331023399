"""Data classes of scores and metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloud.clinical.acqi.indicator import Indicator, Score
from cloud.foundation.viewer import SecrecyLevel

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredEncounter:
    """The scores of an encounter by the names of indicators; empty if they have expired. `at_us` is its beginning."""

    tenant_id: str
    encounter_id: str
    organization_id: str
    secrecy_level: SecrecyLevel
    at_us: int
    scores: Mapping[str, Score]

    @property
    def day(self) -> int:
        """The day of the encounter since 1970-01-01, UTC."""
        return self.at_us // DAY_US

    @property
    def is_expired(self) -> bool:
        """Return whether the record has begun to expire. The encounter is then never scored again."""
        return not self.scores


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of scores."""

    numerator: int = 0
    denominator: int = 0

    @property
    def value(self) -> float | None:
        """The numerator divided by the denominator, None for a denominator of 0 (contract A-093)."""
        return self.numerator / self.denominator if self.denominator else None


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the trend: the sums of the days that begin at `at_us`."""

    at_us: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class Metric:
    """An indicator over a range, with its trend."""

    indicator: Indicator
    sums: Sums
    trend: Sequence[Point]
