"""Mass, height and blood glucose of a patient. Mass and height depend on the seed alone and do not change.

They have their own random sequence, so that computing them leaves a patient's heart beats unchanged. Mass follows from
height and a random body mass index in the range of adults. Glucose varies slowly around the value of the condition (by
two percent, with a period of a quarter of an hour), so that two measurements in one mission differ as in reality.
"""

from dataclasses import dataclass
from math import pi, sin
from random import Random

_TIDE_S = 900.0
_TIDE = 0.02
MG_PER_DL_PER_MMOL_PER_L = 18.016
"""Molar mass of glucose, 180.16 g/mol, in these units."""


@dataclass(frozen=True, slots=True)
class Body:
    height_cm: float
    mass_kg: float

    @property
    def mass_index(self) -> float:
        """Body mass index in kg/m²."""
        return self.mass_kg / (self.height_cm / 100) ** 2


def body_of(seed: int, person: int = 1) -> Body:
    """Return the body of one person of a household, always the same for a seed; person 1 is the patient."""
    random = Random(f"body {seed} {person}")
    height_cm = round(random.gauss(172, 9))
    mass_kg = round(random.uniform(20.5, 29.5) * (height_cm / 100) ** 2, 1)
    return Body(float(height_cm), mass_kg)


def glucose_mmol_per_l(set_mmol_per_l: float, now_s: float) -> float:
    """Return the glucose of capillary whole blood at `now_s`, which varies slowly around `set_mmol_per_l`."""
    return set_mmol_per_l * (1 + _TIDE * sin(2 * pi * now_s / _TIDE_S))
