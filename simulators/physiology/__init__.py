"""A simulated patient: seeded, coupled, in plain Python. Exports `Patient(seed, scenario)` and its measurements."""

from simulators.physiology.body import MG_PER_DL_PER_MMOL_PER_L, Body, body_of
from simulators.physiology.circulation import STEP_HZ
from simulators.physiology.condition import Condition, Rhythm, ShockGiven, Treatment
from simulators.physiology.ecg import LEADS
from simulators.physiology.patient import Patient, Vitals
from simulators.physiology.track import SamplesDropped, Track

__all__ = [
    "LEADS",
    "MG_PER_DL_PER_MMOL_PER_L",
    "STEP_HZ",
    "Body",
    "Condition",
    "Patient",
    "Rhythm",
    "SamplesDropped",
    "ShockGiven",
    "Track",
    "Treatment",
    "Vitals",
    "body_of",
]
