"""16-bit UUIDs assigned by the Bluetooth SIG (reference BLE §1), and conversion to and from 128-bit UUIDs."""

from typing import Final

BASE: Final = "-0000-1000-8000-00805f9b34fb"


def long_uuid(short: int) -> str:
    """Return the 128-bit form of a 16-bit UUID, in lower case."""
    return f"{short:08x}{BASE}"


def short_uuid(text: str) -> int | None:
    """Return the 16-bit form of a 128-bit UUID of the Bluetooth SIG; None for any other UUID."""
    lowered = text.lower()
    if len(lowered) != 36 or not lowered.startswith("0000") or not lowered.endswith(BASE):
        return None
    try:
        return int(lowered[4:8], 16)
    except ValueError:
        return None


HEALTH_THERMOMETER: Final = 0x1809
BLOOD_PRESSURE: Final = 0x1810
HEART_RATE: Final = 0x180D
PULSE_OXIMETER: Final = 0x1822
GLUCOSE: Final = 0x1808
CGM: Final = 0x181F
WEIGHT_SCALE: Final = 0x181D
BODY_COMPOSITION: Final = 0x181B
GENERIC_HEALTH_SENSOR: Final = 0x1840
DEVICE_INFORMATION: Final = 0x180A
BATTERY: Final = 0x180F
CURRENT_TIME: Final = 0x1805
DEVICE_TIME: Final = 0x1847
ELAPSED_TIME: Final = 0x183F

RECORD_ACCESS_CONTROL_POINT: Final = 0x2A52
CLIENT_CHARACTERISTIC_CONFIGURATION: Final = 0x2902
