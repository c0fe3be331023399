"""Interface of the GATT services: the events of an interpreter, and the profile of a service.

An interpreter is to a GATT session what an association is to an 11073 link: a state machine without I/O and without a
clock. Its input is the values read and notified, its output events. It lasts for one connection; state that must
outlast it (the last record fetched from a record store) belongs to the session. There is one interpreter for each
service, independent of the others.

Malformed bytes raise `RemoteProtocolError` and change nothing. Well-formed bytes of unknown meaning become
`Uninterpreted`, so that nothing is dropped silently.

The session (gateway/sessions/gatt/session) decides when to connect, subscribe or request.
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
    """Return the handle of the `number`th channel of a characteristic: 1…65535, the same in each connection and
    distinct from those of any other characteristic (their UUIDs 0x2A00…0x2BFF differ in the low twelve bits)."""
    assert 0 <= number < CHANNELS_OF_ONE_MAX
    return (characteristic & 0x0FFF) << 4 | number


@dataclass(frozen=True, slots=True)
class Measured:
    """Observations that belong together, at least one: one value of a characteristic, or one record made of several
    values.

    `stored`: the device keeps this and may send it again (an indication with a date, a record of a record store), so
    the cloud recognises it by its content (DESIGN D3). `record`: its number in the service's record store, None for
    others.
    """

    characteristic: int
    observations: tuple[Observation, ...]
    stored: bool = False
    record: int | None = None


@dataclass(frozen=True, slots=True)
class ClockShown:
    """The time on the device's clock when it sent the value that was read or notified."""

    time: DeviceTime


@dataclass(frozen=True, slots=True)
class Uninterpreted:
    """Well-formed bytes of unknown meaning. They may hold a patient's values."""

    characteristic: int
    octets: bytes = field(repr=False)
    why: str


GattEvent: TypeAlias = Measured | ClockShown | Deviation | Uninterpreted


class ServiceInterpreter:
    """Interpreter of one service in one connection. Override the methods that the service needs."""

    checked: ClassVar[tuple[tuple[int, Callable[[bytes], object]], ...]] = ()
    """Decoders of characteristics that are read once and only checked for their form, since each value announces its
    own fields."""

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        """Store a value that was read once after connecting (features, a sensor type, a session's start)."""
        decode = dict(self.checked).get(characteristic)
        if decode is not None:
            decode(data)
        return ()

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        """Convert a notification or indication to events; `received_s` is monotonic. Raises RemoteProtocolError where
        it is malformed, or the characteristic sends no values."""
        raise RemoteProtocolError("this characteristic sends no values", at=0, clause=f"0x{characteristic:04X}")

    def flush(self) -> Sequence[GattEvent]:
        """Emit what is incomplete (a segment, a measurement without its context), at the end of a transfer of records
        or of the connection."""
        return ()


class Use(Enum):
    """Use of a characteristic by a client."""

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
    """A characteristic of a service. `fields` names what is interpreted, for the documents."""

    uuid: int
    codec: Codec
    name: str
    uses: frozenset[Use]
    fields: str = ""
    required: bool = field(default=False, kw_only=True)


class RecordNumbering(Enum):
    """Number by which new records can be requested from a record store (RACP operand, reference BLE §6)."""

    NONE = "none"
    """Requests for all records only."""
    SEQUENCE_NUMBER = "sequence number"
    """Filter type 1, uint16."""
    TIME_OFFSET = "time offset"
    """Filter type 1, uint16 minutes since the session's start."""
    RECORD_NUMBER = "record number"
    """Filter type 1, uint32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProfile:
    """Facts of a service that a client needs. `required_any`: at least one of these characteristics must be there.

    `start` is written, in order, after everything is subscribed (a control point that starts live data). `record_store`
    None: the service has none.
    """

    service: int
    name: str
    characteristics: tuple[CharacteristicUse, ...]
    interpreter: Callable[[], ServiceInterpreter]
    required_any: tuple[int, ...] = ()
    record_store: RecordNumbering | None = None
    start: tuple[tuple[int, bytes], ...] = ()

    def use(self, characteristic: int) -> CharacteristicUse | None:
        return next((each for each in self.characteristics if each.uuid == characteristic), None)
