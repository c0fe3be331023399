"""Small devices of every ambulance: oximeters, blood-pressure cuff and thermometer.

Live values are notified once a second and not stored. A measurement that was made on purpose (a spot check, a blood
pressure, a temperature) is stored until the client has received it. A value that is unsupported or could not be
measured is sent as NaN, as the services require, and is not left out.
"""

from collections.abc import Iterable
from datetime import datetime

from protocols.ble.blood_pressure import BLOOD_PRESSURE_FEATURE, BLOOD_PRESSURE_MEASUREMENT
from protocols.ble.blood_pressure_values import BloodPressure, encode_blood_pressure, encode_feature
from protocols.ble.health_thermometer import (
    BODY,
    TEMPERATURE_MEASUREMENT,
    TEMPERATURE_TYPE,
    Temperature,
    encode_temperature,
    encode_temperature_type,
)
from protocols.ble.interpretation import RecordNumbering
from protocols.ble.pulse_oximeter import (
    FROM_STORAGE,
    PLX_CONTINUOUS,
    PLX_FEATURES,
    PLX_SPOT_CHECK,
    OximeterReading,
    PlxContinuous,
    PlxFeatures,
    PlxSpotCheck,
    encode_continuous,
    encode_features,
    encode_spot_check,
)
from protocols.ble.uuids import BLOOD_PRESSURE, HEALTH_THERMOMETER, PULSE_OXIMETER
from protocols.ble.wire import date_time_bytes
from simulators.agents.device import Description, Pace
from simulators.agents.objects import scalar
from simulators.ble.sensor import Keep, MomentAt, Offered, PacedSensor, Sample, Sensor, Way
from simulators.ble.store import Values
from simulators.physiology.patient import Patient, Vitals

_STORES, _DATES, _STATUS = 0x0004, 0x0008, 0x0001
_VALIDATED = 0x0080


def stamp(moment: datetime | None) -> bytes | None:
    """Return the time stamp of a value as bytes; None where the device has no clock."""
    return None if moment is None else date_time_bytes(moment)


def _reading(vitals: Vitals) -> OximeterReading:
    return OximeterReading(scalar(vitals.spo2_percent, 1), scalar(vitals.pulse_rate_bpm, 0))


def _spot_check(vitals: Vitals, moment: datetime | None, status: int) -> Values:
    value = PlxSpotCheck(reading=_reading(vitals), time_stamp=stamp(moment), measurement_status=status)
    return ((PLX_SPOT_CHECK, encode_spot_check(value)),)


def _features(supported: int) -> Offered:
    value = PlxFeatures(supported=supported, measurement_status_support=0xFFE0)
    return Offered(service=PULSE_OXIMETER, uuid=PLX_FEATURES, read=lambda: encode_features(value))


class Oximeter(Sensor):
    """Oximeter that sends saturation and pulse rate every second to a client. Without a client it stores a spot check
    every minute."""

    services = (PULSE_OXIMETER,)
    numbering = RecordNumbering.NONE

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(patient, description)
        self._each_second = Pace(1.0, 1.0)
        self._spot = Pace(5.0, 60.0)

    @property
    def due_s(self) -> float:
        return min(self._each_second.due_s, self._spot.due_s)

    def offered(self) -> tuple[Offered, ...]:
        return (
            Offered(service=PULSE_OXIMETER, uuid=PLX_CONTINUOUS, way=Way.NOTIFIED),
            Offered(service=PULSE_OXIMETER, uuid=PLX_SPOT_CHECK, way=Way.INDICATED),
            _features(_STATUS | _STORES | _DATES),
        )

    def measure(self, now_s: float, moment_at: MomentAt) -> Iterable[Sample]:
        vitals = self.patient.vitals()
        if self._each_second.turn_s(now_s) is not None:
            value = PlxContinuous(normal=_reading(vitals), measurement_status=_VALIDATED)
            yield Sample(live=((PLX_CONTINUOUS, encode_continuous(value)),))
        at_s = self._spot.turn_s(now_s)
        if at_s is not None:
            stored = _spot_check(vitals, moment_at(at_s), _VALIDATED | FROM_STORAGE)
            yield Sample(kept=lambda number: stored, keep=Keep.UNHEARD)


class SpotOximeter(PacedSensor):
    """Oximeter that indicates one measurement a minute; an unconfirmed one is stored until the client requests it."""

    services = (PULSE_OXIMETER,)
    numbering = RecordNumbering.NONE
    first_s, every_s = 5.0, 60.0

    def offered(self) -> tuple[Offered, ...]:
        return (
            Offered(service=PULSE_OXIMETER, uuid=PLX_SPOT_CHECK, way=Way.INDICATED),
            _features(_STATUS | _STORES | _DATES),
        )

    def read(self, vitals: Vitals, at_s: float, moment: datetime | None) -> Iterable[Sample]:
        values = _spot_check(vitals, moment, _VALIDATED)
        return (Sample(kept=lambda number: values, keep=Keep.UNCONFIRMED),)


class Cuff(PacedSensor):
    """Blood-pressure cuff that measures every half minute. Without a pulse its values are NaN."""

    services = (BLOOD_PRESSURE,)
    first_s, every_s = 8.0, 30.0

    def offered(self) -> tuple[Offered, ...]:
        return (
            Offered(service=BLOOD_PRESSURE, uuid=BLOOD_PRESSURE_MEASUREMENT, way=Way.INDICATED),
            Offered(service=BLOOD_PRESSURE, uuid=BLOOD_PRESSURE_FEATURE, read=lambda: encode_feature(0)),
        )

    def read(self, vitals: Vitals, at_s: float, moment: datetime | None) -> Iterable[Sample]:
        systolic, diastolic, mean = (scalar(value, 0) for value in vitals.cuff_mmhg)
        value = BloodPressure(
            systolic=systolic,
            diastolic=diastolic,
            mean=mean,
            time_stamp=stamp(moment),
            pulse_rate=scalar(vitals.pulse_rate_bpm, 0),
        )
        return (Sample(kept=lambda number: ((BLOOD_PRESSURE_MEASUREMENT, encode_blood_pressure(value)),)),)


class Thermometer(PacedSensor):
    """Thermometer that measures the core temperature every fifteen seconds."""

    services = (HEALTH_THERMOMETER,)
    first_s, every_s = 3.0, 15.0

    def offered(self) -> tuple[Offered, ...]:
        return (
            Offered(service=HEALTH_THERMOMETER, uuid=TEMPERATURE_MEASUREMENT, way=Way.INDICATED),
            Offered(service=HEALTH_THERMOMETER, uuid=TEMPERATURE_TYPE, read=lambda: encode_temperature_type(BODY)),
        )

    def read(self, vitals: Vitals, at_s: float, moment: datetime | None) -> Iterable[Sample]:
        value = Temperature(value=scalar(vitals.temperature_c, 1), time_stamp=stamp(moment))
        return (Sample(kept=lambda number: ((TEMPERATURE_MEASUREMENT, encode_temperature(value)),)),)
