"""Chest belt: heart rate and the interval between beats, once a second. Nothing is stored."""

from collections.abc import Iterable
from datetime import datetime

from protocols.ble.heart_rate import (
    BODY_SENSOR_LOCATION,
    CHEST,
    HEART_RATE_CONTROL_POINT,
    HEART_RATE_MEASUREMENT,
    RESET_ENERGY,
    TICKS_PER_S,
    HeartRate,
    encode_heart_rate,
    encode_one_byte,
)
from protocols.ble.uuids import HEART_RATE
from simulators.agents.device import Description
from simulators.ble.sensor import ACCEPTED, Offered, PacedSensor, Sample, Way
from simulators.physiology.patient import Patient, Vitals

_VALUE_NOT_SUPPORTED = 0x80
_KILOJOULE_PER_S = 0.1
"""Energy of a person who lies still."""
_RATE_MAX = 0xFF


class HeartRateBelt(PacedSensor):
    """Heart-rate belt. Without a countable rhythm it sends rate 0 and "no contact", as real belts do."""

    services = (HEART_RATE,)
    first_s, every_s = 1.0, 1.0

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(patient, description)
        self._measured_s = self._reset_s = 0.0

    def offered(self) -> tuple[Offered, ...]:
        return (
            Offered(service=HEART_RATE, uuid=HEART_RATE_MEASUREMENT, way=Way.NOTIFIED),
            Offered(service=HEART_RATE, uuid=BODY_SENSOR_LOCATION, read=lambda: encode_one_byte(CHEST)),
            Offered(service=HEART_RATE, uuid=HEART_RATE_CONTROL_POINT, write=self._commanded),
        )

    def read(self, vitals: Vitals, at_s: float, moment: datetime | None) -> Iterable[Sample]:
        self._measured_s = at_s
        rate = min(_RATE_MAX, round(vitals.heart_rate_bpm or 0))
        value = HeartRate(
            rate=rate,
            contact_supported=True,
            contact_detected=rate > 0,
            energy_kj=round((at_s - self._reset_s) * _KILOJOULE_PER_S),
            intervals_ticks=(round(60 / rate * TICKS_PER_S),) if rate else (),
        )
        return (Sample(live=((HEART_RATE_MEASUREMENT, encode_heart_rate(value)),)),)

    def _commanded(self, octets: bytes) -> int:
        if octets != bytes((RESET_ENERGY,)):
            return _VALUE_NOT_SUPPORTED
        self._reset_s = self._measured_s
        return ACCEPTED
