"""Kinds of simulated Bluetooth devices, by the names that the command line and the demo use.

Their system ids differ from those of simulated wired devices, because a vehicle may carry a wired oximeter and a
Bluetooth oximeter. A device's public address has the same digits as its system id, since an EUI-64 is made from an
EUI-48. Its static random address is the public address with the two most significant bits set.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from protocols.ieee11073.specializations.profiles import (
    BASIC_ECG,
    BLOOD_PRESSURE_METER,
    BODY_THERMOMETER,
    GLUCOSE,
    PULSE_OXIMETER,
    SCALE,
    SPECIALIZATIONS,
    Specialization,
)
from simulators.agents.device import Description, DeviceUnusable
from simulators.agents.kinds import describe
from simulators.ble.peripherals.cgm import ContinuousMonitor
from simulators.ble.peripherals.health_sensor import HealthSensor
from simulators.ble.peripherals.heart_rate import HeartRateBelt
from simulators.ble.peripherals.metabolic import BodyScale, GlucoseMeter, WeighingScale
from simulators.ble.peripherals.personal import Cuff, Oximeter, SpotOximeter, Thermometer
from simulators.ble.sensor import Sensor

_STATIC_RANDOM: Final = 0xC0
_OF_PART: Final = {row.part: row for row in SPECIALIZATIONS}
_BODY_COMPOSITION: Final = _OF_PART["10420"]
_CONTINUOUS_GLUCOSE: Final = _OF_PART["10425"]


class Kind(NamedTuple):
    """One kind of device. `number` is part of the system ids and addresses of its devices."""

    number: int
    model: str
    specializations: tuple[Specialization, ...]
    sensor: type[Sensor]


BLE_KINDS: Final[Mapping[str, Kind]] = {
    "oximeter": Kind(0x21, "SIM-BLE-OX", (PULSE_OXIMETER,), Oximeter),
    "blood-pressure": Kind(0x22, "SIM-BLE-BP", (BLOOD_PRESSURE_METER,), Cuff),
    "thermometer": Kind(0x23, "SIM-BLE-TEMP", (BODY_THERMOMETER,), Thermometer),
    "heart-rate": Kind(0x24, "SIM-BLE-HR", (BASIC_ECG,), HeartRateBelt),
    "glucose": Kind(0x25, "SIM-BLE-GLU", (GLUCOSE,), GlucoseMeter),
    "cgm": Kind(0x26, "SIM-BLE-CGM", (_CONTINUOUS_GLUCOSE,), ContinuousMonitor),
    "scale": Kind(0x27, "SIM-BLE-SCALE", (SCALE,), WeighingScale),
    "body-scale": Kind(0x28, "SIM-BLE-BODY", (_BODY_COMPOSITION,), BodyScale),
    "health-sensor": Kind(0x29, "SIM-BLE-GHS", (PULSE_OXIMETER,), HealthSensor),
    "spot-oximeter": Kind(0x2A, "SIM-BLE-SPOT", (PULSE_OXIMETER,), SpotOximeter),
}


def ble_description_of(kind: str, unit: int = 1) -> Description:
    """Return the description of device `unit` (1 to 65535) of this kind. Raises DeviceUnusable."""
    if kind not in BLE_KINDS:
        raise DeviceUnusable(f"there is no Bluetooth device {kind!r}; there are {', '.join(BLE_KINDS)}")
    row = BLE_KINDS[kind]
    return describe(row.number, row.model, row.specializations, unit)


def ble_address_of(kind: str, unit: int = 1, *, static_random: bool = False) -> str:
    """Return the public or static random address of device `unit` of this kind, such as "02:41:52:21:00:01". Raises
    DeviceUnusable."""
    system_id = ble_description_of(kind, unit).system_id
    first = system_id[0] | (_STATIC_RANDOM if static_random else 0)
    return (bytes((first,)) + system_id[1:3] + system_id[5:]).hex(":").upper()
