"""Small devices with standard configurations: oximeter, spot oximeter, blood-pressure cuff and thermometer.

In the standard configuration 0x0190 the attribute value map of an oximeter has no time. A report without a time cannot
be distinguished from its repetition after a lost response. So the simulated oximeter reports in variable form, which
lists the attributes, and adds the time. The spot oximeter's configuration (0x0191) has a time.
"""

from abc import abstractmethod
from collections.abc import Iterator

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.specializations.standard import BLOOD_PRESSURE, OXIMETER, OXIMETER_SPOT, THERMOMETER
from simulators.agents.device import Description, Device, Measured, Pace, TimeAt
from simulators.agents.objects import Compound, Numeric
from simulators.physiology.patient import Patient, Vitals

_SPO2 = Numeric(1, decimals=1)
_OXIMETER_PULSE = Numeric(10)
_CUFF = Compound(1)
_CUFF_PULSE = Numeric(2)
_TEMPERATURE = Numeric(1, decimals=1)


class SpotDevice(Device):
    """Device that reports the patient's vital signs at regular times, in one report. Subclasses select the readings."""

    first_s: float
    every_s: float
    variable = False

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(description)
        self._patient = patient
        self._pace = Pace(self.first_s, self.every_s)

    @property
    def due_s(self) -> float:
        return self._pace.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        at_s = self._pace.turn_s(now_s)
        if at_s is not None:
            time = time_at(at_s)
            yield Measured(time, self.read(self._patient.vitals(), time), variable=self.variable)

    @abstractmethod
    def read(self, vitals: Vitals, time: DeviceTime) -> tuple[Reading, ...]:
        """Convert the vital signs to the readings of one report, with the time stamp `time`."""


class Oximeter(SpotDevice):
    """Oximeter that reports saturation and pulse rate once a second. Object handles as in 10404: 1 and 10."""

    configuration = OXIMETER
    variable = True
    first_s, every_s = 1.0, 1.0

    def read(self, vitals: Vitals, time: DeviceTime) -> tuple[Reading, ...]:
        return _SPO2.read(vitals.spo2_percent, time), _OXIMETER_PULSE.read(vitals.pulse_rate_bpm, time)


class SpotOximeter(Oximeter):
    """Oximeter that reports saturation and pulse rate once a minute. Object handles as in 10404: 1 and 10."""

    configuration = OXIMETER_SPOT
    variable = False
    first_s, every_s = 5.0, 60.0


class BloodPressure(SpotDevice):
    """Cuff that reports blood pressure and pulse rate every half minute. Object handles as in 10407: 1 and 2."""

    configuration = BLOOD_PRESSURE
    first_s, every_s = 8.0, 30.0

    def read(self, vitals: Vitals, time: DeviceTime) -> tuple[Reading, ...]:
        return _CUFF.read(vitals.cuff_mmhg, time), _CUFF_PULSE.read(vitals.pulse_rate_bpm, time)


class Thermometer(SpotDevice):
    """Thermometer that reports core temperature every fifteen seconds. Object handle as in 10408: 1."""

    configuration = THERMOMETER
    first_s, every_s = 3.0, 15.0

    def read(self, vitals: Vitals, time: DeviceTime) -> tuple[Reading, ...]:
        return (_TEMPERATURE.read(vitals.temperature_c, time),)
