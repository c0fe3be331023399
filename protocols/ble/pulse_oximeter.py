"""Pulse Oximeter service (0x1822): spot-check and continuous measurement, features (reference BLE §5).

The bits of the measurement status are copied to the 11073 Measurement-Status of saturation and pulse rate, where they
have the same positions. Only bits with a name in both are copied. Measurement-Status has no "fully qualified" and "from
storage", and a copied reserved bit would set an alarm state. The device and sensor status is a separate observation.
The public code of the pulse amplitude index is not confirmed, so the index gets a private code, and values that carry
it are also emitted as uninterpreted bytes.

A spot check with a date counts as stored by the device: the cloud recognises a repetition by its date. If the device's
clock was never set, its dates restart with each power-on and identify nothing. A spot check of such a device counts as
stored only if the status marks the spot check as from the device's memory, since the device then resends it.
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
    RecordNumbering,
    ServiceInterpreter,
    ServiceProfile,
    Uninterpreted,
    channel_handle,
)
from protocols.ble.layout import DATE_TIME, SFLOAT, U16, U24, Field, Flag, ValueLayout, record
from protocols.ble.record_access import record_access_use
from protocols.ble.transcoding import PER_MINUTE, PERCENT, DeviationFilter, date_of, is_dated, unconfirmed_code
from protocols.ble.uuids import PULSE_OXIMETER
from protocols.ble.wire import GattReader, GattWriter
from protocols.device_time import DeviceTime
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation import Channel, Observation, Scalar

PLX_SPOT_CHECK: Final = 0x2A5E
PLX_CONTINUOUS: Final = 0x2A5F
PLX_FEATURES: Final = 0x2A60
CLAUSE: Final = "PLXS"

FROM_STORAGE: Final = 0x0200
"""Measurement status: the value comes from the device's memory."""
FULLY_QUALIFIED: Final = 0x0100
TRANSCODED_STATUS: Final = 0xFCE0
"""Bits 5 to 7 and 10 to 15, which Measurement-Status has at the same places."""
DEVICE_STATUS_NAMED: Final = 0x00FFFF

_SPO2 = code_of("MDC_PULS_OXIM_SAT_O2")
_PULSE_RATE = code_of("MDC_PULS_OXIM_PULS_RATE")
_DEVICE_STATUS = code_of("MDC_PULS_OXIM_DEV_STATUS")
_AMPLITUDE_INDEX = unconfirmed_code(PLX_CONTINUOUS)
_SPOT_MODALITY = (code_of("MDC_MODALITY_SPOT"),)
_FAST_MODALITY = (code_of("MDC_MODALITY_FAST"),)
_SLOW_MODALITY = (code_of("MDC_MODALITY_SLOW"),)


@dataclass(frozen=True, slots=True)
class OximeterReading:
    """Pair of oxygen saturation in percent and pulse rate per minute."""

    spo2: Scalar
    pulse_rate: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class PlxSpotCheck:
    """PLX Spot-Check Measurement (0x2A5E). `time_stamp` is a Date Time as sent. The two status fields are bits as sent,
    and the amplitude index is in percent. None: the field is absent. `clock_not_set`: the device's clock was never set.
    """

    reading: OximeterReading
    time_stamp: bytes | None = None
    measurement_status: int | None = None
    device_status: int | None = None
    pulse_amplitude_index: Scalar | None = None
    clock_not_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlxContinuous:
    """PLX Continuous Measurement (0x2A5F). `normal` is always present; `fast` and `slow` are averaged over a shorter
    and a longer time. The two status fields are bits as sent, and the amplitude index is in percent. None: absent."""

    normal: OximeterReading
    fast: OximeterReading | None = None
    slow: OximeterReading | None = None
    measurement_status: int | None = None
    device_status: int | None = None
    pulse_amplitude_index: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlxFeatures:
    """PLX Features (0x2A60). The two support fields list the status bits that the device can set; None: absent."""

    supported: int
    measurement_status_support: int | None = None
    device_status_support: int | None = None


