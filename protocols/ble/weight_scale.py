"""Weight Scale service (0x181D): weight, body mass index and height, feature (reference BLE §9).

Each number is a uint16 with a fixed resolution. 0xFFFF probably means that the measurement did not succeed. The
reference does not confirm this, but 0xFFFF as a weight of 327.675 kg would be wrong. So 0xFFFF becomes NaN with the
status "not available", and the value is also emitted as uninterpreted bytes. The Body Composition service uses the same
rules. A body mass index that a scale does not send is not computed.
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
from protocols.ble.layout import (
    DATE_TIME,
    U8,
    U32,
    Either,
    Field,
    FieldType,
    Flag,
    SingleField,
    ValueLayout,
    one_column,
    pair,
)
from protocols.ble.transcoding import (
    CENTIMETRE,
    INCH,
    KILOGRAM,
    KILOGRAM_PER_M2,
    NOT_AVAILABLE,
    POUND,
    ChannelSets,
    date_of,
    is_dated,
    person_of,
)
from protocols.ble.uuids import WEIGHT_SCALE
from protocols.device_time import DeviceTime
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation, Scalar, Special

WEIGHT_MEASUREMENT: Final = 0x2A9D
WEIGHT_SCALE_FEATURE: Final = 0x2A9E
CLAUSE: Final = "WSS"

UNSUCCESSFUL: Final = 0xFFFF
STEPS_PER_KILOGRAM: Final = 200
STEPS_PER_POUND: Final = 100
STEPS_PER_LENGTH: Final = 10
"""Steps in a centimetre, and in an inch."""
STEPS_PER_INDEX: Final = 10
UNSUCCESSFUL_WHY: Final = "0xFFFF, probably a measurement that did not succeed"

WEIGHT: Final = code_of("MDC_MASS_BODY_ACTUAL")
HEIGHT: Final = code_of("MDC_LEN_BODY_ACTUAL")
_INDEX = code_of("MDC_RATIO_MASS_BODY_LEN_SQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """Weight Measurement (0x2A9D). Weight is in kg and height in cm, or in lb and inches where `imperial` is set; body
    mass index is in kg/m². NaN: the measurement did not succeed. None: the field is absent. `time_stamp` is a Date Time
    as sent; user id 0xFF is an unknown user. Index and height are present together or not at all."""

    weight: Scalar
    imperial: bool = False
    time_stamp: bytes | None = None
    user_id: int | None = None
    index_and_height: tuple[Scalar, Scalar] | None = None


def measure_of(raw: int, steps: int) -> Scalar:
    """Convert the uint16 `raw` to the number `raw` / `steps`. 0xFFFF becomes NaN."""
    return Special.NAN if raw == UNSUCCESSFUL else raw / steps


def measure_raw(value: Scalar, steps: int) -> int:
    if value is Special.NAN:
        return UNSUCCESSFUL
    if isinstance(value, Special):
        raise LocalProtocolError(f"there is no {value.value} in this service")
    raw = round(value * steps)
    if raw == UNSUCCESSFUL:
        raise LocalProtocolError("this number would say that the measurement did not succeed")
    return raw


def measured(
    channel: Channel, value: Scalar, time: DeviceTime | None, received_s: float, *, factor: float = 1.0
) -> Observation:
    """Return `value` × `factor` as an observation. A NaN gets the status "not available"."""
    if isinstance(value, Special):
        return Observation(channel, value, None, NOT_AVAILABLE, time, received_s)
    return Observation(channel, value * factor, None, 0, time, received_s)


def measure(steps: int) -> FieldType:
    """Declare a uint16 field whose value is the number on the wire divided by `steps`."""
    return one_column("H", lambda raw: measure_of(raw, steps), lambda value: measure_raw(value, steps))


MASS: Final = Either(0, where_set=measure(STEPS_PER_POUND), where_clear=measure(STEPS_PER_KILOGRAM))
"""Mass. Flag 0 selects imperial units, here and in Body Composition."""

_WEIGHT = ValueLayout(
    Weight,
    "WSS 0x2A9D",
    Flag("imperial", 0),
    Field("weight", MASS),
    Field("time_stamp", DATE_TIME, bit=1),
    Field("user_id", U8, bit=2),
    Field("index_and_height", pair(measure(STEPS_PER_INDEX), measure(STEPS_PER_LENGTH)), bit=3),
    flags_bytes=1,
)
_FEATURE: SingleField[int] = SingleField("WSS 0x2A9E", U32)
"""The bits as sent: 0 time stamp, 1 several users, 2 index, 3 to 6 resolution of weight, 7 to 9 of height."""
decode_weight, encode_weight = _WEIGHT.decode, _WEIGHT.encode
decode_feature, encode_feature = _FEATURE.decode, _FEATURE.encode


@dataclass(frozen=True, slots=True)
class _Channels:
    weight: Channel
    index: Channel
    height: Channel


def _compile(key: tuple[bool, int | None]) -> _Channels:
    imperial, person = key
    handles = [channel_handle(WEIGHT_MEASUREMENT, number) for number in range(3)]
    return _Channels(
        Channel(handle=handles[0], type=WEIGHT, unit=POUND if imperial else KILOGRAM, person=person),
        Channel(handle=handles[1], type=_INDEX, unit=KILOGRAM_PER_M2, person=person),
        Channel(handle=handles[2], type=HEIGHT, unit=INCH if imperial else CENTIMETRE, person=person),
    )


class Scale(ServiceInterpreter):
    checked = ((WEIGHT_SCALE_FEATURE, decode_feature),)

    def __init__(self) -> None:
        self._channels: ChannelSets[tuple[bool, int | None], _Channels] = ChannelSets(_compile)

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic != WEIGHT_MEASUREMENT:
            raise RemoteProtocolError("this characteristic sends no values", clause=CLAUSE)
        value = decode_weight(data)
        channels, time = self._channels[value.imperial, person_of(value.user_id)], date_of(value.time_stamp)
        found = [measured(channels.weight, value.weight, time, received_s)]
        if value.index_and_height is not None:
            index, height = value.index_and_height
            found.append(measured(channels.index, index, time, received_s))
            found.append(measured(channels.height, height, time, received_s))
        events: list[GattEvent] = [Measured(characteristic, tuple(found), stored=is_dated(time))]
        if any(each.status == NOT_AVAILABLE for each in found):
            events.append(Uninterpreted(characteristic, data, UNSUCCESSFUL_WHY))
        return events


PROFILE: Final = ServiceProfile(
    service=WEIGHT_SCALE,
    name="Weight Scale",
    characteristics=(
        CharacteristicUse(
            WEIGHT_MEASUREMENT,
            Codec(decode_weight, encode_weight),
            "Weight Measurement",
            SUBSCRIBE,
            "weight in kg or lb, body mass index, height in cm or inches, time stamp, user id",
            required=True,
        ),
        CharacteristicUse(
            WEIGHT_SCALE_FEATURE, Codec(decode_feature, encode_feature), "Weight Scale Feature", READ, "checked only"
        ),
    ),
    interpreter=Scale,
)
