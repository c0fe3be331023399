"""Records of a glucose meter: each concentration with its time and, where sent, its context."""

import pytest

from protocols.ble.glucose import PENDING_MAX, REMEMBERED_MAX, Glucose
from protocols.ble.glucose_values import (
    GLUCOSE_CONTEXT,
    GLUCOSE_FEATURE,
    GLUCOSE_MEASUREMENT,
    Concentration,
    ConcentrationUnit,
    Exercise,
    GlucoseContext,
    GlucoseMeasurement,
    MedicationUnit,
    decode_measurement,
    encode_context,
    encode_measurement,
)
from protocols.ble.interpretation import GattEvent, Measured
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature import Code, name_of
from protocols.observation import Special
from tests.builders.ble_reported import Reported, deviations, measured, observations, raw, reported
from tests.builders.ble_values import sample

STAMP = bytes.fromhex("EA070301 0E1900")
MG_PER_DL = "MDC_DIM_MILLI_G_PER_DL"


def measurement(number: int = 1, **details: object) -> bytes:
    facts: dict[str, object] = {"base_time": STAMP, "concentration": Concentration(104.0, 1, 15)} | details
    return encode_measurement(GlucoseMeasurement(sequence_number=number, **facts))  # type: ignore[arg-type]  # fields


def context(number: int = 1, **details: object) -> bytes:
    return encode_context(GlucoseContext(sequence_number=number, **details))  # type: ignore[arg-type]  # fields


def received(*values: tuple[int, bytes]) -> list[GattEvent]:
    glucose = Glucose()
    events = [event for uuid, octets in values for event in glucose.receive(uuid, octets, 1.0)]
    return [*events, *glucose.flush()]


def records(events: list[GattEvent]) -> list[tuple[int | None, int]]:
    """Return (record number, number of observations) for each measurement event, in order."""
    return [(event.record, len(event.observations)) for event in events if isinstance(event, Measured)]


def test_glucose_measurement_is_emitted_with_its_context_as_one_record() -> None:
    glucose = Glucose()
    assert glucose.receive(GLUCOSE_MEASUREMENT, sample(GLUCOSE_MEASUREMENT, "milligrams"), 1.0) == []
    events = glucose.receive(GLUCOSE_CONTEXT, sample(GLUCOSE_CONTEXT), 1.0)
    record = measured(events)
    assert (record.record, record.stored) == (42, True)
    assert reported(events) == [
        Reported("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", 104.0, MG_PER_DL),
        Reported("MDC_CTXT_GLU_SAMPLELOCATION", Code(128, 29240), None),
        Reported("MDC_GLU_METER_DEV_STATUS", 0, None),
        Reported("MDC_CTXT_GLU_CARB_BREAKFAST", 45.0, "MDC_DIM_X_G"),
        Reported("MDC_CTXT_GLU_MEAL", Code(128, 29264), None),
    ]
    times = {each.device_time.text() for each in observations(events) if each.device_time is not None}
    assert times == {"2026-03-01T14:20:00.000"}
    assert name_of(Code(128, 29264)) == "MDC_CTXT_GLU_MEAL_POSTPRANDIAL"


def test_concentration_in_millimoles_is_not_converted() -> None:
    events = received((GLUCOSE_MEASUREMENT, sample(GLUCOSE_MEASUREMENT, "millimoles")))
    assert reported(events)[0] == Reported("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", 5.8, "MDC_DIM_MILLI_MOLE_PER_L")


def test_every_concentration_decodes_to_the_exact_decimal_that_the_meter_shows() -> None:
    for count in range(2046):
        for unit, value in ((ConcentrationUnit.MG_PER_DL, float(count)), (ConcentrationUnit.MMOL_PER_L, count / 10)):
            found = decode_measurement(measurement(unit=unit, concentration=Concentration(value, 1, 1)))
            assert found.concentration == Concentration(value, 1, 1)


def test_concentration_of_plus_infinity_stays_plus_infinity() -> None:
    events = received((GLUCOSE_MEASUREMENT, measurement(concentration=Concentration(Special.PLUS_INFINITY, 2, 15))))
    assert reported(events) == [Reported("MDC_CONC_GLU_CAPILLARY_PLASMA", Special.PLUS_INFINITY, MG_PER_DL)]


def test_sensor_status_bits_are_reversed_and_bits_without_a_code_are_emitted_as_raw_bytes() -> None:
    octets = measurement(status=0x0801 | 0x0004, concentration=None)
    events = received((GLUCOSE_MEASUREMENT, octets))
    assert reported(events) == [Reported("MDC_GLU_METER_DEV_STATUS", 0x8000 | 0x2000, None)]
    assert raw(events) == [octets]


def test_every_context_field_becomes_an_observation() -> None:
    octets = context(
        carbohydrate_g=(7, 60.0),
        meal=5,
        tester_health=0x52,
        exercise=Exercise(1800, 60),
        medication=(1, 0.012),
        medication_unit=MedicationUnit.MILLILITRE,
        hba1c_percent=6.5,
    )
    events = received((GLUCOSE_MEASUREMENT, measurement(context_follows=True)), (GLUCOSE_CONTEXT, octets))
    assert reported(events)[1:] == [
        Reported("MDC_CTXT_GLU_CARB_BRUNCH", 60.0, "MDC_DIM_X_G"),
        Reported("MDC_CTXT_GLU_MEAL", Code(128, 29261), None),
        Reported("MDC_CTXT_GLU_TESTER", Code(128, 29284), None),
        Reported("MDC_CTXT_GLU_HEALTH", Code(128, 29232), None),
        Reported("MDC_CTXT_GLU_EXERCISE", 60.0, "MDC_DIM_PERCENT"),
        Reported("MDC_ATTR_TIME_PD_MSMT_ACTIVE", 1800.0, "MDC_DIM_SEC"),
        Reported("MDC_CTXT_MEDICATION_RAPIDACTING", 0.012, "MDC_DIM_MILLI_L"),
        Reported("MDC_CONC_HBA1C", 6.5, "MDC_DIM_PERCENT"),
    ]
    assert raw(events) == []


