"""Defibrillator: the ECG of its pads, and the treatment by the crew.

It has one extended configuration. Compressions and pacing are reported once a second while they last. A shock is
reported once (energy, impedance and count in one report), and state and impedance of the pads every two seconds. The
codes are private (`specializations.codes`), since no public ones were found.
"""

from collections.abc import Iterator

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.specializations.extended import DEFIBRILLATOR
from simulators.agents.blocks import WaveformDevice
from simulators.agents.device import Description, Pace
from simulators.agents.objects import Numeric
from simulators.physiology.patient import Patient

PADS_ATTACHED = 0x8000
"""Pad status, bit 0."""
PACER_FIXED_RATE = 0x8000
"""Pacer mode, bit 0; bit 1 would be demand."""

HEART_RATE = Numeric(10)
IMPEDANCE = Numeric(11)
PADS = 12
ENERGY_SELECTED = Numeric(20)
ENERGY_DELIVERED = Numeric(21)
SHOCK_COUNT = Numeric(22)
COMPRESSION_RATE = Numeric(30)
COMPRESSION_DEPTH = Numeric(31)
PACER_RATE = Numeric(40)
PACER_CURRENT = Numeric(41)
PACER_MODE = 42


class Defibrillator(WaveformDevice):
    """Defibrillator. Object handles: 1 ECG lead II, from 10 on heart rate and pads, from 20 on shocks, from 30 on
    compressions, from 40 on pacer."""

    configuration = DEFIBRILLATOR

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(patient, description, [(1, patient.lead("II"))])
        self._each_two = Pace(2.0, 2.0)
        self._shocks_reported = 0

    def reports(self, now_s: float, time: DeviceTime) -> Iterator[tuple[Reading, ...]]:
        # By handle: an object has one value at one time, even when a shock and the report of the pads coincide.
        readings: dict[int, Reading] = {}
        for reading in (*self._shocks(time), *self._numbers(now_s, time), *self._pads(now_s, time)):
            readings.setdefault(reading.handle, reading)
        if readings:
            yield tuple(readings.values())

    def _shocks(self, time: DeviceTime) -> Iterator[Reading]:
        shock = next((shock for shock in self._patient.treatment.shocks if shock.number > self._shocks_reported), None)
        if shock is not None:
            self._shocks_reported = shock.number
            yield ENERGY_DELIVERED.read(shock.energy_j, time)
            yield SHOCK_COUNT.read(shock.number, time)
            yield ENERGY_SELECTED.read(shock.energy_j, time)
            yield IMPEDANCE.read(shock.impedance_ohm, time)

    def _numbers(self, now_s: float, time: DeviceTime) -> Iterator[Reading]:
        if self._each_second.turn_s(now_s) is None:
            return
        treatment = self._patient.treatment
        yield HEART_RATE.read(self._patient.vitals().heart_rate_bpm, time)
        if treatment.compressing:
            yield COMPRESSION_RATE.read(treatment.compressions_per_min, time)
            yield COMPRESSION_DEPTH.read(treatment.compression_depth_mm, time)
        if treatment.pacing:
            yield PACER_RATE.read(treatment.pacing_per_min, time)
            yield PACER_CURRENT.read(treatment.pacing_current_ma, time)
            yield Reading(PACER_MODE, PACER_FIXED_RATE, time)

    def _pads(self, now_s: float, time: DeviceTime) -> Iterator[Reading]:
        if self._each_two.turn_s(now_s) is not None:
            yield Reading(PADS, PADS_ATTACHED, time)
            yield IMPEDANCE.read(self._patient.treatment.pads_impedance_ohm, time)
