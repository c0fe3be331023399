"""Infero-lateral infarction with a failing heart: ST elevation, falling output and oxygenation, and cardiogenic shock;
oxygen is given on the way.
"""

from simulators.physiology.timeline import Scenario, Turn

DETERIORATING = Scenario(
    "deteriorating",
    start={"sinus_rate_bpm": 84.0, "st_elevation_mv": 0.06, "breathing_drive": 1.1},
    rows=(
        Turn(20, {"st_elevation_mv": 0.28}, over_s=90),
        Turn(40, {"contractility": 0.78, "sinus_rate_bpm": 92.0}, over_s=120),
        Turn(120, {"shunt": 0.16}, over_s=120),
        Turn(180, {"contractility": 0.55, "resistance": 1.15}, over_s=150),
        Turn(260, {"oxygen_fraction": 0.60}, over_s=5),
        Turn(300, {"shunt": 0.24, "breathing_drive": 1.25}, over_s=120),
        Turn(330, {"contractility": 0.34, "resistance": 1.0}, over_s=120),
        Turn(360, {"temperature_set_c": 35.9}, over_s=60),
    ),
)
