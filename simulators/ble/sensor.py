"""Interface of every simulated Bluetooth device: its characteristics and its measurements.

Like a simulated wired device (`agents.device`) a sensor does no I/O: it is called with a patient second and returns the
measurements up to that second as characteristic values, in the order of time. It measures with or without a client.
`peripheral` has the radio, the store and the bonds, and decides what is sent.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from protocols.ble.interpretation import RecordNumbering
from simulators.agents.device import Description, Pace
from simulators.ble.store import Values
from simulators.physiology.patient import Patient, Vitals

MomentAt = Callable[[float], datetime | None]
"""Returns the device's own local time at a patient second; None: it has no clock."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  the device's own zone
ACCEPTED = 0
"""Result of an accepted write; any other is an ATT error."""


def moment_of(local_us: int) -> datetime:
    """Return the local time for microseconds since 1970 on the device's own clock."""
    return _EPOCH + timedelta(microseconds=local_us)


def local_us_of(moment: datetime) -> int:
    """Return the microseconds since 1970 of a local time."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Way(Enum):
    """Procedures by which a value is sent to a subscriber."""

    NOTIFIED = "notified"
    INDICATED = "indicated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One characteristic of a device. `read` and `write` are None if the characteristic cannot be read or written.
    `write` returns `ACCEPTED` or an ATT error code. `guarded`: a device that requires encryption sends the
    characteristic only over an encrypted link."""

    service: int
    uuid: int
    way: Way | None = None
    read: Callable[[], bytes] | None = None
    write: Callable[[bytes], int] | None = None
    guarded: bool = True


class Keep(Enum):
    """Conditions under which a measurement is stored."""

    ALWAYS = "always"
    UNHEARD = "unheard"
    """Store it without a connection only: live values carry the same measurement."""
    UNCONFIRMED = "unconfirmed"
    """It is indicated at once, and stored only where that was not confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement. `live` are values that are notified at once to a subscriber, or dropped. `kept` returns the
    values to store for a given record number; None: nothing is stored. `keep` is the condition for storing them."""

    live: Values = ()
    kept: Callable[[int], Values] | None = None
    keep: Keep = Keep.ALWAYS


class Sensor(ABC):
    """Base class of the simulated devices. `services` are the advertised services. With `numbering` None, stored values
    are indicated and removed once confirmed. Otherwise they are records, which stay until a client requests and deletes
    them through the record access control point."""

    services: tuple[int, ...]
    numbering: RecordNumbering | None = None
    cuts_up = False
    """True where `on_air` cuts values up, so that they fit any MTU."""
    session_memory = False
    """True where the memory is lost when the device is switched off."""

    def __init__(self, patient: Patient, description: Description) -> None:
        self.patient = patient
        self.description = description
        self.on_since: datetime | None = None
        self.responses: deque[tuple[int, bytes]] = deque()
        """Values to indicate in response to a write of the client."""

    @property
    @abstractmethod
    def due_s(self) -> float:
        """Patient second of the next measurement."""

    @abstractmethod
    def offered(self) -> tuple[Offered, ...]:
        """Return the characteristics of this kind of device; `device_services` adds those that all devices share."""

    @abstractmethod
    def measure(self, now_s: float, moment_at: MomentAt) -> Iterable[Sample]:
        """Return the measurements since the last call, up to `now_s`, with local times from `moment_at`."""

    @property
    def streams(self) -> bool:
        """True while live values are sent; with some services, a client must start the live values first."""
        return True

    def switched_on(self, moment: datetime | None) -> None:
        """Start the device at patient second 0. `moment` is the device's local time, None for a
        device without a clock."""
        self.on_since = moment

    def connected(self) -> None:
        """Reset the state of the previous connection, because a client has connected."""
        self.responses.clear()

    def on_air(self, characteristic: int, octets: bytes, room: int) -> Sequence[bytes]:
        """Return a value in the pieces in which it is sent, each at most `room` bytes. A service without segments
        returns the whole value as one piece, which may be longer."""
        return (octets,)

    def number_of(self, number: int, values: Values) -> int:
        """Return the record number of a stored measurement: its number in the store, unless a
        subclass overrides this."""
        return number

    def user_facing(self, values: Values) -> datetime | None:
        """Return the user-facing time of a stored record, by which a client may request the record. Return None if the
        record has no such time."""
        return None


class PacedSensor(Sensor):
    """Sensor that measures at a fixed interval: at patient second `first_s`, and every `every_s` from there on."""

    first_s: float
    every_s: float

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(patient, description)
        self._pace = Pace(self.first_s, self.every_s)

    @property
    def due_s(self) -> float:
        return self._pace.due_s

    def measure(self, now_s: float, moment_at: MomentAt) -> Iterable[Sample]:
        at_s = self._pace.turn_s(now_s)
        return () if at_s is None else self.read(self.patient.vitals(), at_s, moment_at(at_s))

    @abstractmethod
    def read(self, vitals: Vitals, at_s: float, moment: datetime | None) -> Iterable[Sample]:
        """Return the measurements at patient second `at_s`. `moment` is the local time, None for a device without a
        clock."""
