"""Pressure and flow: a windkessel model filled by each heart beat, a baroreflex, and the pulse at a finger.

A beat ejects its stroke volume as a half sine after the electromechanical delay. The arteries store the volume and
release it through the peripheral resistance (Westerhof's three-element windkessel: characteristic impedance,
compliance, resistance). Stroke volume depends on filling time, blood volume, contractility and afterload. The
baroreflex raises rate and resistance when the mean pressure is low, within limits and some seconds late. Chest
compressions eject blood too, less than a beat. The pleth is the pressure pulse at a finger: later, smoother, and small
when the vessels are constricted. The model advances at 100 Hz.
"""

from collections import deque
from math import exp, pi, sin, sqrt

from simulators.physiology.condition import Condition, Treatment

STEP_HZ = 100
_DT_S = 1 / STEP_HZ
_STROKE_ML = 72.0
_COMPLIANCE_ML_PER_MMHG = 1.25
_RESISTANCE = 1.02
"""mmHg·s/mL: with 84 mL/s this gives the resting mean pressure."""
_IMPEDANCE = 0.055
_VENOUS_MMHG = 5.0
_EJECTION_DELAY_S = 0.09
"""Delay from R to the opening of the aortic valve."""
_PULSE_TRANSIT_STEPS = 16
"""Delay from aorta to finger, 160 ms."""
_COMPRESSION_STROKE_ML = 13.0
"""Good compressions give about a quarter of the resting output."""
_SQUEEZE_MMHG_PER_MM = 0.75
"""Pressure that a compression adds to every vessel in the chest, for each mm of depth."""
_PULSE_FOUND_MMHG = 9.0
"""A finger or a cuff finds no pulse below this pulse pressure."""
WORKING_FLOW_L_PER_MIN = 1.8
"""Least flow for reflexes and breathing. A patient with less is unconscious."""
_HYSTERESIS_MMHG = 2.0
"""Fall below the mean pressure before the next pulse may begin, so that the dicrotic notch is not a second pulse."""


