"""Health Thermometer service (0x1809): temperature, intermediate temperature, measurement site (reference BLE §2).

The measurement site selects the MDC code. A device sends the site in each value, or once in Temperature Type; the site
in a value takes precedence. Without a site, and for a reserved site number, the code is that of a body temperature.
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
    channel_handle,
)
from protocols.ble.layout import DATE_TIME, FLOAT32, U8, U16, Field, Flag, SingleField, ValueLayout
from protocols.ble.transcoding import EARLY_INDICATION, ChannelSets, DeviationFilter, date_of, is_dated
from protocols.ble.uuids import HEALTH_THERMOMETER
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation import Channel, Observation, Scalar

TEMPERATURE_MEASUREMENT: Final = 0x2A1C
TEMPERATURE_TYPE: Final = 0x2A1D
INTERMEDIATE_TEMPERATURE: Final = 0x2A1E
MEASUREMENT_INTERVAL: Final = 0x2A21
CLAUSE: Final = "HTS"

ARMPIT, BODY, EAR, FINGER, GASTRO_INTESTINAL, MOUTH, RECTUM, TOE, TYMPANUM = range(1, 10)
"""Numbers of Temperature Type."""

_DEGREE_CELSIUS = code_of("MDC_DIM_DEGC")
_DEGREE_FAHRENHEIT = code_of("MDC_DIM_FAHR")
_BODY_TEMPERATURE = code_of("MDC_TEMP_BODY")
_OF_PLACE = {
    ARMPIT: code_of("MDC_TEMP_AXILLA"),
    BODY: _BODY_TEMPERATURE,
    EAR: code_of("MDC_TEMP_EAR"),
    FINGER: code_of("MDC_TEMP_FINGER"),
    GASTRO_INTESTINAL: code_of("MDC_TEMP_GIT"),
    MOUTH: code_of("MDC_TEMP_ORAL"),
    RECTUM: code_of("MDC_TEMP_RECT"),
    TOE: code_of("MDC_TEMP_TOE"),
    TYMPANUM: code_of("MDC_TEMP_TYMP"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """Temperature Measurement (0x2A1C) or Intermediate Temperature (0x2A1E), in °C, or in °F where `fahrenheit` is set.
    `time_stamp` is a Date Time as sent, and `place` a Temperature Type number; None: the field is absent."""

    value: Scalar
    fahrenheit: bool = False
    time_stamp: bytes | None = None
    place: int | None = None


_TEMPERATURE = ValueLayout(
    Temperature,
    "HTS 0x2A1C",
    Flag("fahrenheit", 0),
    Field("value", FLOAT32),
    Field("time_stamp", DATE_TIME, bit=1),
    Field("place", U8, bit=2),
    flags_bytes=1,
)
_TYPE: SingleField[int] = SingleField("HTS 0x2A1D", U8)
"""1 armpit … 9 tympanum; other numbers as sent."""
_INTERVAL_S: SingleField[int] = SingleField("HTS 0x2A21", U16)
"""0: not periodic."""
decode_temperature, encode_temperature = _TEMPERATURE.decode, _TEMPERATURE.encode
decode_temperature_type, encode_temperature_type = _TYPE.decode, _TYPE.encode
decode_measurement_interval, encode_measurement_interval = _INTERVAL_S.decode, _INTERVAL_S.encode


def _compile(key: tuple[int, bool, Code]) -> Channel:
    characteristic, fahrenheit, code = key
    unit = _DEGREE_FAHRENHEIT if fahrenheit else _DEGREE_CELSIUS
    return Channel(handle=channel_handle(characteristic), type=code, unit=unit)


class Thermometer(ServiceInterpreter):
    def __init__(self) -> None:
        self._place: int | None = None
        self._channels: ChannelSets[tuple[int, bool, Code], Channel] = ChannelSets(_compile)
        self._deviations = DeviationFilter(CLAUSE)

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        """Store the measurement site that was read. Of a measurement interval, only check that it has the right number
        of bytes."""
        if characteristic == TEMPERATURE_TYPE:
            self._place = decode_temperature_type(data)
        elif characteristic == MEASUREMENT_INTERVAL:
            decode_measurement_interval(data)
        return ()

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic not in (TEMPERATURE_MEASUREMENT, INTERMEDIATE_TEMPERATURE):
            raise RemoteProtocolError("this characteristic sends no values", clause=CLAUSE)
        value = decode_temperature(data)
        place = self._place if value.place is None else value.place
        code = _BODY_TEMPERATURE if place is None else _OF_PLACE.get(place, _BODY_TEMPERATURE)
        channel = self._channels[characteristic, value.fahrenheit, code]
        time = date_of(value.time_stamp)
        intermediate = characteristic == INTERMEDIATE_TEMPERATURE
        status = EARLY_INDICATION if intermediate else 0
        observation = Observation(channel, value.value, None, status, time, received_s)
        events: list[GattEvent] = [Measured(characteristic, (observation,), stored=not intermediate and is_dated(time))]
        if place is not None and place not in _OF_PLACE:
            events += self._deviations.deviation("the temperature type has a reserved number", data)
        return events


_FIELDS = "temperature in °C or °F, time stamp, place"

PROFILE: Final = ServiceProfile(
    service=HEALTH_THERMOMETER,
    name="Health Thermometer",
    characteristics=(
        CharacteristicUse(
            TEMPERATURE_MEASUREMENT,
            Codec(decode_temperature, encode_temperature),
            "Temperature Measurement",
            SUBSCRIBE,
            _FIELDS,
            required=True,
        ),
        CharacteristicUse(
            TEMPERATURE_TYPE,
            Codec(decode_temperature_type, encode_temperature_type),
            "Temperature Type",
            READ,
            "place, if static",
        ),
        CharacteristicUse(
            INTERMEDIATE_TEMPERATURE,
            Codec(decode_temperature, encode_temperature),
            "Intermediate Temperature",
            SUBSCRIBE,
            f"{_FIELDS}; marked as early indication",
        ),
        CharacteristicUse(
            MEASUREMENT_INTERVAL,
            Codec(decode_measurement_interval, encode_measurement_interval),
            "Measurement Interval",
            READ,
            "checked only",
        ),
    ),
    interpreter=Thermometer,
)
