"""Illness and treatment of the patient: the parameters that a scenario changes.

A scenario never sets a blood pressure or a saturation. It sets a blood loss or a shunt, and the coupled models of
heart, lungs, circulation and temperature respond. Ranges are those of an adult.
"""

from dataclasses import dataclass, field, fields
from enum import Enum


class Rhythm(Enum):
    SINUS = "sinus"
    VENTRICULAR_FIBRILLATION = "ventricular fibrillation"
    ASYSTOLE = "asystole"


@dataclass(slots=True)
class Condition:
    """Parameters of a patient's illness, which a scenario changes. The defaults are a resting healthy adult."""

    sinus_rate_bpm: float = 70.0
    """Rate of the sinus node without the baroreflex."""
    contractility: float = 1.0
    """Factor on stroke volume."""
    blood_volume: float = 1.0
    """Fraction of normal; 0.7 is a severe haemorrhage."""
    resistance: float = 1.0
    """Factor on systemic vascular resistance, before the baroreflex."""
    pressure_set_mmhg: float = 92.0
    """The mean arterial pressure that the baroreflex maintains."""
    breathing_drive: float = 1.0
    """Factor on the rate of spontaneous breathing; 0 is apnoea."""
    ventilation_per_min: float = 0.0
    """Breaths a minute given by bag or ventilator; used where it is higher than the patient's own."""
    oxygen_fraction: float = 0.21
    """FiO2."""
    shunt: float = 0.04
    """Fraction of the blood flow that passes the lungs without oxygen."""
    metabolism: float = 1.0
    """Factor on oxygen use and CO2 production."""
    temperature_set_c: float = 36.8
    """Target of the core temperature."""
    st_elevation_mv: float = 0.0
    """Injury current of the inferior and lateral wall, at its largest lead."""
    glucose_set_mmol_per_l: float = 5.4
    """Target of the blood glucose."""


CONDITION_NAMES = frozenset(field.name for field in fields(Condition))


@dataclass(slots=True)
class Treatment:
    """Current treatment by the crew, as a defibrillator measures it."""

    compressions_per_min: float = 0.0
    compression_depth_mm: float = 0.0
    pacing_per_min: float = 0.0
    pacing_current_ma: float = 0.0
    shocks: list["ShockGiven"] = field(default_factory=list)
    pads_impedance_ohm: float = 78.0

    @property
    def compressing(self) -> bool:
        return self.compressions_per_min > 0

    @property
    def pacing(self) -> bool:
        return self.pacing_per_min > 0


@dataclass(frozen=True, slots=True)
class ShockGiven:
    """One delivered shock, at the patient time `at_s`. `number` counts from 1; the impedance is that of the pads."""

    at_s: float
    number: int
    energy_j: float
    impedance_ohm: float
