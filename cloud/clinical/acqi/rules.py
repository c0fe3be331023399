"""Rules of indicators: conditions on the facts of a care record, as values that can be listed and compared.

A rule names its elements (`keys`), so that only their changes are read. Nothing in a rule knows an indicator.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cloud.clinical.acqi.facts import Facts


class Rule(Protocol):
    """A condition on the facts of a care record. `entry` limits it to one entry of a group."""

    def holds(self, facts: Facts, entry: str | None = None) -> bool:
        """Return whether the condition holds."""
        ...

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the elements that the condition reads."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """One of these elements has a value."""

    elements: tuple[str, ...]

    def holds(self, facts: Facts, entry: str | None = None) -> bool:
        return any(next(facts.values(key, entry), None) is not None for key in self.elements)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self.elements)


@dataclass(frozen=True, slots=True)
class Coded:
    """One of these elements has one of these codes."""

    elements: tuple[str, ...]
    codes: frozenset[str]

    def holds(self, facts: Facts, entry: str | None = None) -> bool:
        return any(value in self.codes for key in self.elements for value in facts.values(key, entry))

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self.elements)


@dataclass(frozen=True, slots=True)
class Beginning:
    """One of these elements has a code that begins with one of `prefixes`, such as a category of ICD-10."""

    elements: tuple[str, ...]
    prefixes: tuple[str, ...]

    def holds(self, facts: Facts, entry: str | None = None) -> bool:
        return any(value.startswith(self.prefixes) for key in self.elements for value in facts.values(key, entry))

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self.elements)


@dataclass(frozen=True, slots=True)
class Below:
    """A numeric value of the element is below `limit`."""

    element: str
    limit: float

    def holds(self, facts: Facts, entry: str | None = None) -> bool:
        return any(number < self.limit for number in facts.numbers(self.element, entry))

    @property
    def keys(self) -> frozenset[str]:
        return frozenset({self.element})


@dataclass(frozen=True, slots=True)
class All:
    """Each of the conditions holds."""

    rules: tuple[Rule, ...]

    def holds(self, facts: Facts, entry: str | None = None) -> bool:
        return all(rule.holds(facts, entry) for rule in self.rules)

    @property
    def keys(self) -> frozenset[str]:
        return _keys(self.rules)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the conditions holds."""

    rules: tuple[Rule, ...]

    def holds(self, facts: Facts, entry: str | None = None) -> bool:
        return any(rule.holds(facts, entry) for rule in self.rules)

    @property
    def keys(self) -> frozenset[str]:
        return _keys(self.rules)


@dataclass(frozen=True, slots=True)
class Never:
    """The condition holds for no record. An indicator without exclusions has it."""

    def holds(self, facts: Facts, entry: str | None = None) -> bool:
        return False

    @property
    def keys(self) -> frozenset[str]:
        return frozenset()


NEVER = Never()


@dataclass(frozen=True, slots=True)
class SameEntry:
    """One entry of the group meets all conditions, such as one dose or one set of vital signs."""

    group: str
    rules: tuple[Rule, ...]

    def holds(self, facts: Facts, entry: str | None = None) -> bool:
        return any(all(rule.holds(facts, each) for rule in self.rules) for each in facts.entries(self.group))

    @property
    def keys(self) -> frozenset[str]:
        return _keys(self.rules)


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The time between two elements: `seconds` returns it, None if a time is missing or the interval is not plausible,
    that is negative or longer than `s_max`. As a condition, it holds if there is such a time."""

    first: str
    last: str
    s_max: int

    def seconds(self, facts: Facts) -> int | None:
        began, ended = facts.moment(self.first), facts.moment(self.last)
        if began is None or ended is None:
            return None
        elapsed_s = int((ended - began).total_seconds())
        return elapsed_s if 0 <= elapsed_s <= self.s_max else None

    def holds(self, facts: Facts, entry: str | None = None) -> bool:
        return self.seconds(facts) is not None

    @property
    def keys(self) -> frozenset[str]:
        return frozenset({self.first, self.last})


def recorded(*elements: str) -> Recorded:
    return Recorded(elements)


def coded(element: str, *codes: str) -> Coded:
    return Coded((element,), frozenset(codes))


def beginning(elements: Sequence[str], *prefixes: str) -> Beginning:
    return Beginning(tuple(elements), prefixes)


def _keys(rules: Iterable[Rule]) -> frozenset[str]:
    return frozenset().union(*(rule.keys for rule in rules))
