"""Bluetooth devices of each kind that GATT sessions must support, made from `harness.gatt_peer`."""

from datetime import datetime, timedelta

from gateway.transports.clock import Clock
from protocols.ble.current_time import CURRENT_TIME, current_time_at, decode_current_time, encode_current_time
from protocols.ble.glucose_values import Concentration, GlucoseMeasurement, encode_measurement
from protocols.ble.health_thermometer import Temperature, encode_temperature
from protocols.ble.heart_rate import HeartRate, encode_heart_rate
from protocols.ble.interpretation import RecordNumbering
from protocols.ble.record_access import Operator
from protocols.ble.record_server import EVERY_OPERATOR, RecordServer, StoredRecord
from protocols.ble.uuids import BATTERY, DEVICE_INFORMATION, GLUCOSE, HEALTH_THERMOMETER, HEART_RATE
from protocols.ble.uuids import CURRENT_TIME as CURRENT_TIME_SERVICE
from protocols.ble.wire import date_time_bytes, date_time_of
from tests.harness.gatt_peer import GattPeer

HEART_RATE_MEASUREMENT, TEMPERATURE_MEASUREMENT, GLUCOSE_MEASUREMENT = 0x2A37, 0x2A1C, 0x2A18
BATTERY_LEVEL, BATTERY_LEVEL_STATUS, SYSTEM_ID, MODEL = 0x2A19, 0x2BED, 0x2A23, 0x2A24
FIRST = datetime(2026, 3, 5, 8, 0)  # noqa: DTZ001  a device's own local time


def system_id(number: int) -> bytes:
    return bytes.fromhex("024152fffe0000") + bytes((number,))


def address(number: int) -> str:
    return f"02:41:52:00:00:{number:02X}"


def device(clock: Clock, number: int = 1, model: str = "Invented") -> GattPeer:
    """Return a device with Device Information and a battery level, and without measurements."""
    return GattPeer(
        clock,
        address(number),
        values={
            (DEVICE_INFORMATION, SYSTEM_ID): system_id(number)[::-1],
            (DEVICE_INFORMATION, MODEL): model.encode(),
            (BATTERY, BATTERY_LEVEL): bytes((90,)),
        },
    )


def belt(clock: Clock, number: int = 1) -> GattPeer:
    """Return a chest belt that notifies heart rates."""
    peer = device(clock, number, "Belt")
    peer.sends.add((HEART_RATE, HEART_RATE_MEASUREMENT))
    return peer


def beat(peer: GattPeer, rate: int) -> bool:
    return peer.send(HEART_RATE, HEART_RATE_MEASUREMENT, encode_heart_rate(HeartRate(rate=rate)))


def thermometer(clock: Clock, number: int = 1) -> GattPeer:
    """Return a thermometer that indicates temperatures with a time stamp."""
    peer = device(clock, number, "Thermometer")
    peer.sends.add((HEALTH_THERMOMETER, TEMPERATURE_MEASUREMENT))
    return peer


def temperature(peer: GattPeer, celsius: float, minute: int) -> bool:
    value = Temperature(value=celsius, time_stamp=date_time_bytes(FIRST + timedelta(minutes=minute)))
    return peer.send(HEALTH_THERMOMETER, TEMPERATURE_MEASUREMENT, encode_temperature(value))


class Meter:
    """A glucose meter: `peer` is its GATT server, `measure` adds records to its memory. With `compares`, a client can
    select records by sequence number; otherwise it can only request all records."""

    def __init__(self, clock: Clock, number: int = 1, *, compares: bool = True) -> None:
        self.records: dict[int, StoredRecord] = {}
        operators = EVERY_OPERATOR if compares else {Operator.ALL}
        self.peer = device(clock, number, "Meter")
        self.peer.sends.add((GLUCOSE, GLUCOSE_MEASUREMENT))
        self.peer.servers[GLUCOSE] = RecordServer(self.records, RecordNumbering.SEQUENCE_NUMBER, operators=operators)

    def measure(self, *numbers: int, life: int = 0) -> None:
        """Store a record for each sequence number, dated `number` minutes and `life` days after a fixed time. A meter
        that restarts its numbering gets another `life`, so that records with equal numbers differ."""
        for number in numbers:
            octets = glucose(number, life=life)
            self.records[number] = StoredRecord(number, ((GLUCOSE_MEASUREMENT, octets),))


def glucose(number: int, *, life: int = 0) -> bytes:
    moment = FIRST + timedelta(days=life, minutes=number)
    return encode_measurement(
        GlucoseMeasurement(
            sequence_number=number,
            base_time=date_time_bytes(moment),
            concentration=Concentration(100.0 + number, 1, 15),
        )
    )


class OwnClock:
    """A device's clock, which is `off_s` ahead of the right local time and is read as Current Time.

    A write of Current Time sets the clock. But if `refuses` is an ATT error, the write is rejected with that error.
    """

    def __init__(self, peer: GattPeer, clock: Clock, off_s: float, *, refuses: int | None = None) -> None:
        self._peer = peer
        self._clock = clock
        self._refuses = refuses
        self.off_s = off_s
        self.times_set = 0
        peer.accepts[CURRENT_TIME_SERVICE, CURRENT_TIME] = self._set
        self.tick()

    def tick(self) -> None:
        """Update the characteristic Current Time to the clock's present time."""
        moment = datetime(1970, 1, 1) + timedelta(  # noqa: DTZ001  a device's own local time
            microseconds=self._clock.wall_us(), seconds=self.off_s
        )
        self._peer.values[CURRENT_TIME_SERVICE, CURRENT_TIME] = encode_current_time(current_time_at(moment))

    def _set(self, octets: bytes) -> int | None:
        if self._refuses is not None:
            return self._refuses
        time = date_time_of(decode_current_time(octets).date_time)
        local_us = None if time is None else time.local_us()
        assert local_us is not None
        self.off_s = (local_us - self._clock.wall_us()) / 1_000_000
        self.times_set += 1
        self.tick()
        return None
