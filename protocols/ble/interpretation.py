"""Interface of the GATT services: the events of an interpreter, and the profile of a service.

An interpreter is to a GATT session what an association is to an 11073 link: a state machine without I/O and without a
clock. Its input is what was read and notified, its output events. It lives for one connection; what must outlast one
(how far a record store was fetched) is the session's. One interpreter a service, so that a device with three services
has three, and none of them has to know of another.

Malformed bytes raise `RemoteProtocolError` and change nothing; what can be read but not understood becomes
`Uninterpreted`, so that nothing is dropped silently.

Does not decide when to connect, subscribe or request (gateway/sessions/gatt/session).
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
    """Observations that belong together, at least one: one value of a characteristic, or one record of several.

    `stored`: the device keeps this and may send it again (an indication with a date, a record of a record store), so
    the cloud knows it by its content (DESIGN D3). `record`: its number in the service's record store, None outside.
    """

    characteristic: int
    observations: tuple[Observation, ...]
    stored: bool = False
    record: int | None = None


@dataclass(frozen=True, slots=True)
class ClockShown:
    """The device said what its clock shows, when the value that was read or notified left it."""

    time: DeviceTime


@dataclass(frozen=True, slots=True)
class Uninterpreted:
    """Well-formed bytes whose meaning is not known. They may hold a patient's values."""

    characteristic: int
    octets: bytes = field(repr=False)
    why: str


GattEvent: TypeAlias = Measured | ClockShown | Deviation | Uninterpreted


class ServiceInterpreter:
    """Interpreter of one service in one connection. Override what the service has."""

    checked: ClassVar[tuple[tuple[int, Callable[[bytes], object]], ...]] = ()
    """Decoders of characteristics that are read once and only checked for their form: each value says itself which
    fields it has."""

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        """Take a value that was read once after connecting (features, a sensor type, a session's start)."""
        decode = dict(self.checked).get(characteristic)
        if decode is not None:
            decode(data)
        return ()

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        """Take a notification or indication; `received_s` is monotonic. Raises RemoteProtocolError where it is
        malformed, or the characteristic sends no values."""
        raise RemoteProtocolError("this characteristic sends no values", at=0, clause=f"0x{characteristic:04X}")

    def flush(self) -> Sequence[GattEvent]:
        """Emit what is incomplete (a segment, a measurement without its context): a transfer of records or the
        connection ended."""
        return ()


class Use(Enum):
    """Use of a characteristic by a client."""

    READ = "read"
    """Once after connecting."""
    SUBSCRIBE = "subscribe"
    """Notifications or indications, whichever the characteristic has."""
    WRITE = "write"
    """A control point or a clock."""


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
    """Only for all records."""
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
