"""Glucose service (0x1808): conversion of a meter's records and their contexts to observations (reference BLE §7).

A context (meal, exercise, medication) arrives after its measurement and has no time of its own. So a measurement that
announces a context is queued until the context arrives, and both become one record. Later measurements are queued too,
to keep the order; the queue is limited. A context that is late or was not announced gets the time of its measurement,
as long as this time is still stored.

The time of a measurement is its base time plus an offset: when the user sets the meter's clock, the meter changes the
offset and not the base time. Bit 11 of the sensor status (time fault) does not exist among the 20601 bits, so a value
with this bit is also emitted as uninterpreted bytes.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.ble.codec import Codec
from protocols.ble.glucose_values import (
    DURATION_OVERRUN_S,
    GLUCOSE_CONTEXT,
    GLUCOSE_FEATURE,
    GLUCOSE_MEASUREMENT,
    NOT_AVAILABLE_NIBBLE,
    ConcentrationUnit,
    GlucoseContext,
    GlucoseMeasurement,
    MedicationUnit,
    decode_context,
    decode_feature,
    decode_measurement,
    encode_context,
    encode_feature,
    encode_measurement,
)
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
from protocols.ble.record_access import record_access_use
from protocols.ble.transcoding import PERCENT, DeviationFilter, is_dated
from protocols.ble.uuids import GLUCOSE
from protocols.ble.wire import date_time_of
from protocols.bounded_map import BoundedMap
from protocols.device_time import DeviceTime, absolute_time_at
from protocols.errors import LocalProtocolError
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation import Channel, Observation, Special, Value

__all__ = ["PROFILE", "Glucose", "measured_at"]

CLAUSE: Final = "GLS"
PENDING_MAX: Final = 8
"""Limit of queued measurements. A meter sends a context directly after its measurement."""
REMEMBERED_MAX: Final = 32
"""Limit of stored times, for late contexts, and of stored contexts that arrived before their measurement."""

_MG_PER_DL: Final = code_of("MDC_DIM_MILLI_G_PER_DL")
_MMOL_PER_L: Final = code_of("MDC_DIM_MILLI_MOLE_PER_L")
_GRAM: Final = code_of("MDC_DIM_X_G")
_MILLIGRAM: Final = code_of("MDC_DIM_MILLI_G")
_MILLILITRE: Final = code_of("MDC_DIM_MILLI_L")
_SECOND: Final = code_of("MDC_DIM_SEC")

SAMPLE_TYPES: Final[Mapping[int, Code]] = {
    1: code_of("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD"),
    2: code_of("MDC_CONC_GLU_CAPILLARY_PLASMA"),
    3: code_of("MDC_CONC_GLU_VENOUS_WHOLEBLOOD"),
    4: code_of("MDC_CONC_GLU_VENOUS_PLASMA"),
    5: code_of("MDC_CONC_GLU_ARTERIAL_WHOLEBLOOD"),
    6: code_of("MDC_CONC_GLU_ARTERIAL_PLASMA"),
    7: code_of("MDC_CONC_GLU_UNDETERMINED_WHOLEBLOOD"),
    8: code_of("MDC_CONC_GLU_UNDETERMINED_PLASMA"),
    9: code_of("MDC_CONC_GLU_ISF"),
    10: code_of("MDC_CONC_GLU_CONTROL"),
}
"""Type of the sample, by the type nibble. CGM uses the same list."""


def _numbered(prefix: str, *names: str) -> Mapping[int, Code]:
    """Map the wire numbers 1, 2, … to the codes named `prefix` + name, in the order of `names`."""
    return {number: code_of(prefix + name) for number, name in enumerate(names, 1)}


_LOCATIONS = _numbered("MDC_CTXT_GLU_SAMPLELOCATION_", "FINGER", "AST", "EARLOBE", "CTRLSOLUTION")
_CARBOHYDRATES = _numbered("MDC_CTXT_GLU_CARB_", "BREAKFAST", "LUNCH", "DINNER", "SNACK", "DRINK", "SUPPER", "BRUNCH")
_MEALS = _numbered("MDC_CTXT_GLU_MEAL_", "PREPRANDIAL", "POSTPRANDIAL", "FASTING", "CASUAL", "BEDTIME")
_TESTERS = _numbered("MDC_CTXT_GLU_TESTER_", "SELF", "HCP", "LAB")
_HEALTH = _numbered("MDC_CTXT_GLU_HEALTH_", "MINOR", "MAJOR", "MENSES", "STRESS", "NONE")
_MEDICATIONS = _numbered(
    "MDC_CTXT_MEDICATION_", "RAPIDACTING", "SHORTACTING", "INTERMEDIATEACTING", "LONGACTING", "PREMIX"
)

_CONCENTRATIONS = {
    (sample_type, unit): Channel(
        handle=channel_handle(GLUCOSE_MEASUREMENT),
        type=code,
        unit=_MG_PER_DL if unit is ConcentrationUnit.MG_PER_DL else _MMOL_PER_L,
    )
    for sample_type, code in SAMPLE_TYPES.items()
    for unit in ConcentrationUnit
}
_LOCATION = Channel(handle=channel_handle(GLUCOSE_MEASUREMENT, 1), type=code_of("MDC_CTXT_GLU_SAMPLELOCATION"))
_STATUS = Channel(handle=channel_handle(GLUCOSE_MEASUREMENT, 2), type=code_of("MDC_GLU_METER_DEV_STATUS"))
_STATUS_BITS = 0x07FF
"""Sensor status bits that also exist in MDC_GLU_METER_DEV_STATUS."""

_EATEN = {
    number: Channel(handle=channel_handle(GLUCOSE_CONTEXT), type=code, unit=_GRAM)
    for number, code in _CARBOHYDRATES.items()
}
_MEAL = Channel(handle=channel_handle(GLUCOSE_CONTEXT, 1), type=code_of("MDC_CTXT_GLU_MEAL"))
_TESTER = Channel(handle=channel_handle(GLUCOSE_CONTEXT, 2), type=code_of("MDC_CTXT_GLU_TESTER"))
_HEALTH_STATE = Channel(handle=channel_handle(GLUCOSE_CONTEXT, 3), type=code_of("MDC_CTXT_GLU_HEALTH"))
_EXERCISE_CODE = code_of("MDC_CTXT_GLU_EXERCISE")
_EXERCISE = Channel(handle=channel_handle(GLUCOSE_CONTEXT, 4), type=_EXERCISE_CODE, unit=PERCENT)
_EXERCISE_DURATION = Channel(  # as 20601 devices report Measure-Active-Period
    handle=channel_handle(GLUCOSE_CONTEXT, 5),
    type=code_of("MDC_ATTR_TIME_PD_MSMT_ACTIVE"),
    unit=_SECOND,
    supplemental_types=(_EXERCISE_CODE,),
)
_MEDICATED = {
    (number, unit): Channel(
        handle=channel_handle(GLUCOSE_CONTEXT, 6),
        type=code,
        unit=_MILLIGRAM if unit is MedicationUnit.MILLIGRAM else _MILLILITRE,
    )
    for number, code in _MEDICATIONS.items()
    for unit in MedicationUnit
}
_HBA1C = Channel(handle=channel_handle(GLUCOSE_CONTEXT, 7), type=code_of("MDC_CONC_HBA1C"), unit=PERCENT)

_Fact = tuple[Channel, Value]


@dataclass(slots=True)
class _Pending:
    """Queued glucose measurement. Its own context, or the context of a measurement in front of it, has not arrived."""

    sequence_number: int
    time: DeviceTime | None
    facts: list[_Fact]
    remarks: list[GattEvent]
    due: bool
    octets: bytes
    received_s: float

    def measured(self) -> Sequence[Measured]:
        return _measured(GLUCOSE_MEASUREMENT, self.facts, self.time, self.sequence_number, self.received_s)


class Glucose(ServiceInterpreter):
    checked = ((GLUCOSE_FEATURE, decode_feature),)

    def __init__(self) -> None:
        self._deviations = DeviationFilter(CLAUSE)
        self._pending: deque[_Pending] = deque()
        self._times: BoundedMap[int, DeviceTime | None] = BoundedMap(REMEMBERED_MAX)
        self._early: OrderedDict[int, tuple[bytes, float]] = OrderedDict()

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic == GLUCOSE_MEASUREMENT:
            return self._measurement(data, received_s)
        if characteristic == GLUCOSE_CONTEXT:
            return self._context(data, received_s)
        return super().receive(characteristic, data, received_s)

    def flush(self) -> Sequence[GattEvent]:
        events = [event for pending in self._pending for event in self._events_of(pending)]
        self._pending.clear()
        while self._early:
            events += self._alone(*self._early.popitem(last=False)[1])
        return events

    def _measurement(self, data: bytes, received_s: float) -> Sequence[GattEvent]:
        value = decode_measurement(data)
        facts, remarks = _facts_of_measurement(value, data)
        number = value.sequence_number
        pending = _Pending(number, measured_at(value), facts, remarks, value.context_follows, data, received_s)
        early = self._early.pop(number, None)
        if early is not None:
            self._join(pending, early[0])
        self._pending.append(pending)
        self._times[number] = pending.time
        return self._released()

    def _context(self, data: bytes, received_s: float) -> Sequence[GattEvent]:
        number = decode_context(data).sequence_number
        for pending in self._pending:
            if pending.due and pending.sequence_number == number:
                self._join(pending, data)
                return self._released()
        if number in self._times:
            late = self._deviations.deviation("a context came late or unannounced", data)
            return [*late, *self._alone(data, received_s)]
        pushed_out: Sequence[GattEvent] = ()
        if len(self._early) >= REMEMBERED_MAX or number in self._early:
            pushed_out = self._alone(*self._early.pop(number if number in self._early else next(iter(self._early))))
        self._early[number] = (data, received_s)
        return pushed_out

    def _join(self, pending: _Pending, data: bytes) -> None:
        facts, remarks = _facts_of_context(decode_context(data), data)
        pending.facts += facts
        pending.remarks += remarks
        pending.due = False

    def _released(self) -> list[GattEvent]:
        """Remove measurements from the front of the queue while the first one needs no further context or the queue is
        above its limit. Return the events of the removed measurements in order."""
        events: list[GattEvent] = []
        while self._pending and (not self._pending[0].due or len(self._pending) > PENDING_MAX):
            events += self._events_of(self._pending.popleft())
        return events

    def _events_of(self, pending: _Pending) -> Sequence[GattEvent]:
        missing: Sequence[GattEvent] = ()
        if pending.due:
            missing = self._deviations.deviation("a context was announced and did not come", pending.octets)
        return [*pending.measured(), *pending.remarks, *missing]

    def _alone(self, data: bytes, received_s: float) -> Sequence[GattEvent]:
        """Return the events of a context whose measurement is not queued. The observations get the measurement's time
        where this time is still stored."""
        value = decode_context(data)
        number = value.sequence_number
        facts, remarks = _facts_of_context(value, data)
        missing: Sequence[GattEvent] = ()
        if number not in self._times:
            missing = self._deviations.deviation("a context has no measurement", data)
        measured = _measured(GLUCOSE_CONTEXT, facts, self._times.get(number), number, received_s)
        return [*measured, *remarks, *missing]


def measured_at(value: GlucoseMeasurement) -> DeviceTime | None:
    """Return base time plus offset, in the meter's local time; None where the meter does not know the date. Where the
    sum is not a valid date, return the base time as sent."""
    base = date_time_of(value.base_time)
    base_us = None if base is None else base.local_us()
    if base_us is None or not value.offset_min:
        return base
    try:
        return absolute_time_at(base_us + value.offset_min * 60_000_000)
    except LocalProtocolError:
        return base  # The sum is outside the years that AbsoluteTime can express.


def _measured(
    characteristic: int, facts: Sequence[_Fact], time: DeviceTime | None, number: int, received_s: float
) -> Sequence[Measured]:
    """Return one record with `facts` as its observations; an empty sequence if `facts` is empty."""
    observations = tuple(Observation(channel, value, None, 0, time, received_s) for channel, value in facts)
    if not observations:
        return ()
    return (Measured(characteristic, observations, stored=is_dated(time), record=number),)


def _facts_of_measurement(value: GlucoseMeasurement, data: bytes) -> tuple[list[_Fact], list[GattEvent]]:
    facts: list[_Fact] = []
    unknown: list[str] = []
    found = value.concentration
    if found is not None:
        channel = _CONCENTRATIONS.get((found.sample_type, value.unit))
        if channel is None:
            unknown.append("type of sample")
        else:
            facts.append((channel, found.value))
        _code(facts, unknown, _LOCATION, _LOCATIONS, found.location, "location")
    if value.status is not None:
        facts.append((_STATUS, mder_bits(value.status & _STATUS_BITS)))
        if value.status & ~_STATUS_BITS:
            unknown.append("sensor status")
    if not facts and not unknown:
        unknown.append("a record without a value")
    return facts, _remarks(GLUCOSE_MEASUREMENT, data, unknown)


def _facts_of_context(value: GlucoseContext, data: bytes) -> tuple[list[_Fact], list[GattEvent]]:
    facts: list[_Fact] = []
    unknown = [] if value.extended_flags is None else ["extended flags"]
    if value.carbohydrate_g is not None:
        number, mass = value.carbohydrate_g
        if number in _EATEN:
            facts.append((_EATEN[number], mass))
        else:
            unknown.append("carbohydrate")
    if value.meal is not None:
        _code(facts, unknown, _MEAL, _MEALS, value.meal, "meal")
    if value.tester_health is not None:
        _code(facts, unknown, _TESTER, _TESTERS, value.tester_health & 0x0F, "tester")
        _code(facts, unknown, _HEALTH_STATE, _HEALTH, value.tester_health >> 4, "health")
    if value.exercise is not None:
        duration_s = value.exercise.duration_s
        overrun = duration_s == DURATION_OVERRUN_S
        facts.append((_EXERCISE, float(value.exercise.intensity_percent)))
        facts.append((_EXERCISE_DURATION, Special.PLUS_INFINITY if overrun else float(duration_s)))
    if value.medication is not None:
        number, amount = value.medication
        channel = _MEDICATED.get((number, value.medication_unit))
        if channel is None:
            unknown.append("medication")
        else:
            facts.append((channel, amount))
    if value.hba1c_percent is not None:
        facts.append((_HBA1C, value.hba1c_percent))
    if not facts and not unknown:
        unknown.append("a context without a value")
    return facts, _remarks(GLUCOSE_CONTEXT, data, unknown)


def _code(
    facts: list[_Fact], unknown: list[str], channel: Channel, codes: Mapping[int, Code], number: int, noun: str
) -> None:
    """Append the 11073 code for the wire number `number` to `facts`. If the number is unknown, append `noun` to
    `unknown`; if it means "not available", append nothing."""
    code = codes.get(number)
    if code is not None:
        facts.append((channel, code))
    elif number != NOT_AVAILABLE_NIBBLE:
        unknown.append(noun)


def _remarks(characteristic: int, data: bytes, unknown: Sequence[str]) -> list[GattEvent]:
    if not unknown:
        return []
    return [Uninterpreted(characteristic, data, f"without a known meaning: {', '.join(unknown)}")]


def mder_bits(bits: int) -> int:
    """Convert a 16-bit GATT field to MDER BITS-16, which numbers the bits from the most significant end."""
    return int(f"{bits:016b}"[::-1], 2)


PROFILE: Final = ServiceProfile(
    service=GLUCOSE,
    name="Glucose",
    characteristics=(
        CharacteristicUse(
            GLUCOSE_MEASUREMENT,
            Codec(decode_measurement, encode_measurement),
            "Glucose Measurement",
            SUBSCRIBE,
            "sequence number, base time and offset, concentration, type, location, sensor status",
            required=True,
        ),
        CharacteristicUse(
            GLUCOSE_CONTEXT,
            Codec(decode_context, encode_context),
            "Glucose Measurement Context",
            SUBSCRIBE,
            "carbohydrate, meal, tester, health, exercise, medication, HbA1c; extended flags raw",
        ),
        CharacteristicUse(
            GLUCOSE_FEATURE, Codec(decode_feature, encode_feature), "Glucose Feature", READ, "checked only"
        ),
        record_access_use("records from a sequence number on", required=True),
    ),
    interpreter=Glucose,
    record_store=RecordNumbering.SEQUENCE_NUMBER,
)
