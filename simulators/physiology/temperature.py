"""Core temperature: it drifts towards the value of the illness, falls when little blood flows, and sets metabolism.

First order and slow (half an hour); the coupling is Q10 ≈ 2.2 on oxygen use, so a fever makes breathing faster.
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
        """Return the factor on metabolism."""
        return float(2.2 ** ((self.core_c - 36.8) / 10))
