"""Witnessed cardiac arrest: ventricular fibrillation, compressions, two shocks, return of circulation, and pacing.

The times are those of a well-run resuscitation in short form: one minute of compressions before the first shock and two
before the second, a pause of some seconds around each shock, and ventilation by bag from half a minute after the
arrest.
"""

from simulators.physiology.condition import Rhythm
from simulators.physiology.timeline import Become, Compress, Pace, Scenario, Shock, Turn

CARDIAC_ARREST = Scenario(
    "cardiac-arrest",
    start={"sinus_rate_bpm": 96.0, "st_elevation_mv": 0.22, "contractility": 0.85},
    rows=(
        Become(30, Rhythm.VENTRICULAR_FIBRILLATION),
        Compress(42, per_min=108, depth_mm=46),
        Turn(60, {"ventilation_per_min": 10.0, "oxygen_fraction": 0.85}),
        Compress(70, per_min=112, depth_mm=53),
        Compress(96, per_min=0),
        Shock(100, energy_j=200, impedance_ohm=78),
        Compress(104, per_min=110, depth_mm=54),
        Compress(220, per_min=0),
        Shock(225, energy_j=300, impedance_ohm=76, rhythm=Rhythm.SINUS),
        Turn(225, {"sinus_rate_bpm": 60.0, "contractility": 0.6, "st_elevation_mv": 0.30}),
        Turn(235, {"contractility": 0.85, "sinus_rate_bpm": 78.0}, over_s=60),
        Turn(330, {"sinus_rate_bpm": 30.0, "pressure_set_mmhg": 70.0}, over_s=20),
        Pace(360, per_min=70, current_ma=40),
        Pace(375, per_min=70, current_ma=65),
        Turn(420, {"sinus_rate_bpm": 74.0, "contractility": 0.95, "breathing_drive": 0.9}, over_s=60),
        Pace(500, per_min=0),
        Turn(520, {"ventilation_per_min": 0.0, "oxygen_fraction": 0.5, "pressure_set_mmhg": 85.0}, over_s=30),
    ),
)
