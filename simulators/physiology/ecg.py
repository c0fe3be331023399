"""The heart's electrical dipole over a beat, and its projection to twelve leads.

The dipole follows the dynamical model of McSharry, Clifford, Tarassenko and Smith, "A dynamical model for generating
synthetic electrocardiogram signals", IEEE Trans. Biomed. Eng. 50(3), 2003: a point circles the unit cycle once a beat,
and each wave of the ECG is a Gaussian attractor or repeller at its angle, so that z' = −Σ aᵢ Δθᵢ exp(−Δθᵢ² / 2bᵢ²) − (z
− z₀). It runs here on its limit cycle (the circle attracts, so the angle alone is the state) and once for each axis of
the dipole, with a = αω/b², as Sameni, Shamsollahi, Jutten and Clifford extend it ("Multichannel ECG and noise
modeling", EURASIP J. Adv. Signal Process., 2007); α is then an amplitude in mV at any rate. Angles and widths scale
with the square root of the rate, as in the first paper.

The twelve leads are a fixed projection of the dipole: the matrix of Dower, Machado and Osborne (Clin. Cardiol. 3, 1980)
gives I, II and V1…V6 from Frank's axes (x left, y down, z back), Einthoven and Goldberger give the rest. The wave table
is ours, shaped by eye to a normal adult tracing. `heart` decides when a beat begins.
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
    """One Gaussian: angle and width in radians at 60 beats a minute, amplitude in mV along the dipole's axes.

    `spread` is the exponent of the rate in the angle: 0.5 for waves far from R, 1 for those beside it (McSharry's
    table).
    """

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
    """The state of the three-axis model. `step` advances it by one sample and returns the vector in mV."""

    def __init__(self) -> None:
        self._x = self._y = self._z = 0.0
        self._rows: list[tuple[float, float, float, float, float]] = []

    @property
    def has_beat(self) -> bool:
        return bool(self._rows)

    def begin_beat(self, waves: tuple[Wave, ...], omega: float, injury_mv: float) -> None:
        """Set angles, widths and amplitudes for the next beat; omega is in radians a second."""
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
        """Return the vector one sample later; `angle` is the middle of the step, −π … π with R at 0."""
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
        """Return the vector one sample later without a wave: it relaxes to the baseline with the model's own time
        constant of 1 s."""
        keep = 1 - 4 * dt_s
        self._x *= keep
        self._y *= keep
        self._z *= keep
        return self._x, self._y, self._z


def project(x: float, y: float, z: float) -> tuple[float, ...]:
    """Return the twelve leads in mV, in the order of `LEADS`."""
    (i, ii, v1, v2, v3, v4, v5, v6) = [a * x + b * y + c * z for a, b, c in _DOWER]
    return i, ii, ii - i, -0.5 * (i + ii), i - 0.5 * ii, ii - 0.5 * i, v1, v2, v3, v4, v5, v6
