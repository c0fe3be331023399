"""Generic Health Sensor service (0x1840): any measurement in one form, live and stored (reference BLE §10).

The wire form of an observation is in `ghs_observation`, its segments in `ghs_segments`, and its conversion in
`ghs_transcoding`. This module has the other characteristics, the two descriptors and the interpreter. A sensor sends
live observations after the client has enabled them with a write to the control point (`PROFILE.start`).

The field types of the descriptors and the error codes of the control point are not confirmed. So only the length of
these values is checked, and the values are not recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.ble.codec import Codec
from protocols.ble.ghs_observation import decode_observation
from protocols.ble.ghs_segments import (
    LIVE_OBSERVATION,
    STORED_OBSERVATION,
    Reassembly,
    Whole,
    decode_live,
    decode_stored,
    encode_segment,
)
from protocols.ble.ghs_transcoding import GhsTranscoding
from protocols.ble.interpretation import (
    READ,
    SUBSCRIBE,
    WRITE,
    CharacteristicUse,
    GattEvent,
    Measured,
    RecordNumbering,
    ServiceInterpreter,
    ServiceProfile,
    Uninterpreted,
)
from protocols.ble.layout import FLOAT32, REST, U8, U16, U32, Field, ValueLayout, raw_bytes
from protocols.ble.record_access import record_access_use
from protocols.ble.transcoding import DeviationFilter, is_dated
from protocols.ble.uuids import GENERIC_HEALTH_SENSOR
from protocols.ble.wire import GattReader, GattWriter
from protocols.device_time import TimeKind
from protocols.errors import RemoteProtocolError
from protocols.observation import Observation, Scalar

HEALTH_SENSOR_FEATURES: Final = 0x2BF3
GHS_CONTROL_POINT: Final = 0x2BF4
OBSERVATION_SCHEDULE_CHANGED: Final = 0x2BF1
OBSERVATION_SCHEDULE: Final = 0x2910
VALID_RANGE_AND_ACCURACY: Final = 0x2911
CLAUSE: Final = "GHSS"

START_LIVE, STOP_LIVE, SUCCESS = 0x01, 0x02, 0x80
"""Opcodes of the control point, and the result code for success."""
_SPECIALISATIONS = 0x01
_DATES = frozenset({TimeKind.ABSOLUTE, TimeKind.BASE_OFFSET})


@dataclass(frozen=True, slots=True)
class Specialisation:
    """Supported device specialisation: its code in partition 8, and its version."""

    profile: int
    version: int


@dataclass(frozen=True, slots=True)
class HealthSensorFeatures:
    """Health Sensor Features (0x2BF3). `types` are the observation types of the sensor, as context-free codes
    (partition and code in 32 bits). `specialisations` is None where the sensor sends no list of them."""

    types: tuple[int, ...]
    specialisations: tuple[Specialisation, ...] | None = None


@dataclass(frozen=True, slots=True)
class GhsControl:
    """Request or response of the GHS Control Point (0x2BF4), with the operand as sent."""

    opcode: int
    operand: bytes = b""


@dataclass(frozen=True, slots=True)
class ObservationSchedule:
    """Observation Schedule (0x2910 and 0x2BF1). Period and interval stay bytes: their format is not confirmed."""

    type: int
    period: bytes
    interval: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidRange:
    """Valid range and accuracy (0x2911) of an observation type. `unit` is a code of partition 4."""

    type: int
    unit: int
    lower: Scalar
    upper: Scalar
    accuracy: Scalar


def decode_features(data: bytes) -> HealthSensorFeatures:
    reader = GattReader(data, clause="GHSS 0x2BF3")
    flags = reader.flags(1, _SPECIALISATIONS)
    types = tuple(reader.unsigned(4) for _ in range(reader.u8()))
    specialisations = None
    if flags & _SPECIALISATIONS:
        specialisations = tuple(Specialisation(reader.u16(), reader.u8()) for _ in range(reader.u8()))
    reader.finish()
    return HealthSensorFeatures(types, specialisations)


def encode_features(value: HealthSensorFeatures) -> bytes:
    writer = GattWriter().unsigned(0 if value.specialisations is None else _SPECIALISATIONS, 1)
    writer.unsigned(len(value.types), 1)
    for number in value.types:
        writer.unsigned(number, 4)
    if value.specialisations is not None:
        writer.unsigned(len(value.specialisations), 1)
        for each in value.specialisations:
            writer.unsigned(each.profile, 2).unsigned(each.version, 1)
    return writer.value()


_CONTROL = ValueLayout(GhsControl, "GHSS 0x2BF4", Field("opcode", U8), Field("operand", REST))
_SCHEDULE = ValueLayout(
    ObservationSchedule,
    "GHSS 0x2910",
    Field("type", U32),
    Field("period", raw_bytes(4)),
    Field("interval", raw_bytes(4)),
)
_RANGE = ValueLayout(
    ValidRange,
    "GHSS 0x2911",
    Field("type", U32),
    Field("unit", U16),
    Field("lower", FLOAT32),
    Field("upper", FLOAT32),
    Field("accuracy", FLOAT32),
)
decode_control, encode_control = _CONTROL.decode, _CONTROL.encode
decode_schedule, encode_schedule = _SCHEDULE.decode, _SCHEDULE.encode
decode_valid_range, encode_valid_range = _RANGE.decode, _RANGE.encode


class GenericHealthSensor(ServiceInterpreter):
    """Interpreter of the Generic Health Sensor service: reassembles segments and emits the observations."""

    checked = ((HEALTH_SENSOR_FEATURES, decode_features),)

    def __init__(self) -> None:
        self._deviations = DeviationFilter(CLAUSE)
        self._transcoding = GhsTranscoding()
        self._live = Reassembly(LIVE_OBSERVATION, self._deviations)
        self._stored = Reassembly(STORED_OBSERVATION, self._deviations)

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic == LIVE_OBSERVATION:
            return self._segment(self._live, characteristic, data, received_s)
        if characteristic == STORED_OBSERVATION:
            return self._segment(self._stored, characteristic, data, received_s)
        if characteristic == GHS_CONTROL_POINT:
            return self._take_control_response(data)
        if characteristic == HEALTH_SENSOR_FEATURES:
            decode_features(data)
            return ()
        if characteristic == OBSERVATION_SCHEDULE_CHANGED:
            return (Uninterpreted(characteristic, data, "the layout of a schedule is not confirmed"),)
        return super().receive(characteristic, data, received_s)

    def flush(self) -> Sequence[GattEvent]:
        """Emit the segments of incomplete observations as uninterpreted bytes. An incomplete stored observation is
        dropped after this. An incomplete live observation is kept, since its next segments may arrive after a transfer
        of records."""
        return [*self._live.so_far(), *self._stored.flush()]

    def _segment(
        self, reassembly: Reassembly, characteristic: int, data: bytes, received_s: float
    ) -> Sequence[GattEvent]:
        whole, events = reassembly.add(data)
        if whole is None:
            return events
        try:
            return [*events, *self._observed(characteristic, whole, received_s)]
        except RemoteProtocolError as error:
            if not events:
                raise
            # The events report segments lost before this one, so they are returned too.
            return [*events, Uninterpreted(characteristic, whole.octets, error.reason)]

    def _observed(self, characteristic: int, whole: Whole, received_s: float) -> Sequence[GattEvent]:
        found = self._transcoding.transcoded(decode_observation(whole.octets), received_s)
        observations = tuple(found.observations)
        events: list[GattEvent] = []
        if observations:
            stored = whole.record is not None and any(map(_is_known_again, observations))
            events.append(Measured(characteristic, observations, stored=stored, record=whole.record))
        elif not found.raw:
            found.raw.append("an observation without a value")
        for why_not in found.dropped_times:
            events += self._deviations.deviation(why_not, whole.octets)
        if found.unrelated_ids:
            events += self._deviations.deviation("observations have ids, which the record does not keep", whole.octets)
        if found.raw:
            events.append(Uninterpreted(characteristic, whole.octets, "; ".join(dict.fromkeys(found.raw))))
        return events

    def _take_control_response(self, data: bytes) -> Sequence[GattEvent]:
        if decode_control(data).opcode == SUCCESS:
            return ()
        return self._deviations.deviation("the control point answered something else than success", data)


def _is_known_again(observation: Observation) -> bool:
    """Return whether the observation has a date, by which the cloud can recognise a repetition. A tick count is not a
    date."""
    time = observation.device_time
    return time is not None and time.kind in _DATES and is_dated(time)


_OBSERVED_FIELDS = (
    "numeric, discrete, string, compound, events, bundle; time, duration, status, patient, supplementals; "
    "sample arrays where scaling and sign are beyond doubt; state events, TLVs and relations raw"
)

PROFILE: Final = ServiceProfile(
    service=GENERIC_HEALTH_SENSOR,
    name="Generic Health Sensor",
    characteristics=(
        CharacteristicUse(
            HEALTH_SENSOR_FEATURES,
            Codec(decode_features, encode_features),
            "Health Sensor Features",
            READ | SUBSCRIBE,
            "checked only",
        ),
        CharacteristicUse(
            LIVE_OBSERVATION,
            Codec(decode_live, encode_segment),
            "Live Health Observations",
            SUBSCRIBE,
            _OBSERVED_FIELDS,
        ),
        CharacteristicUse(
            STORED_OBSERVATION,
            Codec(decode_stored, encode_segment),
            "Stored Health Observations",
            SUBSCRIBE,
            f"record number; {_OBSERVED_FIELDS}",
        ),
        record_access_use("records from a record number on"),
        CharacteristicUse(
            GHS_CONTROL_POINT,
            Codec(decode_control, encode_control),
            "GHS Control Point",
            SUBSCRIBE | WRITE,
            "start of live observations",
        ),
        CharacteristicUse(
            OBSERVATION_SCHEDULE_CHANGED,
            Codec(decode_schedule, encode_schedule),
            "Observation Schedule Changed",
            SUBSCRIBE,
            "raw",
        ),
    ),
    interpreter=GenericHealthSensor,
    required_any=(LIVE_OBSERVATION, STORED_OBSERVATION),
    record_store=RecordNumbering.RECORD_NUMBER,
    start=((GHS_CONTROL_POINT, encode_control(GhsControl(START_LIVE))),),
)

DESCRIPTORS: Final = {
    OBSERVATION_SCHEDULE: Codec(decode_schedule, encode_schedule),
    VALID_RANGE_AND_ACCURACY: Codec(decode_valid_range, encode_valid_range),
}
"""Codecs by the descriptor's UUID."""
