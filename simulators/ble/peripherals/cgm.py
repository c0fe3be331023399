"""Continuous glucose monitor: one record a minute, notified live and stored.

The session starts when the device is switched on. Records of an earlier session are dropped at that time, because a
record carries only the minute of its session and the memory covers one session. The simulated control point supports
only the communication interval, since clients need nothing else.
"""

from collections.abc import Iterable
from datetime import datetime

from protocols.ble.cgm_values import (
    CGM_CONTROL_POINT,
    CGM_FEATURE,
    CGM_MEASUREMENT,
    CGM_SESSION_RUN_TIME,
    CGM_SESSION_START,
    CGM_STATUS,
    CONTROL_RESPONSE,
    GET_INTERVAL,
    INTERVAL,
    SET_INTERVAL,
    CgmControl,
    CgmFeature,
    CgmMeasurement,
    CgmRecord,
    CgmSessionRunTime,
    CgmSessionStart,
    CgmStatus,
    decode_control,
    decode_measurement,
    encode_control,
    encode_feature,
    encode_measurement,
    encode_session_run_time,
    encode_session_start,
    encode_status,
)
from protocols.ble.interpretation import RecordNumbering
from protocols.ble.uuids import CGM
from protocols.ble.wire import date_time_bytes
from protocols.errors import RemoteProtocolError
from simulators.agents.device import Description
from simulators.ble.sensor import ACCEPTED, Offered, PacedSensor, Sample, Way
from simulators.ble.store import Values
from simulators.physiology.body import MG_PER_DL_PER_MMOL_PER_L
from simulators.physiology.patient import Patient, Vitals

_INTERSTITIAL_FLUID, _SUBCUTANEOUS = 9, 5
_TREND_SUPPORTED = 1 << 15
_RUN_TIME_H = 168
_INTERVAL_MIN = 1
_SUCCESS, _NOT_SUPPORTED = 1, 2
_UNLIKELY = 0x0E


class ContinuousMonitor(PacedSensor):
    """Continuous glucose monitor. Its records are numbered by the minute of the session."""

    services = (CGM,)
    numbering = RecordNumbering.TIME_OFFSET
    session_memory = True
    first_s, every_s = 6.0, 60.0

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(patient, description)
        self._last_mg_dl: float | None = None
        self._minutes = 0

    def offered(self) -> tuple[Offered, ...]:
        feature = encode_feature(CgmFeature(_TREND_SUPPORTED, _INTERSTITIAL_FLUID, _SUBCUTANEOUS))
        run_time = encode_session_run_time(CgmSessionRunTime(_RUN_TIME_H))
        return (
            Offered(service=CGM, uuid=CGM_MEASUREMENT, way=Way.NOTIFIED),
            Offered(service=CGM, uuid=CGM_FEATURE, read=lambda: feature),
            Offered(service=CGM, uuid=CGM_STATUS, read=self._status),
            Offered(service=CGM, uuid=CGM_SESSION_START, read=self._session_start),
            Offered(service=CGM, uuid=CGM_SESSION_RUN_TIME, read=lambda: run_time),
            Offered(service=CGM, uuid=CGM_CONTROL_POINT, way=Way.INDICATED, write=self._commanded),
        )

    def read(self, vitals: Vitals, at_s: float, moment: datetime | None) -> Iterable[Sample]:
        found = round(vitals.glucose_mmol_per_l * MG_PER_DL_PER_MMOL_PER_L)
        trend = None if self._last_mg_dl is None else float(found - self._last_mg_dl)
        self._last_mg_dl = found
        self._minutes = int(at_s // 60)
        record = CgmRecord(concentration_mg_dl=float(found), offset_min=self._minutes, trend=trend)
        values = ((CGM_MEASUREMENT, encode_measurement(CgmMeasurement((record,)))),)
        return (Sample(live=values, kept=lambda number: values),)

    def number_of(self, number: int, values: Values) -> int:
        return decode_measurement(values[0][1]).records[0].offset_min

    def _status(self) -> bytes:
        return encode_status(CgmStatus(self._minutes, 0))

    def _session_start(self) -> bytes:
        return encode_session_start(CgmSessionStart(date_time=date_time_bytes(self.on_since), zone_quarters=0, dst=0))

    def _commanded(self, octets: bytes) -> int:
        try:
            asked = decode_control(octets)
        except RemoteProtocolError:
            return _UNLIKELY
        if asked.opcode == GET_INTERVAL:
            answer = CgmControl(INTERVAL, bytes((_INTERVAL_MIN,)))
        else:
            result = _SUCCESS if asked.opcode == SET_INTERVAL else _NOT_SUPPORTED
            answer = CgmControl(CONTROL_RESPONSE, bytes((asked.opcode, result)))
        self.responses.append((CGM_CONTROL_POINT, encode_control(answer)))
        return ACCEPTED
