"""Options of a simulated Bluetooth device that are also command-line options. This module imports no simulator, so that
`--help` stays quick.
"""

from dataclasses import dataclass
from enum import Enum


class Pairing(Enum):
    NONE = "none"
    """It cannot pair, and keeps no bond."""
    JUST_WORKS = "just-works"
    PASSKEY = "passkey"
    """It shows six digits, which are entered on the other side."""


class Leaving(Enum):
    """Way in which a device's connection ends before an absence."""

    OUT_OF_RANGE = "out-of-range"
    """Without notice at any moment; the other side detects it by its supervision timeout."""
    GOODBYE = "goodbye"
    """It ends the connection first, as a meter that switches itself off."""


class Lie(Enum):
    """Faults that a simulated device can make in the values that it sends."""

    MISSING_FIELD = "missing-field"
    """Its flags announce more fields than it holds: the value is cut short."""
    UNKNOWN_FLAG = "unknown-flag"
    """A flag that no specification defines."""
    TRAILING = "trailing"
    """Bytes that no field announces."""


class IdForm(Enum):
    """Forms of the system id in the Device Information service."""

    RIGHT = "right"
    REVERSED = "reversed"
    """Most significant byte first, as some manufacturers send it."""
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Regular absence of a device: the last `for_s` seconds of every `every_s` patient seconds."""

    every_s: float
    for_s: float
    leaving: Leaving = Leaving.OUT_OF_RANGE

    def away_at(self, patient_s: float) -> bool:
        return patient_s % self.every_s >= self.every_s - self.for_s

    def next_change_s(self, patient_s: float) -> float:
        """Return the patient second at which the device next leaves or returns."""
        begun_s = patient_s // self.every_s * self.every_s
        leaves_s = begun_s + self.every_s - self.for_s
        return leaves_s if patient_s < leaves_s else begun_s + self.every_s
