"""Helpers for interpreters that convert decoded values to observations: units, persons, dates.

The channels of a service are built at first use and then shared (`ChannelSets`).
"""

from collections.abc import Callable
from typing import Final, TypeVar

from protocols.ble.wire import date_time_of
from protocols.deviation import Deviation
from protocols.device_time import DeviceTime
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation import PERSON_UNKNOWN

K = TypeVar("K")
V = TypeVar("V")

QUESTIONABLE: Final = 0x4000
NOT_AVAILABLE: Final = 0x2000
EARLY_INDICATION: Final = 0x0040

PERCENT: Final = code_of("MDC_DIM_PERCENT")
PER_MINUTE: Final = code_of("MDC_DIM_BEAT_PER_MIN")
MILLISECOND: Final = code_of("MDC_DIM_MILLI_SEC")
JOULE: Final = code_of("MDC_DIM_X_JOULES")
KILOGRAM: Final = code_of("MDC_DIM_KILO_G")
POUND: Final = code_of("MDC_DIM_LB")
CENTIMETRE: Final = code_of("MDC_DIM_CENTI_M")
INCH: Final = code_of("MDC_DIM_INCH")
KILOGRAM_PER_M2: Final = code_of("MDC_DIM_KG_PER_M_SQ")
OHM: Final = code_of("MDC_DIM_X_OHM")

_PRIVATE: Final = 1024
"""The partition for private codes."""

USER_UNKNOWN: Final = 0xFF
"""User id of an unknown user."""


def unconfirmed_code(characteristic: int) -> Code:
    """Return the private code for a quantity whose public code is not confirmed: partition 1024, with the UUID of the
    characteristic as the code. So the value is recorded and not mistaken for another quantity."""
    return Code(_PRIVATE, characteristic)


def person_of(user_id: int | None) -> int | None:
    """Convert the user id of a value to `Channel.person`; None where the value has no user id."""
    return PERSON_UNKNOWN if user_id == USER_UNKNOWN else user_id


def date_of(time_stamp: bytes | None) -> DeviceTime | None:
    """Convert a Date Time to a device time. Return None if `time_stamp` is absent, or if the device does not know the
    date."""
    return None if time_stamp is None else date_time_of(time_stamp)


def is_dated(time: DeviceTime | None) -> bool:
    """Return whether a repeated value can be recognised by its date. An impossible date does not count: a stopped clock
    gives different measurements the same date, so one of them would be dropped as a repetition."""
    return time is not None and time.local_us() is not None


class ChannelSets(dict[K, V]):
    """Map from parameters (unit, person) to channels, which describe the measured quantities. Channels are built at
    first use. The map needs no limit: a user id is one byte, so the number of keys is small."""

    def __init__(self, compiled: Callable[[K], V]) -> None:
        super().__init__()
        self._compile = compiled

    def __missing__(self, key: K) -> V:
        value = self[key] = self._compile(key)
        return value


class DeviationFilter:
    """Filter for the deviations of one service in one connection. A deviation with the same sentence is emitted only
    once."""

    def __init__(self, clause: str) -> None:
        self._clause = clause
        self._deviations: set[str] = set()

    def deviation(self, sentence: str, data: bytes) -> tuple[Deviation, ...]:
        """Return the deviation as an event, or an empty tuple if its sentence was emitted before. `sentence` must be a
        fixed text without measured values, since each new text is stored."""
        if sentence in self._deviations:
            return ()
        self._deviations.add(sentence)
        return (Deviation(sentence, self._clause, data),)
