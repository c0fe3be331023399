"""Helpers of the interpreters that make observations of decoded values: units, persons, dates.

Channels do not change from value to value, so they are compiled at first use and then shared (`ChannelSets`); a value
then costs only its observations.

The code of a field is beside the field's layout, in the service's file.
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
"""User id of a person whom the device does not know."""


def unconfirmed_code(characteristic: int) -> Code:
    """Return the private code of a number whose public code is not confirmed: partition 1024 and the UUID of the
    characteristic. So the number is in the record, and is not mistaken for anything else."""
    return Code(_PRIVATE, characteristic)


def person_of(user_id: int | None) -> int | None:
    """Return `Channel.person` for a user id; None where the value has no user."""
    return PERSON_UNKNOWN if user_id == USER_UNKNOWN else user_id


def date_of(time_stamp: bytes | None) -> DeviceTime | None:
    """Return the device time of an optional Date Time, as sent; None where it is absent or unknown to the device."""
    return None if time_stamp is None else date_time_of(time_stamp)


def is_dated(time: DeviceTime | None) -> bool:
    """Return whether a stored value can be recognised by its date. An impossible date does not count: a stopped clock
    gives different readings the same date, and two of them would become one."""
    return time is not None and time.local_us() is not None


class ChannelSets(dict[K, V]):
    """Channels by their parameters (unit, person), compiled at first use. The number of keys bounds it: a user id is
    one byte."""

    def __init__(self, compiled: Callable[[K], V]) -> None:
        super().__init__()
        self._compile = compiled

    def __missing__(self, key: K) -> V:
        value = self[key] = self._compile(key)
        return value


class DeviationFilter:
    """Filter for deviations of one service in one connection: each sentence once, as `Deviation` requires."""

    def __init__(self, clause: str) -> None:
        self._clause = clause
        self._deviations: set[str] = set()

    def deviation(self, sentence: str, data: bytes) -> tuple[Deviation, ...]:
        """Return the event, or nothing where it was emitted before. `sentence` is one of a fixed few and holds no
        value."""
        if sentence in self._deviations:
            return ()
        self._deviations.add(sentence)
        return (Deviation(sentence, self._clause, data),)
