"""Core temperature: it drifts towards the target of the illness, falls without blood flow, and changes the metabolism.

The drift is first order with a time constant of half an hour. Oxygen use changes with the temperature by a Q10 of 2.2,
so a fever makes breathing faster.
"""

from simulators.physiology.condition import Condition

_DRIFT_S = 1800.0
_COOLING_C_PER_S = 0.5 / 3600
"""Half a degree an hour with no circulation, in a warm vehicle."""


class Temperature:
    def __init__(self) -> None:
        self.core_c = 36.8

    def step(self, condition: Condition, perfused: bool, dt_s: float) -> None:
        if perfused:
            self.core_c += (condition.temperature_set_c - self.core_c) * dt_s / _DRIFT_S
        else:
            self.core_c -= _COOLING_C_PER_S * dt_s

    @property
    def heat(self) -> float:
        """Return the factor by which the temperature changes the metabolism; 1 at 36.8 °C."""
        return float(2.2 ** ((self.core_c - 36.8) / 10))
