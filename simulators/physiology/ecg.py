"""Electrical dipole of the heart during a beat, and its projection to twelve ECG leads.

The dipole follows the dynamical model of McSharry, Clifford, Tarassenko and Smith, "A dynamical model for generating
synthetic electrocardiogram signals", IEEE Trans. Biomed. Eng. 50(3), 2003. In this model a point moves round the unit
circle once in each beat, and each wave of the ECG is a Gaussian attractor or repeller at its angle: z' = −Σ aᵢ Δθᵢ
exp(−Δθᵢ² / 2bᵢ²) − (z − z₀).

Two changes are made. The model runs on its limit cycle, so the angle alone is the state. It runs once for each axis of
the dipole, with a = αω/b², as in Sameni, Shamsollahi, Jutten and Clifford ("Multichannel ECG and noise modeling",
EURASIP J. Adv. Signal Process., 2007), so that α is an amplitude in mV at any rate. Angles and widths scale with the
square root of the rate, as in the first paper.

The twelve leads are a fixed projection of the dipole. The matrix of Dower, Machado and Osborne (Clin. Cardiol. 3, 1980)
gives I, II and V1…V6 from Frank's axes (x left, y down, z back). The formulas of Einthoven and Goldberger give the
other leads. The wave table is our own, adjusted by eye to a normal adult ECG.
"""

from math import exp, pi, sqrt
from typing import NamedTuple

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The order in which leads are generated and stored."""

Vector = tuple[float, float, float]

_DOWER: tuple[Vector, ...] = (  # I, II, V1 … V6
    (0.632, -0.235, 0.059),
    (0.235, 1.066, -0.132),
    (-0.515, 0.157, -0.917),
    (0.044, 0.164, -1.387),
    (0.882, 0.098, -1.277),
    (1.213, 0.127, -0.601),
    (1.125, 0.127, -0.086),
    (0.831, 0.076, 0.230),
)


class Wave(NamedTuple):
    """One Gaussian wave: angle and width in radians at 60 beats a minute, and amplitude in mV along the axes of the
    dipole. At another rate the angle is multiplied by sqrt(rate / 60) to the power `spread`: 0.5 for waves far from R,
    1 for waves beside R (McSharry's table)."""

    name: str
    angle: float
    width: float
    spread: float
    amplitude_mv: Vector


SINUS_WAVES = (
    Wave("P", -pi / 3, 0.25, 0.5, (0.06, 0.12, -0.03)),
    Wave("Q", -pi / 13, 0.09, 1.0, (-0.12, -0.10, -0.28)),
    Wave("R", 0.0, 0.10, 1.0, (1.05, 0.85, 0.22)),
    Wave("S", pi / 12, 0.10, 1.0, (-0.12, -0.18, 0.48)),
    Wave("T-", pi / 2.35, 0.36, 0.5, (0.14, 0.11, -0.08)),
    Wave("T", pi / 1.95, 0.22, 0.5, (0.20, 0.16, -0.13)),
)
"""A beat from the sinus node. T is two Gaussians, because a real T rises slower than it falls."""

PACED_WAVES = (
    Wave("R", 0.05, 0.20, 1.0, (-0.55, -0.75, 0.75)),
    Wave("R'", 0.34, 0.20, 1.0, (-0.35, -0.45, 0.45)),
    Wave("T", pi / 1.9, 0.32, 0.5, (0.28, 0.36, -0.34)),
)
"""A captured beat of a pacing electrode: wide, no P, T against the QRS."""

_INJURY_ANGLE = pi / 4.2
_INJURY_WIDTH = 0.42
_INJURY_AXIS: Vector = (0.55, 0.80, 0.10)
"""An infero-lateral injury current points down and to the left: ST up in II, III, aVF, V5, V6, down in aVL and V1."""

_REACH = 4.0
"""Beyond four widths a Gaussian of 1 mV is below 1 µV: not computed."""


class Dipole:
    """State of the three-axis dipole model. `step` advances it by one sample and returns the dipole in mV."""

    def __init__(self) -> None:
        self._x = self._y = self._z = 0.0
        self._rows: list[tuple[float, float, float, float, float]] = []

    @property
    def has_beat(self) -> bool:
        return bool(self._rows)

    def begin_beat(self, waves: tuple[Wave, ...], omega: float, injury_mv: float) -> None:
        """Set the waves of the next beat. `omega`: angular frequency of the beat in radians a second. `injury_mv`: ST
        elevation in mV along the axis of the injury."""
        rate_factor = sqrt(omega / (2 * pi))
        rows = []
        if injury_mv:
            x, y, z = (axis * injury_mv for axis in _INJURY_AXIS)
            injury = Wave("ST", _INJURY_ANGLE, _INJURY_WIDTH, 0.5, (x, y, z))
            waves = (*waves, injury)
        for wave in waves:
            width = wave.width * rate_factor
            scale = omega / (width * width)
            ax, ay, az = wave.amplitude_mv
            rows.append((wave.angle * rate_factor**wave.spread, 1 / width, ax * scale, ay * scale, az * scale))
        self._rows = rows

    def step(self, angle: float, dt_s: float) -> Vector:
        """Advance by one sample during a beat, and return the dipole in mV. `angle` is the position in the beat at the
        middle of the sample: −π … π, with R at 0."""
        dx = dy = dz = 0.0
        for centre, inverse, ax, ay, az in self._rows:
            delta = angle - centre
            if delta > pi:
                delta -= 2 * pi
            elif delta < -pi:
                delta += 2 * pi
            turns = delta * inverse
            if -_REACH < turns < _REACH:
                pull = delta * exp(-0.5 * turns * turns)
                dx -= ax * pull
                dy -= ay * pull
                dz -= az * pull
        self._x += dt_s * (dx - self._x)
        self._y += dt_s * (dy - self._y)
        self._z += dt_s * (dz - self._z)
        return self._x, self._y, self._z

    def rest(self, dt_s: float) -> Vector:
        """Advance by one sample between beats; return the dipole in mV, which decays (time constant 0.25 s)."""
        keep = 1 - 4 * dt_s
        self._x *= keep
        self._y *= keep
        self._z *= keep
        return self._x, self._y, self._z


def project(x: float, y: float, z: float) -> tuple[float, ...]:
    """Project the dipole to the twelve leads, in mV and in the order of `LEADS`."""
    (i, ii, v1, v2, v3, v4, v5, v6) = [a * x + b * y + c * z for a, b, c in _DOWER]
    return i, ii, ii - i, -0.5 * (i + ii), i - 0.5 * ii, ii - 0.5 * i, v1, v2, v3, v4, v5, v6
