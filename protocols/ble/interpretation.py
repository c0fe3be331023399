"""Interface of the GATT services: the events of an interpreter, and the profile of a service.

An interpreter converts the values of one service to events. It is a state machine without I/O and without a clock, as
an association is for an 11073 link: its input is the values that the session reads or that the device notifies. It
exists for one connection. State that must outlast the connection (the last record fetched) belongs to the session.

Malformed bytes raise `RemoteProtocolError` and change no state. Well-formed bytes of unknown meaning become
`Uninterpreted`, so that no data is dropped silently.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, Final, TypeAlias

from protocols.ble.codec import Codec
from protocols.deviation import Deviation
from protocols.device_time import DeviceTime
from protocols.errors import RemoteProtocolError
from protocols.observation import Observation

CHANNELS_OF_ONE_MAX = 16


def channel_handle(characteristic: int, number: int = 0) -> int:
    """Return the handle (1…65535) of the channel for quantity `number` of a characteristic, the same in each
    connection. No other characteristic has this handle, since characteristic UUIDs (0x2A00…0x2BFF) differ in the low
    twelve bits."""
    assert 0 <= number < CHANNELS_OF_ONE_MAX
    return (characteristic & 0x0FFF) << 4 | number


@dataclass(frozen=True, slots=True)
class Measured:
    """One or more observations of one value of a characteristic, or of one record that several values carry.

    `stored`: the device stores the value and may send it again (an indication with a date, a record of a record store),
    so the cloud recognises a repetition by its content (DESIGN D3). `record`: the number in the service's record store;
    None for a value that is not from a record store.
    """

    characteristic: int
    observations: tuple[Observation, ...]
    stored: bool = False
    record: int | None = None


@dataclass(frozen=True, slots=True)
class ClockShown:
    """Time that the device's clock showed when the device sent the value."""

    time: DeviceTime


@dataclass(frozen=True, slots=True)
class Uninterpreted:
    """Well-formed bytes of unknown meaning, and the reason `why`. The bytes may hold a patient's values."""

    characteristic: int
    octets: bytes = field(repr=False)
    why: str


GattEvent: TypeAlias = Measured | ClockShown | Deviation | Uninterpreted


class ServiceInterpreter:
    """Base class of the interpreters. An interpreter object handles one service in one connection."""

    checked: ClassVar[tuple[tuple[int, Callable[[bytes], object]], ...]] = ()
    """Decoders of characteristics that are read once and only checked for their form, since each value announces its
    own fields."""

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        """Process a value that was read once after connecting (features, a sensor type, a session's start). Raises
        RemoteProtocolError where the value is malformed."""
        decode = dict(self.checked).get(characteristic)
        if decode is not None:
            decode(data)
        return ()

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        """Convert a notified, indicated or read value to events. `received_s` is monotonic time. Raises
        RemoteProtocolError where the value is malformed, or where the characteristic sends no values."""
        raise RemoteProtocolError("this characteristic sends no values", at=0, clause=f"0x{characteristic:04X}")

    def flush(self) -> Sequence[GattEvent]:
        """Emit incomplete data (segments of an observation, a measurement without its context). The session calls this
        after a transfer of records and at the end of the connection."""
        return ()


class Use(Enum):
    """Way in which the client uses a characteristic."""

    READ = "read"
    """Read once after connecting."""
    SUBSCRIBE = "subscribe"
    """Notifications or indications, depending on the characteristic."""
    WRITE = "write"
    """Write: a control point or a clock."""


READ: Final = frozenset({Use.READ})
SUBSCRIBE: Final = frozenset({Use.SUBSCRIBE})
WRITE: Final = frozenset({Use.WRITE})
UNUSED: Final[frozenset[Use]] = frozenset()


@dataclass(frozen=True, slots=True)
class CharacteristicUse:
    """Characteristic of a service, with its codec and the client's uses. `fields` lists the interpreted fields as text
    for the documentation."""

    uuid: int
    codec: Codec
    name: str
    uses: frozenset[Use]
    fields: str = ""
    required: bool = field(default=False, kw_only=True)


class RecordNumbering(Enum):
    """Kind of record number in a request for new records (Record Access Control Point, reference BLE §6)."""

    NONE = "none"
    """No number: only all records can be requested."""
    SEQUENCE_NUMBER = "sequence number"
    """Filter type 1, uint16."""
    TIME_OFFSET = "time offset"
    """Filter type 1, uint16 minutes since the session's start."""
    RECORD_NUMBER = "record number"
    """Filter type 1, uint32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProfile:
    """Properties of a service that a client needs. `required_any`: a device must have at least one of these
    characteristics. `start`: characteristics and values to write, in order, after all subscriptions (such as a command
    that starts live data). `record_store`: the numbering of records; None: the service has no record store."""

    service: int
    name: str
    characteristics: tuple[CharacteristicUse, ...]
    interpreter: Callable[[], ServiceInterpreter]
    required_any: tuple[int, ...] = ()
    record_store: RecordNumbering | None = None
    start: tuple[tuple[int, bytes], ...] = ()

    def use(self, characteristic: int) -> CharacteristicUse | None:
        return next((each for each in self.characteristics if each.uuid == characteristic), None)
