"""Heart Rate service (0x180D): rate, contact, energy, beat-to-beat intervals, sensor location (reference BLE §4).

The service is used by chest straps, which measure an ECG, and by optical sensors, which measure a pulse. A rate is a
pulse rate if the sensor location is wrist, finger, hand, ear lobe or foot; otherwise it is the heart rate of an ECG.
Intervals are in milliseconds, which express a tick of 1/1024 s exactly. Energy is in joules, since the nomenclature has
no kilojoule. The device neither stores these values nor sends a time with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from protocols.ble.codec import Codec
from protocols.ble.interpretation import (
    READ,
    SUBSCRIBE,
    WRITE,
    CharacteristicUse,
    GattEvent,
    Measured,
    ServiceInterpreter,
    ServiceProfile,
    channel_handle,
)
from protocols.ble.layout import U8, U16, Either, Field, Flag, SingleField, ValueLayout, many
from protocols.ble.transcoding import JOULE, MILLISECOND, PER_MINUTE, QUESTIONABLE, DeviationFilter
from protocols.ble.uuids import HEART_RATE
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation

HEART_RATE_MEASUREMENT: Final = 0x2A37
BODY_SENSOR_LOCATION: Final = 0x2A38
HEART_RATE_CONTROL_POINT: Final = 0x2A39
CLAUSE: Final = "HRS"

TICKS_PER_S: Final = 1024
RESET_ENERGY: Final = 1
"""The only command of the control point."""

OTHER, CHEST, WRIST, FINGER, HAND, EAR_LOBE, FOOT = range(7)
"""Numbers of Body Sensor Location."""

_ECG_HEART_RATE = code_of("MDC_ECG_HEART_RATE")
_PULSE_RATE = code_of("MDC_PULS_RATE_NON_INV")
_RR_INTERVAL = code_of("MDC_ECG_TIME_PD_RR_GL")
_ENERGY_EXPENDED = code_of("MDC_HF_ENERGY")
_SITES = {
    CHEST: code_of("MDC_TRUNK_BREAST"),
    WRIST: code_of("MDC_UPEXT_WRIST"),
    FINGER: code_of("MDC_UPEXT_FINGER"),
    HAND: code_of("MDC_UPEXT_HAND"),
    EAR_LOBE: code_of("MDC_HEAD_EAR"),
    FOOT: code_of("MDC_LOEXT_FOOT"),
}
_OPTICAL_SITES = frozenset({WRIST, FINGER, HAND, EAR_LOBE, FOOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartRate:
    """Heart Rate Measurement (0x2A37). `rate` is per minute. `contact_detected` is valid only with `contact_supported`.
    `energy_kj` counts from the last reset; None: absent. `intervals_ticks` are in 1/1024 s, oldest first."""

    rate: int
    contact_supported: bool = False
    contact_detected: bool = False
    energy_kj: int | None = None
    intervals_ticks: tuple[int, ...] = ()
    sixteen_bits: bool = False
    """The rate is sent in two bytes, as a rate above 255 always is."""

    @property
    def contact_lost(self) -> bool:
        return self.contact_supported and not self.contact_detected


_HEART_RATE = ValueLayout(
    HeartRate,
    "HRS 0x2A37",
    Flag("sixteen_bits", 0),
    Flag("contact_detected", 1),
    Flag("contact_supported", 2),
    Field("rate", Either(0, where_set=U16, where_clear=U8)),
    Field("energy_kj", U16, bit=3),
    Field("intervals_ticks", many("H"), bit=4),
    flags_bytes=1,
)
_ONE_BYTE: SingleField[int] = SingleField(CLAUSE, U8)
"""Body Sensor Location or the control point's command, as sent."""
decode_heart_rate = _HEART_RATE.decode
decode_one_byte, encode_one_byte = _ONE_BYTE.decode, _ONE_BYTE.encode


def encode_heart_rate(value: HeartRate) -> bytes:
    """Encode a Heart Rate Measurement. A rate above 255 is always sent in two bytes."""
    return _HEART_RATE.encode(replace(value, sixteen_bits=True) if value.rate > 0xFF else value)


@dataclass(frozen=True, slots=True)
class _Channels:
    rate: Channel
    interval: Channel
    energy: Channel


def _channels_at(location: int | None) -> _Channels:
    rate = _PULSE_RATE if location in _OPTICAL_SITES else _ECG_HEART_RATE
    sites = (_SITES[location],) if location in _SITES else ()
    handles = [channel_handle(HEART_RATE_MEASUREMENT, number) for number in range(3)]
    return _Channels(
        Channel(handle=handles[0], type=rate, unit=PER_MINUTE, supplemental_types=sites),
        Channel(handle=handles[1], type=_RR_INTERVAL, unit=MILLISECOND, supplemental_types=sites),
        Channel(handle=handles[2], type=_ENERGY_EXPENDED, unit=JOULE),
    )


class HeartRateSensor(ServiceInterpreter):
    def __init__(self) -> None:
        self._channels = _channels_at(None)
        self._deviations = DeviationFilter(CLAUSE)

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        """Store the sensor location, which selects the codes of the observations."""
        if characteristic != BODY_SENSOR_LOCATION:
            return ()
        location = decode_one_byte(data)
        self._channels = _channels_at(location)
        if location > FOOT:
            return self._deviations.deviation("the body sensor location has a reserved number", data)
        return ()

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic != HEART_RATE_MEASUREMENT:
            raise RemoteProtocolError("this characteristic sends no values", clause=CLAUSE)
        value = decode_heart_rate(data)
        channels, status = self._channels, QUESTIONABLE if value.contact_lost else 0
        found = [Observation(channels.rate, float(value.rate), None, status, None, received_s)]
        found += [
            Observation(channels.interval, ticks * 1000 / TICKS_PER_S, None, status, None, received_s)
            for ticks in value.intervals_ticks
        ]
        if value.energy_kj is not None:
            found.append(Observation(channels.energy, value.energy_kj * 1000.0, None, 0, None, received_s))
        return [Measured(HEART_RATE_MEASUREMENT, tuple(found))]


PROFILE: Final = ServiceProfile(
    service=HEART_RATE,
    name="Heart Rate",
    characteristics=(
        CharacteristicUse(
            HEART_RATE_MEASUREMENT,
            Codec(decode_heart_rate, encode_heart_rate),
            "Heart Rate Measurement",
            SUBSCRIBE,
            "heart rate, or pulse rate by the sensor's location; contact; energy expended; RR intervals",
            required=True,
        ),
        CharacteristicUse(
            BODY_SENSOR_LOCATION, Codec(decode_one_byte, encode_one_byte), "Body Sensor Location", READ, "site"
        ),
        CharacteristicUse(
            HEART_RATE_CONTROL_POINT,
            Codec(decode_one_byte, encode_one_byte),
            "Heart Rate Control Point",
            WRITE,
            "not written",
        ),
    ),
    interpreter=HeartRateSensor,
)
