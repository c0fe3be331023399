"""Battery service (0x180F): level and level status (reference BLE §12).

Each level becomes an observation, so the record shows how the level changes. The newest level is also a 20601 attribute
of the MDS object. The other fields of a level status have no MDC code, so a level status is also emitted as
uninterpreted bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.ble.codec import Codec
from protocols.ble.interpretation import (
    READ,
    SUBSCRIBE,
    CharacteristicUse,
    GattEvent,
    Measured,
    ServiceInterpreter,
    ServiceProfile,
    Uninterpreted,
    channel_handle,
)
from protocols.ble.layout import U8, U16, Field, SingleField, ValueLayout, one_column
from protocols.ble.transcoding import PERCENT
from protocols.ble.uuids import BATTERY
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation

BATTERY_LEVEL: Final = 0x2A19
BATTERY_LEVEL_STATUS: Final = 0x2BED
CLAUSE: Final = "BAS"

_CHARGE = code_of("MDC_ATTR_VAL_BATT_CHARGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryLevelStatus:
    """Battery Level Status (0x2BED). `power_state` and `additional` are bit fields as sent. None: absent."""

    power_state: int
    identifier: int | None = None
    level_percent: int | None = None
    additional: int | None = None


def _checked_level(level: int) -> int:
    if level > 100:
        raise RemoteProtocolError("a battery level is above 100 %", clause=CLAUSE)
    return level


_LEVEL_PERCENT = one_column("B", _checked_level)
_LEVEL: SingleField[int] = SingleField("BAS 0x2A19", _LEVEL_PERCENT)
_LEVEL_STATUS = ValueLayout(
    BatteryLevelStatus,
    "BAS 0x2BED",
    Field("power_state", U16),
    Field("identifier", U16, bit=0),
    Field("level_percent", _LEVEL_PERCENT, bit=1),
    Field("additional", U8, bit=2),
    flags_bytes=1,
)
decode_level, encode_level = _LEVEL.decode, _LEVEL.encode
decode_level_status, encode_level_status = _LEVEL_STATUS.decode, _LEVEL_STATUS.encode

_CHANNELS = {
    characteristic: Channel(handle=channel_handle(characteristic), type=_CHARGE, unit=PERCENT)
    for characteristic in (BATTERY_LEVEL, BATTERY_LEVEL_STATUS)
}


class Battery(ServiceInterpreter):
    def __init__(self) -> None:
        self.level_percent: int | None = None
        """The newest level; None before the first."""

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        """Store the battery level that was read after connecting. Emit no observation: an observation needs a time of
        reception, and only `receive` gets one."""
        self._remember(_level_of(characteristic, data))
        return ()

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        level = _level_of(characteristic, data)
        self._remember(level)
        events: list[GattEvent] = []
        if level is not None:
            observation = Observation(_CHANNELS[characteristic], float(level), None, 0, None, received_s)
            events.append(Measured(characteristic, (observation,)))
        if characteristic == BATTERY_LEVEL_STATUS:
            events.append(Uninterpreted(characteristic, data, "the power state of a battery has no code"))
        return events

    @property
    def attributes(self) -> tuple[tuple[int, bytes], ...]:
        """Return the newest battery level as a tuple of one MDS attribute (id, bytes). Return an empty tuple before the
        first level."""
        if self.level_percent is None:
            return ()
        return ((Attribute.BATTERY_LEVEL, self.level_percent.to_bytes(2, "big")),)

    def _remember(self, level: int | None) -> None:
        if level is not None:
            self.level_percent = level


def _level_of(characteristic: int, data: bytes) -> int | None:
    """Return the level in percent; None for a level status without a level."""
    if characteristic == BATTERY_LEVEL:
        return decode_level(data)
    if characteristic == BATTERY_LEVEL_STATUS:
        return decode_level_status(data).level_percent
    raise RemoteProtocolError("this characteristic has no values", clause=CLAUSE)


PROFILE: Final = ServiceProfile(
    service=BATTERY,
    name="Battery",
    characteristics=(
        CharacteristicUse(
            BATTERY_LEVEL, Codec(decode_level, encode_level), "Battery Level", READ | SUBSCRIBE, "level in percent"
        ),
        CharacteristicUse(
            BATTERY_LEVEL_STATUS,
            Codec(decode_level_status, encode_level_status),
            "Battery Level Status",
            READ | SUBSCRIBE,
            "level in percent; power state raw",
        ),
    ),
    interpreter=Battery,
)