_PAIR = record(OximeterReading, spo2=SFLOAT, pulse_rate=SFLOAT)
_SPOT_CHECK = ValueLayout(
    PlxSpotCheck,
    "PLXS 0x2A5E",
    Flag("clock_not_set", 4),
    Field("reading", _PAIR),
    Field("time_stamp", DATE_TIME, bit=0),
    Field("measurement_status", U16, bit=1),
    Field("device_status", U24, bit=2),
    Field("pulse_amplitude_index", SFLOAT, bit=3),
    flags_bytes=1,
)
_CONTINUOUS = ValueLayout(
    PlxContinuous,
    "PLXS 0x2A5F",
    Field("normal", _PAIR),
    Field("fast", _PAIR, bit=0),
    Field("slow", _PAIR, bit=1),
    Field("measurement_status", U16, bit=2),
    Field("device_status", U24, bit=3),
    Field("pulse_amplitude_index", SFLOAT, bit=4),
    flags_bytes=1,
)
decode_spot_check, encode_spot_check = _SPOT_CHECK.decode, _SPOT_CHECK.encode
decode_continuous, encode_continuous = _CONTINUOUS.decode, _CONTINUOUS.encode


def decode_features(data: bytes) -> PlxFeatures:
    """Decode PLX Features. Feature bits 0 and 1 announce the two support fields. A value that ends after the feature
    bits is accepted even if the bits announce support fields, since the sample in the reference has this form."""
    reader = GattReader(data, clause="PLXS 0x2A60")
    supported = reader.u16()
    if not reader.remaining:
        return PlxFeatures(supported=supported)
    value = PlxFeatures(
        supported=supported,
        measurement_status_support=reader.u16() if supported & 1 else None,
        device_status_support=reader.u24() if supported & 2 else None,
    )
    reader.finish()
    return value


def encode_features(value: PlxFeatures) -> bytes:
    writer = GattWriter().unsigned(value.supported, 2)
    if value.measurement_status_support is not None:
        writer.unsigned(value.measurement_status_support, 2)
    if value.device_status_support is not None:
        writer.unsigned(value.device_status_support, 3)
    return writer.value()


def _pair_of_channels(characteristic: int, number: int, modality: tuple[Code, ...]) -> tuple[Channel, Channel]:
    return (
        Channel(handle=channel_handle(characteristic, number), type=_SPO2, unit=PERCENT, supplemental_types=modality),
        Channel(
            handle=channel_handle(characteristic, number + 1),
            type=_PULSE_RATE,
            unit=PER_MINUTE,
            supplemental_types=modality,
        ),
    )


_SPOT_CHANNELS = _pair_of_channels(PLX_SPOT_CHECK, 0, _SPOT_MODALITY)
_SPOT_DEVICE_STATUS = Channel(handle=channel_handle(PLX_SPOT_CHECK, 2), type=_DEVICE_STATUS)
_SPOT_AMPLITUDE_INDEX = Channel(
    handle=channel_handle(PLX_SPOT_CHECK, 3), type=_AMPLITUDE_INDEX, unit=PERCENT, supplemental_types=_SPOT_MODALITY
)
_NORMAL_CHANNELS = _pair_of_channels(PLX_CONTINUOUS, 0, ())
_FAST_CHANNELS = _pair_of_channels(PLX_CONTINUOUS, 2, _FAST_MODALITY)
_SLOW_CHANNELS = _pair_of_channels(PLX_CONTINUOUS, 4, _SLOW_MODALITY)
_CONTINUOUS_DEVICE_STATUS = Channel(handle=channel_handle(PLX_CONTINUOUS, 6), type=_DEVICE_STATUS)
_CONTINUOUS_AMPLITUDE_INDEX = Channel(handle=channel_handle(PLX_CONTINUOUS, 7), type=_AMPLITUDE_INDEX, unit=PERCENT)


