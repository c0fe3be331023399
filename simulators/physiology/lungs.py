"""Breathing and gas exchange: rate and depth of breaths, gas in alveoli and blood, and the airway's capnogram.

The model has one alveolar compartment with CO2 and O2, and one tissue compartment with CO2, connected by the blood
flow. When the heart stops, CO2 no longer arrives in the alveoli, and end-tidal CO2 falls within some breaths. When the
heart starts again, the CO2 accumulated in the tissue arrives in a surge.

Saturation follows Severinghaus' curve (J. Appl. Physiol. 46, 1979) with a shunt. A pulse oximeter shows it some seconds
late, and shows nothing without a pulse. Chemoreceptors control rate and depth. The model advances at 100 Hz.
"""

from math import cos, exp, pi
from random import Random

from simulators.physiology.circulation import STEP_HZ, WORKING_FLOW_L_PER_MIN
from simulators.physiology.condition import Condition

_DT_S = 1 / STEP_HZ
_DT_MIN = _DT_S / 60
_REST_PER_MIN = 14.0
_TIDAL_L = 0.50
_DEAD_SPACE_L = 0.16
_INSPIRED_PART = 0.36
"""Fraction of a breath's time; expiration takes the rest."""
_CO2_MADE_ML_PER_MIN = 200.0
_O2_USED_ML_PER_MIN = 250.0
_CO2_CARRIED = 4.7
"""mL of CO2 that a litre of blood takes up for each mmHg."""
_O2_CARRIED_ML_PER_L = 201.0
"""Oxygen content of fully saturated blood with 150 g/L of haemoglobin."""
_ALVEOLAR_ML_PER_MMHG = 2.9
"""2.5 L of alveolar gas, body conditions."""
_ELIMINATION = 1.159
"""mL (dry, standard) that a litre of alveolar gas carries for each mmHg."""
_TISSUE_CO2_ML_PER_MMHG = 150.0
_OXIMETER_LATE_S = 9.0


