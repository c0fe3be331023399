"""Indicator of the quality of ambulance care: its texts, and the rule that computes it from a care record."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from cloud.clinical.acqi.facts import Facts
from cloud.clinical.acqi.rules import NEVER, Elapsed, Rule


class Unit(StrEnum):
    """Unit of the value of an indicator (UCUM)."""

    SHARE = "1"
    """The share of patients, from 0 to 1."""
    SECONDS = "s"
    """The mean of an interval."""


class Score(NamedTuple):
    """The contribution of one encounter to an indicator. The denominator counts the encounter. The numerator is 0 or 1,
    or the seconds of its interval."""

    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """An indicator. An encounter counts if `population` holds and `excluded` does not. Its numerator is 1 if `achieved`
    holds, or the seconds if `achieved` is an interval.

    `name` is public and never renamed. `numerator`, `denominator` and `exclusions` are the sentences for people, and
    `source` is the publication whose indicator this is, with its own name there.
    """

    name: str
    english: str
    polish: str
    numerator: str
    denominator: str
    exclusions: str
    source: str
    population: Rule
    achieved: Rule
    excluded: Rule = NEVER

    @property
    def unit(self) -> Unit:
        return Unit.SECONDS if isinstance(self.achieved, Elapsed) else Unit.SHARE

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the elements that the indicator reads."""
        return self.population.keys | self.achieved.keys | self.excluded.keys

    def score(self, facts: Facts) -> Score | None:
        """Return the score of an encounter with these facts; None if it does not count."""
        if not self.population.holds(facts) or self.excluded.holds(facts):
            return None
        if isinstance(self.achieved, Elapsed):
            elapsed_s = self.achieved.seconds(facts)
            return None if elapsed_s is None else Score(elapsed_s, 1)
        return Score(int(self.achieved.holds(facts)), 1)
