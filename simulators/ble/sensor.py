"""What every simulated Bluetooth device is: characteristics that it offers, and a pace at which it measures.

As a device on a wire (`agents.device`) a sensor is plain computation: it is told the patient second and returns what
it measured until then, as characteristic values in the order of time. It measures whether or not anybody listens; who
gets what is decided by `peripheral`, which has the radio, the store and the bond.
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
from simulators.physiology import Patient, Vitals

MomentAt = Callable[[float], datetime | None]
"""The device's own local time at a patient second; None: it has no clock."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  the device's own zone
ACCEPTED = 0
"""What a write that is accepted answers; anything else is an ATT error."""


def moment_of(local_us: int) -> datetime:
    """The local time of microseconds since 1970 on the device's own clock."""
    return _EPOCH + timedelta(microseconds=local_us)


def local_us_of(moment: datetime) -> int:
    """The way back."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Way(Enum):
    """How a characteristic value reaches whoever subscribed."""

    NOTIFIED = "notified"
    INDICATED = "indicated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One characteristic. `read` and `write` None: it has no such property. `write` answers `ACCEPTED` or an ATT error
    code. `guarded`: it holds health data, which a device that encrypts gives on an encrypted link only."""

    service: int
    uuid: int
    way: Way | None = None
    read: Callable[[], bytes] | None = None
    write: Callable[[bytes], int] | None = None
    guarded: bool = True


class Keep(Enum):
    """When a measurement goes to the store."""

    ALWAYS = "always"
    UNHEARD = "unheard"
    """Only while nobody is connected, because live values tell the same."""
    UNCONFIRMED = "unconfirmed"
    """It is indicated at once, and stays only where that was not confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement. `live` is notified at once to who has subscribed, or is gone. `kept` makes what the store keeps,
    from the number that it will have; `keep` says when."""

    live: Values = ()
    kept: Callable[[int], Values] | None = None
    keep: Keep = Keep.ALWAYS


class Sensor(ABC):
    """`services` are advertised and serve `offered`. `numbering` None: what is kept is indicated and forgotten once it
    is confirmed; else it stays until it is asked for and deleted over the record access control point."""

    services: tuple[int, ...]
    numbering: RecordNumbering | None = None
    cuts_up = False
    """`on_air` cuts values up, so that they fit any MTU."""
    session_memory = False
    """What it keeps means something only until it is switched off."""

    def __init__(self, patient: Patient, description: Description) -> None:
        self.patient = patient
        self.description = description
        self.on_since: datetime | None = None
        self.answers: deque[tuple[int, bytes]] = deque()
        """What is to be indicated because the client wrote something."""

    @property
    @abstractmethod
    def due_s(self) -> float:
        """The patient second at which `measure` has something next."""

    @abstractmethod
    def offered(self) -> tuple[Offered, ...]:
        """Its own characteristics; what all devices have is `device_services`'."""

    @abstractmethod
    def measure(self, now_s: float, moment_at: MomentAt) -> Iterable[Sample]:
        """What was measured since the last call, up to `now_s`."""

    @property
    def streams(self) -> bool:
        """Whether live values are told now; some services want to be started."""
        return True

    def switched_on(self, moment: datetime | None) -> None:
        """It begins to measure, at patient second 0; `moment` is the local time, None without a clock."""
        self.on_since = moment

    def connected(self) -> None:
        """A client is here, and nothing that the last one started holds for it."""
        self.answers.clear()

    def on_air(self, characteristic: int, octets: bytes, room: int) -> Sequence[bytes]:
        """A value in the pieces in which it is sent, none longer than `room`. One, unless the service cuts it up."""
        return (octets,)

    def number_of(self, number: int, values: Values) -> int:
        """By which number a kept measurement is asked for: its own, unless the service counts otherwise."""
        return number

    def user_facing(self, values: Values) -> datetime | None:
        """The time by which a client may ask for it; None: it cannot."""
        return None


class PacedSensor(Sensor):
    """Measures the patient's vitals at a pace."""

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
        """What is measured now, at this patient second."""
