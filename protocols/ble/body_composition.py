"""Body Composition service (0x181B): fat, muscle, water, impedance and more of one weighing (reference BLE §9).

The optional fields are rows, in the order in which they are sent: flag, resolution, unit, code. What 0xFFFF means, and
how a value goes on in the next one (flag 12), is not confirmed: such values also come out raw. Each part of a value
that goes on is told by itself, with the person and time that it has.

Units and resolutions are those of the weight scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

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
from protocols.ble.octets import DATE_TIME_OCTETS, GattReader, GattWriter
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
    STEPS_PER_KILOGRAM,
    STEPS_PER_LENGTH,
    STEPS_PER_POUND,
    UNSUCCESSFUL_WHY,
    WEIGHT,
    measure_of,
    measure_raw,
    measured,
)
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Scalar

BODY_COMPOSITION_FEATURE: Final = 0x2A9B
BODY_COMPOSITION_MEASUREMENT: Final = 0x2A9C
CLAUSE: Final = "BCS"

_IMPERIAL, _TIME_STAMP, _USER_ID, _CONTINUES = 1, 2, 4, 1 << 12
_FLAGS = 0x1FFF


class _Field(NamedTuple):
    """One number: `steps` to the unit, and in imperial units; what it is observed as, `times` the number sent."""

    name: str
    flag: int
    code: Code
    steps: int
    unit: Code
    imperial_steps: int
    imperial_unit: Code
    times: float = 1.0

    def steps_in(self, imperial: bool) -> int:
        return self.imperial_steps if imperial else self.steps


def _mass(name: str, flag: int, code: Code) -> _Field:
    return _Field(name, flag, code, STEPS_PER_KILOGRAM, KILOGRAM, STEPS_PER_POUND, POUND)


def _alike(name: str, flag: int, code: Code, steps: int, unit: Code, times: float = 1.0) -> _Field:
    """A field that has the same unit in both systems."""
    return _Field(name, flag, code, steps, unit, steps, unit, times)


_FAT = _alike("fat_percent", 0, Code(2, 57676), 10, PERCENT)  # MDC_BODY_FAT
_OPTIONAL = (
    _alike("basal_metabolism_kj", 1 << 3, Code(2, 57696), 1, JOULE, 1000.0),  # MDC_BASAL_METABOLISM
    _alike("muscle_percent", 1 << 4, Code(2, 57700), 10, PERCENT),  # MDC_BODY_MUSCLE
    _mass("muscle_mass", 1 << 5, Code(2, 57704)),  # MDC_MASS_BODY_MUSCLE
    _mass("fat_free_mass", 1 << 6, Code(2, 57684)),  # MDC_MASS_BODY_FAT_FREE
    _mass("soft_lean_mass", 1 << 7, Code(2, 57688)),  # MDC_MASS_BODY_SOFT_LEAN
    _mass("water_mass", 1 << 8, Code(2, 57692)),  # MDC_BODY_WATER
    _alike("impedance_ohm", 1 << 9, Code(2, 57708), 10, OHM),  # MDC_BODY_ELECTRICAL_IMPEDANCE
    _mass("weight", 1 << 10, WEIGHT),
    _Field("height", 1 << 11, HEIGHT, STEPS_PER_LENGTH, CENTIMETRE, STEPS_PER_LENGTH, INCH),
)
_FIELDS = (_FAT, *_OPTIONAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyComposition:
    """0x2A9C. Masses in kg and height in cm, or lb and inches where `imperial` is set. NaN: the measurement did not
    succeed. `time_stamp` is a Date Time as sent, user 0xFF unknown. None: the value does not say. `continues`: more of
    this weighing follows in another value."""

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


def decode_body_composition(octets: bytes) -> BodyComposition:
    reader = GattReader(octets, clause="BCS 0x2A9C")
    flags = reader.flags(2, _FLAGS)
    imperial = bool(flags & _IMPERIAL)
    fat_percent = measure_of(reader.u16(), _FAT.steps)
    time_stamp = reader.take(DATE_TIME_OCTETS) if flags & _TIME_STAMP else None
    user_id = reader.u8() if flags & _USER_ID else None
    optional = {
        field.name: measure_of(reader.u16(), field.steps_in(imperial)) for field in _OPTIONAL if flags & field.flag
    }
    reader.finish()
    return BodyComposition(
        fat_percent=fat_percent,
        imperial=imperial,
        time_stamp=time_stamp,
        user_id=user_id,
        continues=bool(flags & _CONTINUES),
        **optional,
    )


def encode_body_composition(value: BodyComposition) -> bytes:
    optional = [(field, number) for field, number in _numbers(value) if field is not _FAT]
    flags = (
        (_IMPERIAL if value.imperial else 0)
        | (_TIME_STAMP if value.time_stamp is not None else 0)
        | (_USER_ID if value.user_id is not None else 0)
        | (_CONTINUES if value.continues else 0)
        | sum(field.flag for field, _ in optional)
    )
    writer = GattWriter().unsigned(flags, 2).unsigned(measure_raw(value.fat_percent, _FAT.steps), 2)
    writer.raw(value.time_stamp or b"")
    if value.user_id is not None:
        writer.unsigned(value.user_id, 1)
    for field, number in optional:
        writer.unsigned(measure_raw(number, field.steps_in(value.imperial)), 2)
    return writer.value()


def _numbers(value: BodyComposition) -> list[tuple[_Field, Scalar]]:
    """The fields that the value has, in the order in which they are sent."""
    found: list[tuple[_Field, Scalar]] = []
    for field in _FIELDS:
        number: Scalar | None = getattr(value, field.name)
        if number is not None:
            found.append((field, number))
    return found


def decode_feature(octets: bytes) -> int:
    """The bits as sent."""
    reader = GattReader(octets, clause="BCS 0x2A9B")
    feature = reader.u32()
    reader.finish()
    return feature


def encode_feature(feature: int) -> bytes:
    return GattWriter().unsigned(feature, 4).value()


def _compiled(key: tuple[bool, int | None]) -> dict[str, Channel]:
    imperial, person = key
    return {
        field.name: Channel(
            handle=channel_handle(BODY_COMPOSITION_MEASUREMENT, number),
            type=field.code,
            unit=field.imperial_unit if imperial else field.unit,
            person=person,
        )
        for number, field in enumerate(_FIELDS)
    }


class BodyScale:
    """Interpreter of the service."""

    def __init__(self) -> None:
        self._channels: ChannelSets[tuple[bool, int | None], dict[str, Channel]] = ChannelSets(_compiled)

    def described(self, characteristic: int, octets: bytes) -> Sequence[GattEvent]:
        """The feature is checked for its form; nothing depends on it, since each value says what it holds."""
        if characteristic == BODY_COMPOSITION_FEATURE:
            decode_feature(octets)
        return ()

    def received(self, characteristic: int, octets: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic != BODY_COMPOSITION_MEASUREMENT:
            raise RemoteProtocolError("this characteristic sends no values", clause=CLAUSE)
        value = decode_body_composition(octets)
        channels, time = self._channels[value.imperial, person_of(value.user_id)], date_of(value.time_stamp)
        found = tuple(
            measured(channels[field.name], number, time, received_s, times=field.times)
            for field, number in _numbers(value)
        )
        events: list[GattEvent] = [Measured(characteristic, found, stored=is_dated(time))]
        if value.continues:
            events.append(Uninterpreted(characteristic, octets, "how a value goes on in the next one is not confirmed"))
        elif any(each.status == NOT_AVAILABLE for each in found):
            events.append(Uninterpreted(characteristic, octets, UNSUCCESSFUL_WHY))
        return events

    def settled(self) -> Sequence[GattEvent]:
        return ()


PROFILE: Final = ServiceProfile(
    service=BODY_COMPOSITION,
    name="Body Composition",
    characteristics=(
        CharacteristicUse(
            uuid=BODY_COMPOSITION_MEASUREMENT,
            name="Body Composition Measurement",
            uses=frozenset({Use.SUBSCRIBE}),
            required=True,
            fields=(
                "body fat, basal metabolism, muscle percentage and mass, fat free, soft lean and water mass, "
                "impedance, weight, height, time stamp, user id; that a value continues raw"
            ),
        ),
        CharacteristicUse(
            uuid=BODY_COMPOSITION_FEATURE,
            name="Body Composition Feature",
            uses=frozenset({Use.READ}),
            fields="checked only",
        ),
    ),
    interpreter=BodyScale,
)

CODECS: Final = (
    Codec(
        BODY_COMPOSITION_MEASUREMENT,
        "Body Composition Measurement",
        decode_body_composition,
        encode_body_composition,
    ),
    Codec(BODY_COMPOSITION_FEATURE, "Body Composition Feature", decode_feature, encode_feature),
)
