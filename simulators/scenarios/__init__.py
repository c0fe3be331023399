"""Scenarios of the simulated patient, as data. Each scenario is one file with one value."""

from simulators.physiology.timeline import Scenario
from simulators.scenarios.cardiac_arrest import CARDIAC_ARREST
from simulators.scenarios.deteriorating import DETERIORATING
from simulators.scenarios.stable import STABLE

SCENARIOS = {scenario.name: scenario for scenario in (STABLE, DETERIORATING, CARDIAC_ARREST)}


class UnknownScenario(Exception):
    """There is no scenario of this name; the text names the existing ones."""


def scenario_of(name: str) -> Scenario:
    """Return the scenario named `name`, with hyphens or underscores. Raises UnknownScenario."""
    try:
        return SCENARIOS[name.replace("_", "-")]
    except KeyError:
        raise UnknownScenario(f"there is no scenario {name!r}; there are {', '.join(SCENARIOS)}") from None


__all__ = ["SCENARIOS", "Scenario", "UnknownScenario", "scenario_of"]