class Circulation:
    """State of the circulation. `step` advances it by 10 ms; the public fields are the current state. Pressures are in
    mmHg, the output is in litres per minute."""

    def __init__(self) -> None:
        self._stored_mmhg = 90.0
        self.pressure_mmhg = 90.0
        self.pleth = 0.0
        self.output_l_per_min = 5.0
        self.mean_mmhg = 92.0
        self.systolic_mmhg = 120.0
        self.diastolic_mmhg = 78.0
        self.pulse_rate_bpm: float | None = 70.0
        self.reflex_rate_bpm = 0.0
        self._reflex_resistance = 1.0
        self._delay_s = -1.0
        self._ejecting_s = 1e9
        self._ejection_s = 0.28
        self._stroke_ml = _STROKE_ML
        self._since_beat_s = 0.85
        self._compression = 0.0
        self._squeeze_mmhg = 0.0
        self._high = 120.0
        self._low = 78.0
        self._armed = False
        self._since_pulse_s = 0.0
        self._intervals_s: deque[float] = deque(maxlen=4)
        self._transit = deque([0.0] * _PULSE_TRANSIT_STEPS, maxlen=_PULSE_TRANSIT_STEPS)
        self._finger = 0.0
        self._finger_smooth = 0.0

    @property
    def perfused(self) -> bool:
        """True where the flow suffices for the brain. Chest compressions do not reach this flow."""
        return self.output_l_per_min > WORKING_FLOW_L_PER_MIN

    @property
    def pulse_pressure_mmhg(self) -> float:
        return self.systolic_mmhg - self.diastolic_mmhg

    def beat(self, condition: Condition) -> None:
        """Start a contraction at an R wave. Its stroke volume depends on the filling time since the last beat."""
        interval_s = min(2.0, self._since_beat_s)
        filling = (1 - exp(-max(0.0, interval_s - 0.22) / 0.22)) / 0.943
        preload = max(0.0, 1 - 1.9 * (1 - condition.blood_volume))
        afterload = 1 - 0.003 * (self.mean_mmhg - 92)
        self._stroke_ml = _STROKE_ML * filling * preload * condition.contractility * max(0.4, afterload)
        self._ejection_s = 0.30 * sqrt(min(1.2, max(0.35, interval_s)))
        self._delay_s = _EJECTION_DELAY_S
        self._since_beat_s = 0.0

    def step(self, condition: Condition, treatment: Treatment, breath: float) -> None:
        flow = self._ejection_ml_per_s() + self._compression_ml_per_s(treatment)
        resistance = _RESISTANCE * condition.resistance * self._reflex_resistance
        self._stored_mmhg += _DT_S * (flow - (self._stored_mmhg - _VENOUS_MMHG) / resistance) / _COMPLIANCE_ML_PER_MMHG
        # Breathing moves the pressures in the chest by a few mmHg.
        self.pressure_mmhg = self._stored_mmhg + _IMPEDANCE * flow - 2.0 * (breath - 0.3) + self._squeeze_mmhg
        self.mean_mmhg += (self.pressure_mmhg - self.mean_mmhg) * _DT_S / 2.0
        self.output_l_per_min += (max(0.0, flow) * 0.06 - self.output_l_per_min) * _DT_S / 4.0
        self._find_pulse()
        self._reflex(condition)
        self._see_finger(breath)

    def _ejection_ml_per_s(self) -> float:
        self._since_beat_s += _DT_S
        if self._delay_s >= 0:
            self._delay_s -= _DT_S
            if self._delay_s < 0:
                self._ejecting_s = 0.0
        at_s, ejection_s = self._ejecting_s, self._ejection_s
        if at_s > ejection_s + 0.04:
            return 0.0
        self._ejecting_s += _DT_S
        if at_s < ejection_s:
            return self._stroke_ml * pi / (2 * ejection_s) * sin(pi * at_s / ejection_s)
        # The aortic valve closes against a short backflow: the dicrotic notch.
        return -1.6 * self._stroke_ml * sin(pi * (at_s - ejection_s) / 0.04)

    def _compression_ml_per_s(self, treatment: Treatment) -> float:
        self._squeeze_mmhg = 0.0
        if not treatment.compressing:
            return 0.0
        frequency_hz = treatment.compressions_per_min / 60
        self._compression = (self._compression + frequency_hz * _DT_S) % 1.0
        if self._compression >= 0.5:
            return 0.0
        push = sin(2 * pi * self._compression)
        self._squeeze_mmhg = _SQUEEZE_MMHG_PER_MM * treatment.compression_depth_mm * push
        stroke = _COMPRESSION_STROKE_ML * min(1.2, treatment.compression_depth_mm / 52)
        return stroke * pi * frequency_hz * push

    def _find_pulse(self) -> None:
        """Detect pulses in the pressure. A pulse begins where the pressure rises through its mean; the maximum and
        minimum of the pulse are systole and diastole."""
        pressure = self.pressure_mmhg
        self._since_pulse_s += _DT_S
        self._high = max(self._high, pressure)
        self._low = min(self._low, pressure)
        if pressure < self.mean_mmhg - _HYSTERESIS_MMHG:
            self._armed = True
        elif self._armed and pressure > self.mean_mmhg and self._since_pulse_s > 0.25:
            self._armed = False
            self._end_pulse()
        if self._since_pulse_s > 3.0:
            self._end_pulse()

    def _end_pulse(self) -> None:
        self.systolic_mmhg += 0.5 * (self._high - self.systolic_mmhg)
        self.diastolic_mmhg += 0.5 * (self._low - self.diastolic_mmhg)
        if self._high - self._low > _PULSE_FOUND_MMHG and self._since_pulse_s <= 3.0:
            self._intervals_s.append(self._since_pulse_s)
            self.pulse_rate_bpm = 60 * len(self._intervals_s) / sum(self._intervals_s)
        else:
            self.pulse_rate_bpm = None
            self._intervals_s.clear()
        self._since_pulse_s = 0.0
        self._high = self._low = self.pressure_mmhg

    def _reflex(self, condition: Condition) -> None:
        """Compute the sympathetic and vagal response to the mean pressure. Without perfusion there is no response."""
        error = condition.pressure_set_mmhg - self.mean_mmhg if self.perfused else 0.0
        rate = min(65.0, max(-18.0, 1.7 * error))
        resistance = min(1.75, max(0.7, 1 + 0.022 * error)) if self.perfused else 0.8
        self.reflex_rate_bpm += (rate - self.reflex_rate_bpm) * _DT_S / 5.0
        self._reflex_resistance += (resistance - self._reflex_resistance) * _DT_S / 12.0

    def _see_finger(self, breath: float) -> None:
        self._transit.append(self.pressure_mmhg - self.mean_mmhg)
        late = self._transit[0]
        self._finger += (late - self._finger) * _DT_S / 0.035
        self._finger_smooth += (self._finger - self._finger_smooth) * _DT_S / 0.035
        tightness = self._reflex_resistance
        self.pleth = self._finger_smooth / (40.0 * tightness) + 0.04 * (breath - 0.3)
