"""Blood Pressure service (0x1810): conversion of its values to observations (reference BLE §3).

A measurement is one compound observation of systolic, diastolic and mean pressure; a mean that is NaN is left out. The
pulse rate and the measurement status are separate observations. The public code of the cuff pressure is not confirmed,
so the cuff pressure gets a private code, and its value is also emitted as uninterpreted bytes. The use of a blood
pressure record (0x2B36) is not confirmed either: a record is emitted as uninterpreted bytes only.

A device may send each reading in the plain and in the enhanced form. Each form becomes separate observations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.ble.blood_pressure_values import (
    PULSE_HIGH,
    PULSE_LOW,
    BloodPressure,
    CuffPressure,
    EnhancedBloodPressure,
    EnhancedCuffPressure,
    EnhancedTimes,
    PressureDetails,
    decode_blood_pressure,
    decode_cuff_pressure,
    decode_enhanced_blood_pressure,
    decode_enhanced_cuff_pressure,
    decode_feature,
    decode_record,
    encode_blood_pressure,
    encode_cuff_pressure,
    encode_enhanced_blood_pressure,
    encode_enhanced_cuff_pressure,
    encode_feature,
    encode_record,
)
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
from protocols.ble.transcoding import (
    PER_MINUTE,
    ChannelSets,
    DeviationFilter,
    date_of,
    is_dated,
    person_of,
    unconfirmed_code,
)
from protocols.ble.uuids import BLOOD_PRESSURE
from protocols.device_time import DeviceTime
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation, Special

BLOOD_PRESSURE_MEASUREMENT: Final = 0x2A35
INTERMEDIATE_CUFF_PRESSURE: Final = 0x2A36
BLOOD_PRESSURE_FEATURE: Final = 0x2A49
ENHANCED_BLOOD_PRESSURE: Final = 0x2B34
ENHANCED_CUFF_PRESSURE: Final = 0x2B35
BLOOD_PRESSURE_RECORD: Final = 0x2B36
CLAUSE: Final = "BPS"

_MMHG = code_of("MDC_DIM_MMHG")
_KILOPASCAL = code_of("MDC_DIM_KILO_PASCAL")
_PRESSURE = code_of("MDC_PRESS_BLD_NONINV")
_SYSTOLIC_DIASTOLIC = (code_of("MDC_PRESS_BLD_NONINV_SYS"), code_of("MDC_PRESS_BLD_NONINV_DIA"))
_MEAN = code_of("MDC_PRESS_BLD_NONINV_MEAN")
_IN_THE_CUFF = unconfirmed_code(INTERMEDIATE_CUFF_PRESSURE)
_PULSE_RATE = code_of("MDC_PULS_RATE_NON_INV")
_STATUS = code_of("MDC_BLOOD_PRESSURE_MEASUREMENT_STATUS")

_PULSE_RANGE = PULSE_HIGH | PULSE_LOW


@dataclass(frozen=True, slots=True)
class _Channels:
    pressure: Channel
    pressure_without_mean: Channel
    in_the_cuff: Channel
    pulse_rate: Channel
    status: Channel


def _compile(key: tuple[int, bool, int | None]) -> _Channels:
    characteristic, kilopascal, person = key
    handle, unit = channel_handle(characteristic), _KILOPASCAL if kilopascal else _MMHG
    parts = _SYSTOLIC_DIASTOLIC
    return _Channels(
        Channel(handle=handle, type=_PRESSURE, unit=unit, person=person, components=(*parts, _MEAN)),
        Channel(handle=handle, type=_PRESSURE, unit=unit, person=person, components=parts),
        Channel(handle=handle, type=_IN_THE_CUFF, unit=unit, person=person),
        Channel(handle=channel_handle(characteristic, 1), type=_PULSE_RATE, unit=PER_MINUTE, person=person),
        Channel(handle=channel_handle(characteristic, 2), type=_STATUS, person=person),
    )


def mder_status(status: int) -> int:
    """Convert a measurement status to the BITS-16 of MDC_BLOOD_PRESSURE_MEASUREMENT_STATUS, which numbers the same bits
    from the most significant end. If the pulse range has its reserved value, both bits of the pulse range are cleared.
    """
    if status & _PULSE_RANGE == _PULSE_RANGE:
        status &= ~_PULSE_RANGE
    return int(f"{status:016b}"[::-1], 2)


class BloodPressureMonitor(ServiceInterpreter):
    checked = ((BLOOD_PRESSURE_FEATURE, decode_feature),)

    def __init__(self) -> None:
        self._channels: ChannelSets[tuple[int, bool, int | None], _Channels] = ChannelSets(_compile)
        self._deviations = DeviationFilter(CLAUSE)

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic == BLOOD_PRESSURE_MEASUREMENT:
            plain = decode_blood_pressure(data)
            return self._measured(characteristic, plain, date_of(plain.time_stamp), data, received_s)
        if characteristic == ENHANCED_BLOOD_PRESSURE:
            enhanced = decode_enhanced_blood_pressure(data)
            return self._measured(characteristic, enhanced, enhanced.device_time(), data, received_s)
        if characteristic == INTERMEDIATE_CUFF_PRESSURE:
            cuff = decode_cuff_pressure(data)
            return self._in_the_cuff(characteristic, cuff, date_of(cuff.time_stamp), data, received_s)
        if characteristic == ENHANCED_CUFF_PRESSURE:
            enhanced_cuff = decode_enhanced_cuff_pressure(data)
            return self._in_the_cuff(characteristic, enhanced_cuff, enhanced_cuff.device_time(), data, received_s)
        if characteristic == BLOOD_PRESSURE_RECORD:
            decode_record(data)
            return [Uninterpreted(characteristic, data, "what blood pressure records are for is not confirmed")]
        if characteristic == BLOOD_PRESSURE_FEATURE:
            return self.learn(characteristic, data)
        return super().receive(characteristic, data, received_s)

    def _measured(
        self,
        characteristic: int,
        value: BloodPressure | EnhancedBloodPressure,
        time: DeviceTime | None,
        data: bytes,
        received_s: float,
    ) -> Sequence[GattEvent]:
        channels = self._channels[characteristic, value.kilopascal, person_of(value.user_id)]
        if value.mean is Special.NAN:
            pressures = Observation(
                channels.pressure_without_mean, (value.systolic, value.diastolic), None, 0, time, received_s
            )
        else:
            parts = (value.systolic, value.diastolic, value.mean)
            pressures = Observation(channels.pressure, parts, None, 0, time, received_s)
        observations = (pressures, *_beside(channels, value, time, received_s))
        return [
            Measured(characteristic, observations, stored=is_dated(time)),
            *self._remarks(characteristic, value, data),
        ]

    def _in_the_cuff(
        self,
        characteristic: int,
        value: CuffPressure | EnhancedCuffPressure,
        time: DeviceTime | None,
        data: bytes,
        received_s: float,
    ) -> Sequence[GattEvent]:
        channels = self._channels[characteristic, value.kilopascal, person_of(value.user_id)]
        pressure = Observation(channels.in_the_cuff, value.cuff, None, 0, time, received_s)
        return [
            Measured(characteristic, (pressure, *_beside(channels, value, time, received_s))),
            Uninterpreted(characteristic, data, "the code of the pressure in the cuff is not confirmed"),
            *self._remarks(characteristic, value, data),
        ]

    def _remarks(self, characteristic: int, value: PressureDetails, data: bytes) -> Sequence[GattEvent]:
        remarks: list[GattEvent] = []
        if (value.status or 0) & _PULSE_RANGE == _PULSE_RANGE:
            remarks += self._deviations.deviation("the pulse range has its reserved value; it is left out", data)
        if isinstance(value, EnhancedTimes) and value.has_two_times:
            remarks.append(
                Uninterpreted(characteristic, data, "the user facing time differs from the base time, which is used")
            )
        return remarks


def _beside(
    channels: _Channels, value: PressureDetails, time: DeviceTime | None, received_s: float
) -> tuple[Observation, ...]:
    """Return the observations of pulse rate and measurement status, where the value has these fields."""
    found = []
    if value.pulse_rate is not None:
        found.append(Observation(channels.pulse_rate, value.pulse_rate, None, 0, time, received_s))
    if value.status is not None:
        found.append(Observation(channels.status, mder_status(value.status), None, 0, time, received_s))
    return tuple(found)


_BESIDE = "time stamp, pulse rate, user id, measurement status"

PROFILE: Final = ServiceProfile(
    service=BLOOD_PRESSURE,
    name="Blood Pressure",
    characteristics=(
        CharacteristicUse(
            BLOOD_PRESSURE_MEASUREMENT,
            Codec(decode_blood_pressure, encode_blood_pressure),
            "Blood Pressure Measurement",
            SUBSCRIBE,
            f"systolic, diastolic and mean pressure, {_BESIDE}",
        ),
        CharacteristicUse(
            INTERMEDIATE_CUFF_PRESSURE,
            Codec(decode_cuff_pressure, encode_cuff_pressure),
            "Intermediate Cuff Pressure",
            SUBSCRIBE,
            f"cuff pressure under a private code, {_BESIDE}",
        ),
        CharacteristicUse(
            BLOOD_PRESSURE_FEATURE,
            Codec(decode_feature, encode_feature),
            "Blood Pressure Feature",
            READ,
            "checked only",
        ),
        CharacteristicUse(
            ENHANCED_BLOOD_PRESSURE,
            Codec(decode_enhanced_blood_pressure, encode_enhanced_blood_pressure),
            "Enhanced Blood Pressure Measurement",
            SUBSCRIBE,
            f"systolic, diastolic and mean pressure, {_BESIDE}; a second (user facing) time raw",
        ),
        CharacteristicUse(
            ENHANCED_CUFF_PRESSURE,
            Codec(decode_enhanced_cuff_pressure, encode_enhanced_cuff_pressure),
            "Enhanced Intermediate Cuff Pressure",
            SUBSCRIBE,
            f"cuff pressure under a private code, {_BESIDE}",
        ),
        CharacteristicUse(
            BLOOD_PRESSURE_RECORD, Codec(decode_record, encode_record), "Blood Pressure Record", SUBSCRIBE, "raw"
        ),
    ),
    interpreter=BloodPressureMonitor,
    required_any=(BLOOD_PRESSURE_MEASUREMENT, ENHANCED_BLOOD_PRESSURE),
)
