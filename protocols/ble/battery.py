"""Battery service (0x180F): level and level status (reference BLE §12).

The level is told twice over: as an observation, so that its course is in the record, and as the attribute that 20601
has for it, so that the device's identity shows the newest. What else the level status holds has no code in MDC and
comes out raw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.ble.codec import Codec
from protocols.ble.interpretation import (
    CharacteristicUse,
    GattEvent,
    Measured,
    ServiceProfile,
    Uninterpreted,
    Use,
    channel_handle,
)
from protocols.ble.octets import GattReader, GattWriter
from protocols.ble.transcoding import PERCENT
from protocols.ble.uuids import BATTERY
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Observation

BATTERY_LEVEL: Final = 0x2A19
BATTERY_LEVEL_STATUS: Final = 0x2BED
CLAUSE: Final = "BAS"

_IDENTIFIER, _LEVEL, _ADDITIONAL = 1, 2, 4
_FLAGS = 0x07
_CHARGE = Code(1, 2460)  # MDC_ATTR_VAL_BATT_CHARGE


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryLevelStatus:
    """0x2BED. `power_state` and `additional` are bits as sent (reference BLE §12); None: the value does not say."""

    power_state: int
    identifier: int | None = None
    level_percent: int | None = None
    additional: int | None = None


def decode_level(octets: bytes) -> int:
    """Percent, 0 to 100."""
    reader = GattReader(octets, clause="BAS 0x2A19")
    level = _level(reader)
    reader.finish()
    return level


def encode_level(level: int) -> bytes:
    return GattWriter().unsigned(level, 1).value()


def decode_level_status(octets: bytes) -> BatteryLevelStatus:
    reader = GattReader(octets, clause="BAS 0x2BED")
    flags = reader.flags(1, _FLAGS)
    value = BatteryLevelStatus(
        power_state=reader.u16(),
        identifier=reader.u16() if flags & _IDENTIFIER else None,
        level_percent=_level(reader) if flags & _LEVEL else None,
        additional=reader.u8() if flags & _ADDITIONAL else None,
    )
    reader.finish()
    return value


def encode_level_status(value: BatteryLevelStatus) -> bytes:
    flags = (
        (_IDENTIFIER if value.identifier is not None else 0)
        | (_LEVEL if value.level_percent is not None else 0)
        | (_ADDITIONAL if value.additional is not None else 0)
    )
    writer = GattWriter().unsigned(flags, 1).unsigned(value.power_state, 2)
    for number, octets in ((value.identifier, 2), (value.level_percent, 1), (value.additional, 1)):
        if number is not None:
            writer.unsigned(number, octets)
    return writer.value()


def _level(reader: GattReader) -> int:
    at = reader.at
    level = reader.u8()
    if level > 100:
        raise RemoteProtocolError("a battery level is above 100 %", at=at, clause=CLAUSE)
    return level


_CHANNELS = {
    characteristic: Channel(handle=channel_handle(characteristic), type=_CHARGE, unit=PERCENT)
    for characteristic in (BATTERY_LEVEL, BATTERY_LEVEL_STATUS)
}


class Battery:
    """Interpreter of the service."""

    def __init__(self) -> None:
        self.level_percent: int | None = None
        """The newest; None: not told yet."""

    def described(self, characteristic: int, octets: bytes) -> Sequence[GattEvent]:
        """Remembers the level. An observation needs the time of the reading: whoever has it gives the octets that were
        read to `received` instead."""
        self._remember(_level_of(characteristic, octets))
        return ()

    def received(self, characteristic: int, octets: bytes, received_s: float) -> Sequence[GattEvent]:
        level = _level_of(characteristic, octets)
        self._remember(level)
        events: list[GattEvent] = []
        if level is not None:
            observation = Observation(_CHANNELS[characteristic], float(level), None, 0, None, received_s)
            events.append(Measured(characteristic, (observation,)))
        if characteristic == BATTERY_LEVEL_STATUS:
            events.append(Uninterpreted(characteristic, octets, "the power state of a battery has no code"))
        return events

    def settled(self) -> Sequence[GattEvent]:
        return ()

    @property
    def attributes(self) -> tuple[tuple[int, bytes], ...]:
        """The newest level as an attribute of an MDS object; empty where none was told."""
        if self.level_percent is None:
            return ()
        return ((Attribute.BATTERY_LEVEL, self.level_percent.to_bytes(2, "big")),)

    def _remember(self, level: int | None) -> None:
        if level is not None:
            self.level_percent = level


def _level_of(characteristic: int, octets: bytes) -> int | None:
    """None: a level status without a level."""
    if characteristic == BATTERY_LEVEL:
        return decode_level(octets)
    if characteristic == BATTERY_LEVEL_STATUS:
        return decode_level_status(octets).level_percent
    raise RemoteProtocolError("this characteristic has no values", clause=CLAUSE)


PROFILE: Final = ServiceProfile(
    service=BATTERY,
    name="Battery",
    characteristics=(
        CharacteristicUse(
            uuid=BATTERY_LEVEL,
            name="Battery Level",
            uses=frozenset({Use.READ, Use.SUBSCRIBE}),
            fields="level in percent",
        ),
        CharacteristicUse(
            uuid=BATTERY_LEVEL_STATUS,
            name="Battery Level Status",
            uses=frozenset({Use.READ, Use.SUBSCRIBE}),
            fields="level in percent; power state raw",
        ),
    ),
    interpreter=Battery,
)

CODECS: Final = (
    Codec(BATTERY_LEVEL, "Battery Level", decode_level, encode_level),
    Codec(BATTERY_LEVEL_STATUS, "Battery Level Status", decode_level_status, encode_level_status),
)
