"""A multi-parameter monitor: twelve-lead ECG, pleth, capnogram, respiration, their numbers, temperature and a cuff.

One extended configuration. Waveforms come four times a second in one report, numbers once a second, the cuff every
three quarters of a minute and a measurement that finds no pulse is told as NaN with the time of the try.
"""

from collections.abc import Iterator

from protocols.ieee11073.dim.configuration import Configuration
from simulators.agents import codes
from simulators.agents.blocks import Blocks, waveform_of
from simulators.agents.device import Description, Measured, Pace, TimeAt
from simulators.agents.objects import Compound, Numeric
from simulators.physiology import LEADS, Patient

CONFIG_ID = 0x4100

_CUFF_FIRST_S = 12.0
_CUFF_EVERY_S = 45.0


HEART_RATE = Numeric(handle=30, type=codes.HEART_RATE, unit=codes.BEATS_PER_MIN)
SPO2 = Numeric(handle=31, type=codes.SPO2, unit=codes.PERCENT, decimals=1)
PULSE = Numeric(handle=32, type=codes.PULSE_RATE_OXIMETER, unit=codes.BEATS_PER_MIN)
PERFUSION = Numeric(handle=33, type=codes.PERFUSION, unit=codes.PERCENT, decimals=1)
END_TIDAL = Numeric(handle=34, type=codes.END_TIDAL_CO2, unit=codes.MMHG)
BREATHS = Numeric(handle=35, type=codes.RESPIRATION_RATE, unit=codes.BREATHS_PER_MIN)
TEMPERATURE = Numeric(handle=36, type=codes.TEMPERATURE, unit=codes.CELSIUS, decimals=1)
CUFF = Compound(handle=40, type=codes.PRESSURE, components=codes.PRESSURE_PARTS, unit=codes.MMHG)
CUFF_PULSE = Numeric(handle=41, type=codes.PULSE_RATE_CUFF, unit=codes.BEATS_PER_MIN)


class Monitor:
    """Implements `Device`. Handles: 1…12 ECG leads, 20 pleth, 21 capnogram, 22 respiration, 30… numbers, 40… cuff."""

    def __init__(self, patient: Patient, description: Description) -> None:
        self.description = description
        self._patient = patient
        leads = [
            (waveform_of(index + 1, track, codes.LEAD_CODES[name], codes.MILLIVOLT), track)
            for index, (name, track) in enumerate(zip(LEADS, patient.ecg, strict=True))
        ]
        others = [
            (waveform_of(20, patient.pleth, codes.PLETH, codes.DIMENSIONLESS), patient.pleth),
            (waveform_of(21, patient.capnogram, codes.CO2, codes.MMHG), patient.capnogram),
            (waveform_of(22, patient.respiration, codes.IMPEDANCE_RESPIRATION, codes.OHM), patient.respiration),
        ]
        self._blocks = Blocks([*leads, *others])
        self._each_second = Pace(1.0, 1.0)
        self._cuff = Pace(_CUFF_FIRST_S, _CUFF_EVERY_S)
        numbers = (HEART_RATE, SPO2, PULSE, PERFUSION, END_TIDAL, BREATHS, TEMPERATURE)
        declared = (
            *(waveform.declared() for waveform, _ in (*leads, *others)),
            *(number.declared() for number in numbers),
            CUFF.declared(),
            CUFF_PULSE.declared(),
        )
        self.configuration = Configuration(CONFIG_ID, declared)

    @property
    def due_s(self) -> float:
        return self._blocks.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        yield from self._blocks.measure(now_s, time_at)
        vitals = self._patient.vitals()
        time = time_at(self._blocks.end_s)
        if self._each_second.turn_s(now_s) is not None:
            yield Measured(
                time,
                (
                    HEART_RATE.read(vitals.heart_rate_bpm, time),
                    SPO2.read(vitals.spo2_percent, time),
                    PULSE.read(vitals.pulse_rate_bpm, time),
                    PERFUSION.read(vitals.perfusion_percent, time),
                    END_TIDAL.read(vitals.end_tidal_co2_mmhg, time),
                    BREATHS.read(vitals.respiration_per_min, time),
                    TEMPERATURE.read(vitals.temperature_c, time),
                ),
            )
        if self._cuff.turn_s(now_s) is not None:
            yield Measured(time, (CUFF.read(vitals.cuff_mmhg, time), CUFF_PULSE.read(vitals.pulse_rate_bpm, time)))
