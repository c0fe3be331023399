"""Multi-parameter monitor: twelve-lead ECG, pleth, capnogram, respiration, their numbers, temperature and a cuff.

It has one extended configuration. All waveforms are in one report four times a second; numbers are reported once a
second, and the cuff every 45 seconds. A measurement that finds no pulse is NaN, with the time of the attempt.
"""

from collections.abc import Iterator

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.specializations.extended import MULTIPARAMETER
from simulators.agents.blocks import WaveformDevice
from simulators.agents.device import Description, Pace
from simulators.agents.objects import Compound, Numeric
from simulators.physiology.patient import Patient

_CUFF_FIRST_S = 12.0
_CUFF_EVERY_S = 45.0

HEART_RATE = Numeric(30)
SPO2 = Numeric(31, decimals=1)
PULSE = Numeric(32)
PERFUSION = Numeric(33, decimals=1)
END_TIDAL = Numeric(34)
BREATHS = Numeric(35)
TEMPERATURE = Numeric(36, decimals=1)
CUFF = Compound(40)
CUFF_PULSE = Numeric(41)


class Monitor(WaveformDevice):
    """Monitor. Object handles: 1 to 12 ECG leads, 20 pleth, 21 capnogram, 22 respiration, from 30 on numbers, from 40
    on cuff."""

    configuration = MULTIPARAMETER

    def __init__(self, patient: Patient, description: Description) -> None:
        others = (20, patient.pleth), (21, patient.capnogram), (22, patient.respiration)
        super().__init__(patient, description, [*enumerate(patient.ecg, 1), *others])
        self._cuff = Pace(_CUFF_FIRST_S, _CUFF_EVERY_S)

    def reports(self, now_s: float, time: DeviceTime) -> Iterator[tuple[Reading, ...]]:
        vitals = self._patient.vitals()
        if self._each_second.turn_s(now_s) is not None:
            yield (
                HEART_RATE.read(vitals.heart_rate_bpm, time),
                SPO2.read(vitals.spo2_percent, time),
                PULSE.read(vitals.pulse_rate_bpm, time),
                PERFUSION.read(vitals.perfusion_percent, time),
                END_TIDAL.read(vitals.end_tidal_co2_mmhg, time),
                BREATHS.read(vitals.respiration_per_min, time),
                TEMPERATURE.read(vitals.temperature_c, time),
            )
        if self._cuff.turn_s(now_s) is not None:
            yield CUFF.read(vitals.cuff_mmhg, time), CUFF_PULSE.read(vitals.pulse_rate_bpm, time)
