"""Interface of every simulated Bluetooth device: its characteristics, and a pace at which it measures.

Like a wired device (`agents.device`) a sensor is plain computation: it gets the patient second and returns the
measurements up to it, as characteristic values in the order of time. It measures with or without a client;
`peripheral`, which has the radio, the store and the bond, decides what is sent.
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
    """Return the local time of microseconds since 1970 on the device's own clock."""
    return _EPOCH + timedelta(microseconds=local_us)


def local_us_of(moment: datetime) -> int:
    """Convert a local time to microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Way(Enum):
    """Procedure by which a characteristic value reaches a subscriber."""

    NOTIFIED = "notified"
    INDICATED = "indicated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One characteristic. `read` and `write` None: it has no such property. `write` returns `ACCEPTED` or an ATT error
    code. `guarded`: it holds health data, which a device that encrypts sends on an encrypted link only."""

    service: int
    uuid: int
    way: Way | None = None
    read: Callable[[], bytes] | None = None
    write: Callable[[bytes], int] | None = None
    guarded: bool = True


class Keep(Enum):
    """Condition under which a measurement is stored."""

    ALWAYS = "always"
    UNHEARD = "unheard"
    """Store it without a connection only: live values carry the same measurement."""
    UNCONFIRMED = "unconfirmed"
    """It is indicated at once, and stored only where that was not confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement. `live` is notified at once to a subscriber, or dropped. `kept` makes the stored values from
    their record number; `keep` is the condition of storing them."""

    live: Values = ()
    kept: Callable[[int], Values] | None = None
    keep: Keep = Keep.ALWAYS


class Sensor(ABC):
    """Base of the simulated devices. `services` are advertised and serve `offered`. `numbering` None: stored values are
    indicated and removed once confirmed; else they stay until they are requested and deleted over the record access
    control point."""

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
        """Return the patient second of the next measurement."""

    @abstractmethod
    def offered(self) -> tuple[Offered, ...]:
        """Return its own characteristics; those of all devices are in `device_services`."""

    @abstractmethod
    def measure(self, now_s: float, moment_at: MomentAt) -> Iterable[Sample]:
        """Return the measurements since the last call, up to `now_s`."""

    @property
    def streams(self) -> bool:
        """True while live values are sent; some services have to be started."""
        return True

    def switched_on(self, moment: datetime | None) -> None:
        """Begin to measure, at patient second 0; `moment` is the local time, None without a clock."""
        self.on_since = moment

    def connected(self) -> None:
        """Reset the state of the earlier connection for a new client."""
        self.responses.clear()

    def on_air(self, characteristic: int, octets: bytes, room: int) -> Sequence[bytes]:
        """Return a value in the pieces in which it is sent, none longer than `room`. One, unless the service cuts it
        up."""
        return (octets,)

    def number_of(self, number: int, values: Values) -> int:
        """Return the record number of a stored measurement: its own, unless the service counts otherwise."""
        return number

    def user_facing(self, values: Values) -> datetime | None:
        """Return the time by which a client may request it; None: it cannot."""
        return None


class PacedSensor(Sensor):
    """Measures the patient's vital signs at a pace."""

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
        """Return the measurements at this patient second."""
