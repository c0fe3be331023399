"""A defibrillator: the ECG that its pads see, and what the crew does with it.

One extended configuration. Compressions and pacing are told once a second while they happen, a shock when it was given
(energy, impedance and count in one report), the pads' state and impedance every two seconds. The codes are private ones
(`codes`), as no public ones were found.
"""

from collections.abc import Iterator

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading
from simulators.agents import codes
from simulators.agents.blocks import Blocks, waveform_of
from simulators.agents.device import Description, Measured, Pace, TimeAt
from simulators.agents.objects import Bits, Numeric
from simulators.physiology import Patient

CONFIG_ID = 0x4200
PADS_ATTACHED = 0x8000
"""Pad status, bit 0."""
PACER_FIXED_RATE = 0x8000
"""Pacer mode, bit 0; bit 1 would be demand."""

HEART_RATE = Numeric(handle=10, type=codes.HEART_RATE, unit=codes.BEATS_PER_MIN)
IMPEDANCE = Numeric(handle=11, type=codes.PAD_IMPEDANCE, unit=codes.OHM)
PADS = Bits(handle=12, type=codes.PAD_STATUS)
ENERGY_SELECTED = Numeric(handle=20, type=codes.ENERGY_SELECTED, unit=codes.JOULE)
ENERGY_DELIVERED = Numeric(handle=21, type=codes.ENERGY_DELIVERED, unit=codes.JOULE)
SHOCK_COUNT = Numeric(handle=22, type=codes.SHOCK_COUNT, unit=codes.DIMENSIONLESS)
COMPRESSION_RATE = Numeric(handle=30, type=codes.COMPRESSION_RATE, unit=codes.PER_MIN)
COMPRESSION_DEPTH = Numeric(handle=31, type=codes.COMPRESSION_DEPTH, unit=codes.MILLIMETRE)
PACER_RATE = Numeric(handle=40, type=codes.PACER_RATE, unit=codes.PER_MIN)
PACER_CURRENT = Numeric(handle=41, type=codes.PACER_CURRENT, unit=codes.MILLIAMPERE)
PACER_MODE = Bits(handle=42, type=codes.PACER_MODE)


class Defibrillator:
    """Implements `Device`. Handles: 1 ECG lead II, 10… heart rate and pads, 20… shocks, 30… compressions, 40… pacer."""

    def __init__(self, patient: Patient, description: Description) -> None:
        self.description = description
        self._patient = patient
        track = patient.lead("II")
        ecg = waveform_of(1, track, codes.LEAD_CODES["II"], codes.MILLIVOLT)
        self._blocks = Blocks([(ecg, track)])
        self._each_second = Pace(1.0, 1.0)
        self._each_two = Pace(2.0, 2.0)
        self._shocks_told = 0
        others = (
            HEART_RATE,
            IMPEDANCE,
            PADS,
            ENERGY_SELECTED,
            ENERGY_DELIVERED,
            SHOCK_COUNT,
            COMPRESSION_RATE,
            COMPRESSION_DEPTH,
            PACER_RATE,
            PACER_CURRENT,
            PACER_MODE,
        )
        self.configuration = Configuration(CONFIG_ID, (ecg.declared(), *(item.declared() for item in others)))

    @property
    def due_s(self) -> float:
        return self._blocks.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        yield from self._blocks.measure(now_s, time_at)
        time = time_at(self._blocks.end_s)
        # By handle: an object has one value at one time, also when a shock and the pads' turn fall together.
        readings: dict[int, Reading] = {}
        for reading in (*self._shocks(time), *self._numbers(now_s, time), *self._pads(now_s, time)):
            readings.setdefault(reading.handle, reading)
        if readings:
            yield Measured(time, tuple(readings.values()))

    def _shocks(self, time: DeviceTime) -> Iterator[Reading]:
        untold = [shock for shock in self._patient.treatment.shocks if shock.number > self._shocks_told]
        if untold:
            shock = untold[0]
            self._shocks_told = shock.number
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
            yield PACER_MODE.read(PACER_FIXED_RATE, time)

    def _pads(self, now_s: float, time: DeviceTime) -> Iterator[Reading]:
        if self._each_two.turn_s(now_s) is not None:
            yield PADS.read(PADS_ATTACHED, time)
            yield IMPEDANCE.read(self._patient.treatment.pads_impedance_ohm, time)