class PulseOximeter(ServiceInterpreter):
    checked = ((PLX_FEATURES, decode_features),)

    def __init__(self) -> None:
        self._deviations = DeviationFilter(CLAUSE)

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic == PLX_CONTINUOUS:
            return self._continuous(data, received_s)
        if characteristic == PLX_SPOT_CHECK:
            return self._spot_check(data, received_s)
        return super().receive(characteristic, data, received_s)

    def _continuous(self, data: bytes, received_s: float) -> Sequence[GattEvent]:
        value = decode_continuous(data)
        status = (value.measurement_status or 0) & TRANSCODED_STATUS
        found = _observed(_NORMAL_CHANNELS, value.normal, status, None, received_s)
        if value.fast is not None:
            found += _observed(_FAST_CHANNELS, value.fast, status, None, received_s)
        if value.slow is not None:
            found += _observed(_SLOW_CHANNELS, value.slow, status, None, received_s)
        if value.device_status is not None:
            found.append(Observation(_CONTINUOUS_DEVICE_STATUS, value.device_status, None, 0, None, received_s))
        if (index := value.pulse_amplitude_index) is not None:
            found.append(Observation(_CONTINUOUS_AMPLITUDE_INDEX, index, None, status, None, received_s))
        return [Measured(PLX_CONTINUOUS, tuple(found)), *self._remarks(PLX_CONTINUOUS, value, data)]

    def _spot_check(self, data: bytes, received_s: float) -> Sequence[GattEvent]:
        value = decode_spot_check(data)
        status = value.measurement_status or 0
        time = date_of(value.time_stamp)
        quality = status & TRANSCODED_STATUS
        found = _observed(_SPOT_CHANNELS, value.reading, quality, time, received_s)
        if value.device_status is not None:
            found.append(Observation(_SPOT_DEVICE_STATUS, value.device_status, None, 0, time, received_s))
        if (index := value.pulse_amplitude_index) is not None:
            found.append(Observation(_SPOT_AMPLITUDE_INDEX, index, None, quality, time, received_s))
        stored = is_dated(time) and (not value.clock_not_set or bool(status & FROM_STORAGE))
        return [
            Measured(PLX_SPOT_CHECK, tuple(found), stored=stored),
            *self._remarks(PLX_SPOT_CHECK, value, data),
        ]

    def _remarks(self, characteristic: int, value: PlxSpotCheck | PlxContinuous, data: bytes) -> Sequence[GattEvent]:
        remarks: list[GattEvent] = []
        if (value.measurement_status or 0) & ~(TRANSCODED_STATUS | FROM_STORAGE | FULLY_QUALIFIED):
            remarks += self._deviations.deviation("the measurement status has reserved bits; they are left out", data)
        if (value.device_status or 0) & ~DEVICE_STATUS_NAMED:
            remarks += self._deviations.deviation("the device and sensor status has reserved bits; they are kept", data)
        if value.pulse_amplitude_index is not None:
            remarks.append(
                Uninterpreted(characteristic, data, "the code of the pulse amplitude index is not confirmed")
            )
        return remarks


def _observed(
    channels: tuple[Channel, Channel],
    pair: OximeterReading,
    status: int,
    time: DeviceTime | None,
    received_s: float,
) -> list[Observation]:
    spo2, pulse_rate = channels
    return [
        Observation(spo2, pair.spo2, None, status, time, received_s),
        Observation(pulse_rate, pair.pulse_rate, None, status, time, received_s),
    ]


_MEASURED_FIELDS = (
    "SpO₂, pulse rate, measurement status, device and sensor status; pulse amplitude index under a private code"
)

PROFILE: Final = ServiceProfile(
    service=PULSE_OXIMETER,
    name="Pulse Oximeter",
    characteristics=(
        CharacteristicUse(
            PLX_SPOT_CHECK,
            Codec(decode_spot_check, encode_spot_check),
            "PLX Spot-Check Measurement",
            SUBSCRIBE,
            f"{_MEASURED_FIELDS}; time stamp, clock not set",
        ),
        CharacteristicUse(
            PLX_CONTINUOUS,
            Codec(decode_continuous, encode_continuous),
            "PLX Continuous Measurement",
            SUBSCRIBE,
            f"{_MEASURED_FIELDS}; fast and slow averages",
        ),
        CharacteristicUse(PLX_FEATURES, Codec(decode_features, encode_features), "PLX Features", READ, "checked only"),
        record_access_use("all records"),
    ),
    interpreter=PulseOximeter,
    required_any=(PLX_SPOT_CHECK, PLX_CONTINUOUS),
    record_store=RecordNumbering.NONE,
)
