"""Continuous Glucose Monitoring service (0x181F): conversion of a sensor's records to observations (reference BLE §8).

A record counts minutes since the session's start, so it has a date only where the session's start is known. The sensor
stores every record and may send a live record again, so the cloud recognises a repeated record by its date.

The mapping of the status bits to 11073 is not confirmed, and quality has no public code. Both get private codes
(`transcoding.unconfirmed_code`). The status is recorded as 24 bits, bit 0 lowest; absent bytes count as 0.
"""

from collections.abc import Sequence
from typing import Final

from protocols.ble.cgm_values import (
    CGM_CONTROL_POINT,
    CGM_FEATURE,
    CGM_MEASUREMENT,
    CGM_SESSION_RUN_TIME,
    CGM_SESSION_START,
    CGM_STATUS,
    E2E_CRC_SUPPORTED,
    CgmRecord,
    decode_control,
    decode_feature,
    decode_measurement,
    decode_session_run_time,
    decode_session_start,
    decode_status,
    encode_control,
    encode_feature,
    encode_measurement,
    encode_session_run_time,
    encode_session_start,
    encode_status,
)
from protocols.ble.codec import Codec
from protocols.ble.glucose import SAMPLE_TYPES
from protocols.ble.interpretation import (
    READ,
    SUBSCRIBE,
    UNUSED,
    CharacteristicUse,
    GattEvent,
    Measured,
    RecordNumbering,
    ServiceInterpreter,
    ServiceProfile,
    Uninterpreted,
    channel_handle,
)
from protocols.ble.record_access import record_access_use
from protocols.ble.transcoding import PERCENT, DeviationFilter, is_dated, unconfirmed_code
from protocols.ble.uuids import CGM
from protocols.ble.wire import date_time_of
from protocols.device_time import DeviceTime, absolute_time_at
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation, Value

__all__ = ["PROFILE", "ContinuousGlucose"]

CLAUSE: Final = "CGMS"
INTERSTITIAL_FLUID: Final = 9
"""Sample type for a sensor whose feature was not read."""

_CONCENTRATIONS = {
    sample_type: Channel(handle=channel_handle(CGM_MEASUREMENT), type=code, unit=code_of("MDC_DIM_MILLI_G_PER_DL"))
    for sample_type, code in SAMPLE_TYPES.items()
}
_TREND = Channel(
    handle=channel_handle(CGM_MEASUREMENT, 1),
    type=code_of("MDC_CONC_GLU_TREND"),
    unit=code_of("MDC_DIM_MILLI_G_PER_DL_PER_MIN"),
)
_QUALITY = Channel(handle=channel_handle(CGM_MEASUREMENT, 2), type=unconfirmed_code(CGM_MEASUREMENT), unit=PERCENT)
_STATUS = Channel(handle=channel_handle(CGM_MEASUREMENT, 3), type=unconfirmed_code(CGM_STATUS))


class ContinuousGlucose(ServiceInterpreter):
    def __init__(self) -> None:
        self._deviations = DeviationFilter(CLAUSE)
        self._sample_type = INTERSTITIAL_FLUID
        self._start_us: int | None = None
        self._checks = False

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        """Store the sample type, the use of E2E-CRC and the session's start. Read these values before the first record
        arrives: the time of a record counts from the session's start."""
        if characteristic == CGM_FEATURE:
            feature = decode_feature(data)
            self._sample_type = feature.sample_type
            self._checks = bool(feature.supported & E2E_CRC_SUPPORTED)
        elif characteristic == CGM_SESSION_START:
            start = date_time_of(decode_session_start(data).date_time)
            self._start_us = None if start is None else start.local_us()
        elif characteristic == CGM_SESSION_RUN_TIME:
            decode_session_run_time(data)
        elif characteristic == CGM_STATUS and decode_status(data).status:
            return (Uninterpreted(characteristic, data, "a status that stood before anything was measured"),)
        return ()

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic == CGM_CONTROL_POINT:
            decode_control(data)
            return (Uninterpreted(characteristic, data, "an answer to an operation that was not asked for"),)
        if characteristic != CGM_MEASUREMENT:
            raise RemoteProtocolError("this characteristic sends no values", clause=CLAUSE)
        records = decode_measurement(data).records
        measured = [self._measured(record, received_s) for record in records]
        events: list[GattEvent] = [each for each in measured if each.observations]
        if self._sample_type not in _CONCENTRATIONS:
            events.append(Uninterpreted(characteristic, data, "a sample type without a meaning"))
        if self._checks and not all(record.has_crc for record in records):
            events += self._deviations.deviation("E2E-CRC is announced and records come without it", data)
        return events

    def _measured(self, record: CgmRecord, received_s: float) -> Measured:
        time = self._time_of(record.offset_min)
        facts: list[tuple[Channel, Value]] = []
        channel = _CONCENTRATIONS.get(self._sample_type)
        if channel is not None:
            facts.append((channel, record.concentration_mg_dl))
        if record.trend is not None:
            facts.append((_TREND, record.trend))
        if record.quality_percent is not None:
            facts.append((_QUALITY, record.quality_percent))
        status = record.status_bits
        if status is not None:
            facts.append((_STATUS, status))
        observations = tuple(Observation(channel, value, None, 0, time, received_s) for channel, value in facts)
        return Measured(CGM_MEASUREMENT, observations, stored=is_dated(time), record=record.offset_min)

    def _time_of(self, offset_min: int) -> DeviceTime | None:
        if self._start_us is None:
            return None
        try:
            return absolute_time_at(self._start_us + offset_min * 60_000_000)
        except LocalProtocolError:
            return None  # the offset leads past the year 9999


PROFILE: Final = ServiceProfile(
    service=CGM,
    name="Continuous Glucose Monitoring",
    characteristics=(
        CharacteristicUse(
            CGM_FEATURE, Codec(decode_feature, encode_feature), "CGM Feature", READ, "sample type, E2E-CRC"
        ),
        CharacteristicUse(
            CGM_SESSION_START,
            Codec(decode_session_start, encode_session_start),
            "CGM Session Start Time",
            READ,
            "date and time; zone and DST checked only",
        ),
        CharacteristicUse(
            CGM_SESSION_RUN_TIME,
            Codec(decode_session_run_time, encode_session_run_time),
            "CGM Session Run Time",
            READ,
            "checked only",
        ),
        CharacteristicUse(CGM_STATUS, Codec(decode_status, encode_status), "CGM Status", READ, "raw"),
        CharacteristicUse(
            CGM_MEASUREMENT,
            Codec(decode_measurement, encode_measurement),
            "CGM Measurement",
            SUBSCRIBE,
            "concentration, time offset, trend, E2E-CRC; status and quality under private codes",
            required=True,
        ),
        record_access_use("records from a time offset on"),
        CharacteristicUse(
            CGM_CONTROL_POINT,
            Codec(decode_control, encode_control),
            "CGM Specific Ops Control Point",
            UNUSED,
            "not used",
        ),
    ),
    interpreter=ContinuousGlucose,
    record_store=RecordNumbering.TIME_OFFSET,
)
