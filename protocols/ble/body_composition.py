"""Body Composition service (0x181B): fat, muscle, water, impedance and other results of a weighing (reference BLE §9).

The table `_OPTIONAL` lists the optional fields in wire order. Two points are not confirmed: the meaning of 0xFFFF, and
how a value continues in the next value (flag 12). A value that contains 0xFFFF or has flag 12 is also emitted as
uninterpreted bytes. Each part of a continued value becomes separate observations, with the person and time of this
part. Units and resolutions are those of the Weight Scale service.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

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
from protocols.ble.layout import DATE_TIME, U8, U32, Either, Field, FieldType, Flag, SingleField, ValueLayout
from protocols.ble.transcoding import (
    CENTIMETRE,
    INCH,
    JOULE,
    KILOGRAM,
    NOT_AVAILABLE,
    OHM,
    PERCENT,
    POUND,
    ChannelSets,
    date_of,
    is_dated,
    person_of,
)
from protocols.ble.uuids import BODY_COMPOSITION
from protocols.ble.weight_scale import (
    HEIGHT,
    MASS,
    STEPS_PER_LENGTH,
    UNSUCCESSFUL_WHY,
    WEIGHT,
    measure,
    measured,
)
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation import Channel, Scalar

BODY_COMPOSITION_FEATURE: Final = 0x2A9B
BODY_COMPOSITION_MEASUREMENT: Final = 0x2A9C
CLAUSE: Final = "BCS"


class _Number(NamedTuple):
    """A numeric field of the value. `bit` is the flag that announces the field; None: always present. The observed
    value is `factor` × the decoded number, in `unit`, or in `imperial_unit` for an imperial value."""

    name: str
    bit: int | None
    code: Code
    wire: FieldType | Either
    unit: Code
    imperial_unit: Code
    factor: float = 1.0


def _mass(name: str, bit: int, code: Code) -> _Number:
    return _Number(name, bit, code, MASS, KILOGRAM, POUND)


def _alike(name: str, bit: int | None, code: Code, steps: int, unit: Code, factor: float = 1.0) -> _Number:
    """Describe a numeric field with the same unit in metric and imperial values. The decoded number is the number on
    the wire divided by `steps`. The observed value is `factor` × the decoded number, in `unit`."""
    return _Number(name, bit, code, measure(steps), unit, unit, factor)


_FAT = _alike("fat_percent", None, code_of("MDC_BODY_FAT"), 10, PERCENT)
_OPTIONAL = (
    _alike("basal_metabolism_kj", 3, code_of("MDC_BASAL_METABOLISM"), 1, JOULE, 1000.0),
    _alike("muscle_percent", 4, code_of("MDC_BODY_MUSCLE"), 10, PERCENT),
    _mass("muscle_mass", 5, code_of("MDC_MASS_BODY_MUSCLE")),
    _mass("fat_free_mass", 6, code_of("MDC_MASS_BODY_FAT_FREE")),
    _mass("soft_lean_mass", 7, code_of("MDC_MASS_BODY_SOFT_LEAN")),
    _mass("water_mass", 8, code_of("MDC_BODY_WATER")),
    _alike("impedance_ohm", 9, code_of("MDC_BODY_ELECTRICAL_IMPEDANCE"), 10, OHM),
    _mass("weight", 10, WEIGHT),
    _Number("height", 11, HEIGHT, measure(STEPS_PER_LENGTH), CENTIMETRE, INCH),
)
_NUMBERS = (_FAT, *_OPTIONAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyComposition:
    """Body Composition Measurement (0x2A9C). Masses are in kg and height in cm, or in lb and inches where `imperial` is
    set. NaN: the measurement did not succeed. None: the field is absent. `time_stamp` is a Date Time as sent; user id
    0xFF is an unknown user. `continues`: the next value has further results of this weighing."""

    fat_percent: Scalar
    imperial: bool = False
    time_stamp: bytes | None = None
    user_id: int | None = None
    basal_metabolism_kj: Scalar | None = None
    muscle_percent: Scalar | None = None
    muscle_mass: Scalar | None = None
    fat_free_mass: Scalar | None = None
    soft_lean_mass: Scalar | None = None
    water_mass: Scalar | None = None
    impedance_ohm: Scalar | None = None
    weight: Scalar | None = None
    height: Scalar | None = None
    continues: bool = False


_BODY_COMPOSITION = ValueLayout(
    BodyComposition,
    "BCS 0x2A9C",
    Flag("imperial", 0),
    Flag("continues", 12),
    Field(_FAT.name, _FAT.wire),
    Field("time_stamp", DATE_TIME, bit=1),
    Field("user_id", U8, bit=2),
    *(Field(each.name, each.wire, each.bit) for each in _OPTIONAL),
    flags_bytes=2,
)
_FEATURE: SingleField[int] = SingleField("BCS 0x2A9B", U32)
"""The bits as sent."""
decode_body_composition, encode_body_composition = _BODY_COMPOSITION.decode, _BODY_COMPOSITION.encode
decode_feature, encode_feature = _FEATURE.decode, _FEATURE.encode


def _numbers(value: BodyComposition) -> list[tuple[_Number, Scalar]]:
    """Return the numeric fields that are present in `value`, each with its number, in wire order."""
    found: list[tuple[_Number, Scalar]] = []
    for field in _NUMBERS:
        number: Scalar | None = getattr(value, field.name)
        if number is not None:
            found.append((field, number))
    return found


def _compile(key: tuple[bool, int | None]) -> dict[str, Channel]:
    imperial, person = key
    return {
        field.name: Channel(
            handle=channel_handle(BODY_COMPOSITION_MEASUREMENT, number),
            type=field.code,
            unit=field.imperial_unit if imperial else field.unit,
            person=person,
        )
        for number, field in enumerate(_NUMBERS)
    }


class BodyScale(ServiceInterpreter):
    checked = ((BODY_COMPOSITION_FEATURE, decode_feature),)

    def __init__(self) -> None:
        self._channels: ChannelSets[tuple[bool, int | None], dict[str, Channel]] = ChannelSets(_compile)

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic != BODY_COMPOSITION_MEASUREMENT:
            raise RemoteProtocolError("this characteristic sends no values", clause=CLAUSE)
        value = decode_body_composition(data)
        channels, time = self._channels[value.imperial, person_of(value.user_id)], date_of(value.time_stamp)
        found = tuple(
            measured(channels[field.name], number, time, received_s, factor=field.factor)
            for field, number in _numbers(value)
        )
        events: list[GattEvent] = [Measured(characteristic, found, stored=is_dated(time))]
        if value.continues:
            events.append(Uninterpreted(characteristic, data, "how a value goes on in the next one is not confirmed"))
        elif any(each.status == NOT_AVAILABLE for each in found):
            events.append(Uninterpreted(characteristic, data, UNSUCCESSFUL_WHY))
        return events


PROFILE: Final = ServiceProfile(
    service=BODY_COMPOSITION,
    name="Body Composition",
    characteristics=(
        CharacteristicUse(
            BODY_COMPOSITION_MEASUREMENT,
            Codec(decode_body_composition, encode_body_composition),
            "Body Composition Measurement",
            SUBSCRIBE,
            (
                "body fat, basal metabolism, muscle percentage and mass, fat free, soft lean and water mass, "
                "impedance, weight, height, time stamp, user id; that a value continues raw"
            ),
            required=True,
        ),
        CharacteristicUse(
            BODY_COMPOSITION_FEATURE,
            Codec(decode_feature, encode_feature),
            "Body Composition Feature",
            READ,
            "checked only",
        ),
    ),
    interpreter=BodyScale,
)
