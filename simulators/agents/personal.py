"""The small devices: oximeter, blood-pressure cuff and thermometer with their standard configurations, and a basic
ECG.

The standard configuration 0x0190 maps an oximeter's value without a time. A report without a time cannot be told from
its repetition after a lost answer, so this oximeter reports in variable form, which names what it carries, and adds
the time.
"""

from collections.abc import Iterator

from protocols.ieee11073.dim.configuration import Configuration
from simulators.agents import codes
from simulators.agents.blocks import Blocks, waveform_of
from simulators.agents.device import Description, Measured, Pace, TimeAt
from simulators.agents.objects import Compound, Numeric
from simulators.physiology import Patient

OXIMETER_CONFIG_ID = 0x0190
BLOOD_PRESSURE_CONFIG_ID = 0x02BC
THERMOMETER_CONFIG_ID = 0x0320
ECG_CONFIG_ID = 0x4000

_SPOT = 0xF040
_STORED = 0x4040
"""Metric-Spec-Small of the standard configurations (20601 §10)."""


class Oximeter:
    """Implements `Device`: saturation and pulse rate once a second. Handles as in 10404: 1 and 10."""

    def __init__(self, patient: Patient, description: Description) -> None:
        self.description = description
        self._patient = patient
        self._pace = Pace(1.0, 1.0)
        self._spo2 = Numeric(handle=1, type=codes.SPO2, unit=codes.PERCENT, decimals=1, spec=_STORED, timed=False)
        self._pulse = Numeric(
            handle=10, type=codes.PULSE_RATE_OXIMETER, unit=codes.BEATS_PER_MIN, spec=_STORED, timed=False
        )
        self.configuration = Configuration(OXIMETER_CONFIG_ID, (self._spo2.declared(), self._pulse.declared()))

    @property
    def due_s(self) -> float:
        return self._pace.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        at_s = self._pace.turn_s(now_s)
        if at_s is None:
            return
        vitals, time = self._patient.vitals(), time_at(at_s)
        yield Measured(
            time,
            (self._spo2.scan_var(vitals.spo2_percent, time), self._pulse.scan_var(vitals.pulse_rate_bpm, time)),
        )


class BloodPressure:
    """Implements `Device`: a cuff that measures every half minute. Handles as in 10407: 1 and 2."""

    def __init__(self, patient: Patient, description: Description) -> None:
        self.description = description
        self._patient = patient
        self._pace = Pace(8.0, 30.0)
        self._cuff = Compound(
            handle=1, type=codes.PRESSURE, components=codes.PRESSURE_PARTS, unit=codes.MMHG, spec=_SPOT
        )
        self._pulse = Numeric(handle=2, type=codes.PULSE_RATE_CUFF, unit=codes.BEATS_PER_MIN, spec=_SPOT)
        self.configuration = Configuration(BLOOD_PRESSURE_CONFIG_ID, (self._cuff.declared(), self._pulse.declared()))

    @property
    def due_s(self) -> float:
        return self._pace.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        at_s = self._pace.turn_s(now_s)
        if at_s is None:
            return
        vitals, time = self._patient.vitals(), time_at(at_s)
        yield Measured(time, (self._cuff.scan(vitals.cuff_mmhg, time), self._pulse.scan(vitals.pulse_rate_bpm, time)))


class Thermometer:
    """Implements `Device`: core temperature every fifteen seconds. Handle as in 10408: 1."""

    def __init__(self, patient: Patient, description: Description) -> None:
        self.description = description
        self._patient = patient
        self._pace = Pace(3.0, 15.0)
        self._temperature = Numeric(handle=1, type=codes.TEMPERATURE, unit=codes.CELSIUS, decimals=1, spec=_SPOT)
        self.configuration = Configuration(THERMOMETER_CONFIG_ID, (self._temperature.declared(),))

    @property
    def due_s(self) -> float:
        return self._pace.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        at_s = self._pace.turn_s(now_s)
        if at_s is not None:
            time = time_at(at_s)
            yield Measured(time, (self._temperature.scan(self._patient.vitals().temperature_c, time),))


class BasicEcg:
    """Implements `Device`: leads I, II and III and the heart rate; an extended configuration, since the objects
    of 10406's standard one are not known to us."""

    def __init__(self, patient: Patient, description: Description) -> None:
        self.description = description
        self._patient = patient
        sources = []
        for handle, lead in enumerate(("I", "II", "III"), 1):
            track = patient.lead(lead)
            waveform = waveform_of(handle, track, codes.LEAD_CODES[lead], codes.MILLIVOLT)
            sources.append((waveform, track))
        self._blocks = Blocks(sources)
        self._pace = Pace(1.0, 1.0)
        self._rate = Numeric(handle=10, type=codes.HEART_RATE, unit=codes.BEATS_PER_MIN)
        declared = (*(waveform.declared() for waveform, _ in sources), self._rate.declared())
        self.configuration = Configuration(ECG_CONFIG_ID, declared)

    @property
    def due_s(self) -> float:
        return self._blocks.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        yield from self._blocks.measure(now_s, time_at)
        if self._pace.turn_s(now_s) is not None:
            time = time_at(self._blocks.end_s)
            yield Measured(time, (self._rate.scan(self._patient.vitals().heart_rate_bpm, time),))
