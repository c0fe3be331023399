"""ECG of ventricular fibrillation (VF), as a dipole that moves irregularly without beats.

There are three oscillators for each axis, between 3 and 9 Hz, whose frequencies drift at random. So the ECG looks
irregular at every time scale, as in VF, and is the same for the same seed. The amplitude decreases over minutes, from
coarse to fine VF. Chest compressions slow the decrease, as perfusion of the heart does. Re-entry is not modelled.
"""

from math import exp, pi, sin
from random import Random

from simulators.physiology.ecg import Vector

_COARSE_MV = 0.42
_DECAY_S = 420.0
"""Untreated VF turns fine within some minutes and then to asystole."""


class Fibrillation:
    """State of the oscillators. `step` advances it by one sample and returns the dipole in mV."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._phase = [random.uniform(0, 2 * pi) for _ in range(9)]
        self._frequency_hz = [random.uniform(3.5, 8.0) for _ in range(9)]
        self._since_drift_s = 0.0
        self.duration_s = 0.0

    def begin(self) -> None:
        self.duration_s = 0.0

    def step(self, dt_s: float, perfused: bool) -> Vector:
        self.duration_s += dt_s * (0.25 if perfused else 1.0)
        self._since_drift_s += dt_s
        if self._since_drift_s >= 0.1:
            self._since_drift_s = 0.0
            self._drift()
        phase = self._phase
        for index, frequency in enumerate(self._frequency_hz):
            phase[index] += 2 * pi * frequency * dt_s
        size = _COARSE_MV * exp(-self.duration_s / _DECAY_S)
        return (
            size * (sin(phase[0]) + 0.5 * sin(phase[1]) + 0.3 * sin(phase[2])),
            size * (sin(phase[3]) + 0.5 * sin(phase[4]) + 0.3 * sin(phase[5])),
            size * (sin(phase[6]) + 0.5 * sin(phase[7]) + 0.3 * sin(phase[8])),
        )

    def _drift(self) -> None:
        """Change each frequency by a random step with a pull towards 5 Hz (Ornstein-Uhlenbeck process). Also reduce the
        phases to 0 … 2π, so that the sines stay accurate."""
        self._frequency_hz = [
            min(9.0, max(3.0, f + 0.1 * (5.0 - f) + self._random.gauss(0, 0.45))) for f in self._frequency_hz
        ]
        self._phase = [p % (2 * pi) for p in self._phase]