class Lungs:
    """State of the lungs. `step` advances it by 10 ms; the public fields are the current state."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._phase = 0.0
        self._pace = 1.0
        self.filling = 0.0
        self.rate_per_min = _REST_PER_MIN
        self.capnogram_mmhg = 0.0
        self.end_tidal_mmhg = 37.0
        self.inspired_mmhg = 0.0
        self.saturation_percent = 97.5
        self.oximeter_percent = 97.5
        self._breath_peak_mmhg = 37.0
        self._breath_low_mmhg = 0.0
        self._alveolar_co2 = 37.5
        self._tissue_co2 = 46.0
        self._alveolar_o2 = 100.0
        self._since_breath_s = 0.0
        self._depth = 1.0
        self._without_flow_s = 0.0
        self.heat = 1.0

    @property
    def arterial_co2_mmhg(self) -> float:
        return self._alveolar_co2 + 1.5

    @property
    def sinus_arrhythmia(self) -> float:
        """Return the relative change of the heart rate by the current breath: positive while the lungs are full."""
        return 0.055 * self._depth * (self.filling - 0.35)

    def step(self, condition: Condition, flow_l_per_min: float) -> None:
        self._without_flow_s = 0.0 if flow_l_per_min > WORKING_FLOW_L_PER_MIN else self._without_flow_s + _DT_S
        rate, tidal_l = self._effort(condition)
        self._breathe(rate)
        alveolar_l_per_min = rate * max(0.0, tidal_l - _DEAD_SPACE_L)
        self._exchange(condition, alveolar_l_per_min, flow_l_per_min)
        self._draw(rate, flow_l_per_min)

    def _effort(self, condition: Condition) -> tuple[float, float]:
        """Return breaths a minute and tidal volume in litres: those of a ventilation by bag if it is faster than the
        patient's own breathing, otherwise those of the patient."""
        own = 0.0
        depth = 1.0
        if self._without_flow_s < 15.0:  # a brain without blood stops breathing
            hypercapnia = (self.arterial_co2_mmhg - 39.0) / 39.0
            hypoxia = max(0.0, 94.0 - self.saturation_percent) / 30.0
            want = 1 + 2.0 * hypercapnia + 2.6 * hypoxia
            own = condition.breathing_drive * _REST_PER_MIN * min(2.4, max(0.35, want))
            depth = min(1.9, max(0.6, 1 + 1.6 * hypercapnia + 0.3 * hypoxia))
        if condition.ventilation_per_min > own:
            self._depth = 1.0
            return condition.ventilation_per_min, _TIDAL_L
        self._depth = depth
        return own, _TIDAL_L * depth

    def _breathe(self, rate: float) -> None:
        if rate < 2.0:
            self._since_breath_s += _DT_S
            self.filling *= 1 - _DT_S / 0.6
            self._phase = 0.999 if self.filling < 0.01 else self._phase
            return
        self._phase += rate * self._pace * _DT_MIN
        self._since_breath_s += _DT_S
        if self._phase >= 1.0:
            self._phase %= 1.0
            self._pace = min(1.25, max(0.8, self._random.gauss(1.0, 0.05)))
            self._end_breath(rate)
        if self._phase < _INSPIRED_PART:
            self.filling = 0.5 * (1 - cos(pi * self._phase / _INSPIRED_PART))
        else:
            self.filling = exp(-(self._phase - _INSPIRED_PART) / 0.14)

    def _end_breath(self, rate: float) -> None:
        self.end_tidal_mmhg = self._breath_peak_mmhg
        self._breath_peak_mmhg = 0.0
        self.inspired_mmhg, self._breath_low_mmhg = self._breath_low_mmhg, self.capnogram_mmhg
        if self._since_breath_s > 0.5:
            measured = 60 / self._since_breath_s
            weight = 0.35 if measured < 1.5 * rate else 1.0
            self.rate_per_min += weight * (measured - self.rate_per_min)
        self._since_breath_s = 0.0

    @property
    def measured_rate_per_min(self) -> float:
        """Return the respiration rate that a monitor shows: 0 after 20 s without a breath."""
        return 0.0 if self._since_breath_s > 20.0 else self.rate_per_min

    @property
    def measured_end_tidal_mmhg(self) -> float | None:
        """Return the end-tidal CO2 of the last breath; None after 20 s without a breath."""
        return None if self._since_breath_s > 20.0 else self.end_tidal_mmhg

    @property
    def measured_inspired_mmhg(self) -> float | None:
        """Return the inspired CO2, the lowest CO2 of the last breath; None after 20 s without a breath."""
        return None if self._since_breath_s > 20.0 else self.inspired_mmhg

    def _exchange(self, condition: Condition, alveolar_l_per_min: float, flow_l_per_min: float) -> None:
        demand = condition.metabolism * self.heat
        carried = _CO2_CARRIED * flow_l_per_min * (self._tissue_co2 - self._alveolar_co2)
        self._tissue_co2 += _DT_MIN * (_CO2_MADE_ML_PER_MIN * demand - carried) / _TISSUE_CO2_ML_PER_MMHG
        washed = _ELIMINATION * alveolar_l_per_min * self._alveolar_co2
        self._alveolar_co2 += _DT_MIN * (carried - washed) / _ALVEOLAR_ML_PER_MMHG
        used = min(_O2_USED_ML_PER_MIN * demand, 0.75 * _O2_CARRIED_ML_PER_L * flow_l_per_min)
        inspired_o2 = condition.oxygen_fraction * 713.0
        supplied = _ELIMINATION * alveolar_l_per_min * (inspired_o2 - self._alveolar_o2)
        self._alveolar_o2 = max(5.0, self._alveolar_o2 + _DT_MIN * (supplied - used) / _ALVEOLAR_ML_PER_MMHG)
        capillary = _severinghaus(self._alveolar_o2)
        extraction = used / max(1.0, _O2_CARRIED_ML_PER_L * flow_l_per_min)
        shunted = condition.shunt / (1 - condition.shunt) * extraction
        target = 100 * max(0.05, capillary - shunted)
        self.saturation_percent += (target - self.saturation_percent) * _DT_S / 5.0
        self.oximeter_percent += (self.saturation_percent - self.oximeter_percent) * _DT_S / _OXIMETER_LATE_S

    def _draw(self, rate: float, flow_l_per_min: float) -> None:
        """Compute the capnogram: zero during inspiration and in the dead space, then the alveolar plateau. With little
        blood flow, alveoli without blood add gas without CO2 and lower the plateau."""
        mixed = min(1.0, 1.2 * flow_l_per_min / (flow_l_per_min + 0.9))
        expired = (self._phase - _INSPIRED_PART) / (1 - _INSPIRED_PART)
        if rate < 2.0 or expired < 0.07:
            target, time_s = 0.0, 0.06
        else:
            target, time_s = mixed * self._alveolar_co2 * (0.93 + 0.07 * expired), 0.11
        self.capnogram_mmhg += (target - self.capnogram_mmhg) * _DT_S / time_s
        self._breath_peak_mmhg = max(self._breath_peak_mmhg, self.capnogram_mmhg)
        self._breath_low_mmhg = min(self._breath_low_mmhg, self.capnogram_mmhg)


def _severinghaus(pressure_mmhg: float) -> float:
    """Return the saturation of haemoglobin, 0 … 1, at this partial pressure of oxygen."""
    return 1 / (23400 / (pressure_mmhg**3 + 150 * pressure_mmhg) + 1)
