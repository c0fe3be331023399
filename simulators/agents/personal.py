"""The small devices: oximeter, blood-pressure cuff and thermometer with their standard configurations, and a basic ECG.

The standard configuration 0x0190 maps an oximeter's value without a time. A report without a time cannot be told from
its repetition after a lost answer, so this oximeter reports in variable form, which names what it carries, and adds
the time.
"""

from collections.abc import Iterator

from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.specializations.standard import BLOOD_PRESSURE, OXIMETER, THERMOMETER
from simulators.agents import codes
from simulators.agents.blocks import Blocks, waveform_of
from simulators.agents.device import Description, Measured, Pace, TimeAt
from simulators.agents.objects import Compound, Numeric
from simulators.physiology import Patient

ECG_CONFIG_ID = 0x4000

_SPO2 = Numeric(handle=1, type=codes.SPO2, unit=codes.PERCENT, decimals=1)
_OXIMETER_PULSE = Numeric(handle=10, type=codes.PULSE_RATE_OXIMETER, unit=codes.BEATS_PER_MIN)
_CUFF = Compound(handle=1, type=codes.PRESSURE, components=codes.PRESSURE_PARTS, unit=codes.MMHG)
_CUFF_PULSE = Numeric(handle=2, type=codes.PULSE_RATE_CUFF, unit=codes.BEATS_PER_MIN)
_TEMPERATURE = Numeric(handle=1, type=codes.TEMPERATURE, unit=codes.CELSIUS, decimals=1)
_HEART_RATE = Numeric(handle=10, type=codes.HEART_RATE, unit=codes.BEATS_PER_MIN)


class Oximeter:
    """Implements `Device`: saturation and pulse rate once a second. Handles as in 10404: 1 and 10."""

    configuration = OXIMETER

    def __init__(self, patient: Patient, description: Description) -> None:
        self.description = description
        self._patient = patient
        self._pace = Pace(1.0, 1.0)

    @property
    def due_s(self) -> float:
        return self._pace.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        at_s = self._pace.turn_s(now_s)
        if at_s is not None:
            vitals, time = self._patient.vitals(), time_at(at_s)
            readings = _SPO2.read(vitals.spo2_percent, time), _OXIMETER_PULSE.read(vitals.pulse_rate_bpm, time)
            yield Measured(time, readings, variable=True)


class BloodPressure:
    """Implements `Device`: a cuff that measures every half minute. Handles as in 10407: 1 and 2."""

    configuration = BLOOD_PRESSURE

    def __init__(self, patient: Patient, description: Description) -> None:
        self.description = description
        self._patient = patient
        self._pace = Pace(8.0, 30.0)

    @property
    def due_s(self) -> float:
        return self._pace.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        at_s = self._pace.turn_s(now_s)
        if at_s is not None:
            vitals, time = self._patient.vitals(), time_at(at_s)
            yield Measured(time, (_CUFF.read(vitals.cuff_mmhg, time), _CUFF_PULSE.read(vitals.pulse_rate_bpm, time)))


class Thermometer:
    """Implements `Device`: core temperature every fifteen seconds. Handle as in 10408: 1."""

    configuration = THERMOMETER

    def __init__(self, patient: Patient, description: Description) -> None:
        self.description = description
        self._patient = patient
        self._pace = Pace(3.0, 15.0)

    @property
    def due_s(self) -> float:
        return self._pace.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        at_s = self._pace.turn_s(now_s)
        if at_s is not None:
            time = time_at(at_s)
            yield Measured(time, (_TEMPERATURE.read(self._patient.vitals().temperature_c, time),))


class BasicEcg:
    """Implements `Device`: leads I, II and III and the heart rate. The configuration is an extended one, since the
    objects of 10406's standard configuration are not known to us."""

    def __init__(self, patient: Patient, description: Description) -> None:
        self.description = description
        self._patient = patient
        sources = [
            (waveform_of(handle, patient.lead(lead), codes.LEAD_CODES[lead], codes.MILLIVOLT), patient.lead(lead))
            for handle, lead in enumerate(("I", "II", "III"), 1)
        ]
        self._blocks = Blocks(sources)
        self._pace = Pace(1.0, 1.0)
        declared = (*(waveform.declared() for waveform, _ in sources), _HEART_RATE.declared())
        self.configuration = Configuration(ECG_CONFIG_ID, declared)

    @property
    def due_s(self) -> float:
        return self._blocks.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        yield from self._blocks.measure(now_s, time_at)
        if self._pace.turn_s(now_s) is not None:
            time = time_at(self._blocks.end_s)
            yield Measured(time, (_HEART_RATE.read(self._patient.vitals().heart_rate_bpm, time),))
