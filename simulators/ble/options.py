"""Options of a simulated Bluetooth device that its command line has as well.

They import no simulator, so that `--help` is quick.
"""

from dataclasses import dataclass
from enum import Enum


class Pairing(Enum):
    """The device's requirement for pairing."""

    NONE = "none"
    """It cannot pair, and keeps no bond."""
    JUST_WORKS = "just-works"
    PASSKEY = "passkey"
    """It shows six digits, which are entered on the other side."""


class Leaving(Enum):
    """Form in which the device disconnects."""

    OUT_OF_RANGE = "out-of-range"
    """Without notice at any moment; the other side detects it by its supervision timeout."""
    GOODBYE = "goodbye"
    """It ends the connection first, as a meter that switches itself off."""


class Lie(Enum):
    """Fault in a value that the device sends."""

    MISSING_FIELD = "missing-field"
    """Its flags announce more fields than it holds: the value is cut short."""
    UNKNOWN_FLAG = "unknown-flag"
    """A flag that no specification defines."""
    TRAILING = "trailing"
    """Bytes that no field announces."""


class IdForm(Enum):
    """Form of the system id in Device Information."""

    RIGHT = "right"
    REVERSED = "reversed"
    """Most significant byte first, as some manufacturers send it."""
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Absent for `for_s` in every `every_s` patient seconds, at the end of each such period."""

    every_s: float
    for_s: float
    leaving: Leaving = Leaving.OUT_OF_RANGE

    def away_at(self, patient_s: float) -> bool:
        return patient_s % self.every_s >= self.every_s - self.for_s

    def next_change_s(self, patient_s: float) -> float:
        """Return the patient second of its next appearance or absence."""
        begun_s = patient_s // self.every_s * self.every_s
        leaves_s = begun_s + self.every_s - self.for_s
        return leaves_s if patient_s < leaves_s else begun_s + self.every_s