def test_exercise_duration_of_0xffff_becomes_plus_infinity() -> None:
    events = received(
        (GLUCOSE_MEASUREMENT, measurement(context_follows=True)),
        (GLUCOSE_CONTEXT, context(exercise=Exercise(0xFFFF, 10))),
    )
    assert Reported("MDC_ATTR_TIME_PD_MSMT_ACTIVE", Special.PLUS_INFINITY, "MDC_DIM_SEC") in reported(events)


def test_fields_with_reserved_numbers_are_emitted_as_raw_bytes_and_other_fields_are_decoded() -> None:
    odd = context(carbohydrate_g=(9, 10.0), meal=6, tester_health=0xF1, medication=(6, 1.0), extended_flags=1)
    events = received((GLUCOSE_MEASUREMENT, measurement(context_follows=True)), (GLUCOSE_CONTEXT, odd))
    assert reported(events)[1:] == [Reported("MDC_CTXT_GLU_TESTER", Code(128, 29280), None)]
    assert raw(events) == [odd]
    unknown = measurement(concentration=Concentration(90.0, 12, 9))
    events = received((GLUCOSE_MEASUREMENT, unknown))
    assert (reported(events), raw(events)) == ([], [unknown])
    assert records(events) == []


def test_record_without_a_value_is_emitted_as_raw_bytes() -> None:
    empty, of_nothing = measurement(concentration=None, context_follows=True), context()
    events = received((GLUCOSE_MEASUREMENT, empty), (GLUCOSE_CONTEXT, of_nothing))
    assert (records(events), raw(events)) == ([], [empty, of_nothing])


def test_measurements_stay_in_order_while_an_earlier_measurement_awaits_its_context() -> None:
    glucose = Glucose()
    assert glucose.receive(GLUCOSE_MEASUREMENT, measurement(1, context_follows=True), 1.0) == []
    assert glucose.receive(GLUCOSE_MEASUREMENT, measurement(2), 1.0) == []
    assert records(list(glucose.receive(GLUCOSE_CONTEXT, context(1, meal=1), 1.0))) == [(1, 2), (2, 1)]


def test_measurement_with_a_missing_context_is_emitted_by_flush_with_a_deviation() -> None:
    events = received((GLUCOSE_MEASUREMENT, measurement(context_follows=True)))
    assert records(events) == [(1, 1)]
    assert deviations(events) == ["a context was announced and did not come"]


def test_number_of_measurements_that_await_a_context_is_bounded() -> None:
    glucose = Glucose()
    told_of: list[GattEvent] = []
    for number in range(100):
        told_of += glucose.receive(GLUCOSE_MEASUREMENT, measurement(number, context_follows=True), 1.0)
    assert [number for number, _ in records(told_of)] == list(range(100 - PENDING_MAX))
    assert len(deviations(told_of)) == 1


def test_late_or_unannounced_context_gets_the_record_number_of_its_measurement() -> None:
    events = received((GLUCOSE_MEASUREMENT, measurement(5)), (GLUCOSE_CONTEXT, context(5, meal=1)))
    late = [event for event in events if isinstance(event, Measured)][-1]
    assert (late.characteristic, late.record, late.stored) == (GLUCOSE_CONTEXT, 5, True)
    assert deviations(events) == ["a context came late or unannounced"]


def test_context_received_before_its_measurement_is_emitted_with_the_measurement() -> None:
    events = received(
        (GLUCOSE_CONTEXT, context(5, meal=1)), (GLUCOSE_MEASUREMENT, measurement(5, context_follows=True))
    )
    assert records(events) == [(5, 2)]
    assert deviations(events) == []


def test_context_without_a_measurement_is_emitted_without_a_time() -> None:
    glucose = Glucose()
    told_of: list[GattEvent] = []
    for number in range(REMEMBERED_MAX + 3):
        told_of += glucose.receive(GLUCOSE_CONTEXT, context(number, meal=1), 1.0)
    assert [number for number, _ in records(told_of)] == [0, 1, 2]
    told_of += glucose.flush()
    assert len(records(told_of)) == REMEMBERED_MAX + 3
    assert not any(event.stored for event in told_of if isinstance(event, Measured))
    assert deviations(told_of) == ["a context has no measurement"]


def test_measurement_without_a_valid_date_is_not_marked_as_a_stored_measurement() -> None:
    for stamp in (bytes(7), bytes.fromhex("EA070D01 0E1900")):
        event = measured(received((GLUCOSE_MEASUREMENT, measurement(base_time=stamp, offset_min=5))))
        assert not event.stored


def test_time_offset_that_leads_beyond_the_year_9999_is_not_applied() -> None:
    last_day = bytes.fromhex("0F270C1F 173B00")
    event = measured(received((GLUCOSE_MEASUREMENT, measurement(base_time=last_day, offset_min=30_000))))
    assert event.observations[0].device_time is not None
    assert event.observations[0].device_time.text().startswith("9999-12-31T23:59")


def test_glucose_feature_or_measurement_of_wrong_length_is_refused() -> None:
    glucose = Glucose()
    assert list(glucose.learn(GLUCOSE_FEATURE, b"\xff\x03")) == []
    with pytest.raises(RemoteProtocolError):
        glucose.learn(GLUCOSE_FEATURE, b"\xff")
    with pytest.raises(RemoteProtocolError):
        glucose.receive(GLUCOSE_MEASUREMENT, b"\x20" + bytes(9), 1.0)
