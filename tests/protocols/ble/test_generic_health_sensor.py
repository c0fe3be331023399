"""Observations of a Generic Health Sensor are decoded, and become events of one form for all kinds of value."""

import pytest

from protocols.ble.elapsed_time import ElapsedTime
from protocols.ble.generic_health_sensor import (
    GHS_CONTROL_POINT,
    HEALTH_SENSOR_FEATURES,
    OBSERVATION_SCHEDULE_CHANGED,
    PROFILE,
    STORED_OBSERVATION,
    GenericHealthSensor,
    HealthSensorFeatures,
    Specialisation,
    decode_features,
    encode_features,
)
from protocols.ble.ghs_observation import (
    DEPTH_MAX,
    Bundle,
    Component,
    Compound,
    Discrete,
    Events,
    GhsObservation,
    GhsValue,
    Numeric,
    Raw,
    Samples,
    Text,
    decode_observation,
    encode_observation,
)
from protocols.ble.ghs_segments import LIVE_OBSERVATION, segments_of
from protocols.ble.ghs_transcoding import CHANNELS_MAX, handle_of
from protocols.ble.interpretation import GattEvent
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature import Code
from protocols.observation import SampleFormat, Special
from tests.builders.ble_reported import Reported, deviations, measured, observations, raw, reported, statuses
from tests.builders.ble_values import sample

SPO2, PULSE_RATE, ECG = 150456, 149530, 131329
PERCENT, PER_MINUTE, MILLIVOLT = 544, 2720, 4274
UTC_TIME = ElapsedTime(value=825_686_700_000, utc=True, resolution=2, zone_used=True, source=1, zone_quarters=4)
TICKS = ElapsedTime(value=12_345, tick=True, resolution=2)


def said(value: GhsValue, *, record: int | None = None, **details: object) -> list[GattEvent]:
    """Encode one observation in one segment, let the service's interpreter receive the segment, and return the events.

    With `record`, the observation is a stored one with this record number.
    """
    facts: dict[str, object] = {"type": SPO2} | details
    observation = GhsObservation(value=value, **facts)  # type: ignore[arg-type]  # fields of the value
    (octets,) = segments_of(observation, value_bytes_max=10_000, record=record)
    uuid = LIVE_OBSERVATION if record is None else STORED_OBSERVATION
    return list(GenericHealthSensor().receive(uuid, octets, 1.0))


def samples(**details: object) -> Samples:
    facts: dict[str, object] = {
        "unit": MILLIVOLT,
        "scale": 0.005,
        "offset": 0.0,
        "period_s": 0.004,
        "per_period": 1,
        "sample_bytes": 2,
        "octets": bytes.fromhex("0100 0201"),
    } | details
    return Samples(**facts)  # type: ignore[arg-type]  # fields of the value


def test_worked_examples_of_the_reference_are_decoded_to_observations() -> None:
    sensor = GenericHealthSensor()
    events = sensor.receive(LIVE_OBSERVATION, sample(LIVE_OBSERVATION, "saturation"), 1.0)
    assert reported(events) == [Reported("MDC_PULS_OXIM_SAT_O2", 98.0, "MDC_DIM_PERCENT")]
    (observation,) = observations(events)
    assert observation.device_time is not None
    assert observation.device_time.text() == "2026-03-01T14:25:00.000+01:00"

    (pressure,) = observations(
        GenericHealthSensor().receive(LIVE_OBSERVATION, sample(LIVE_OBSERVATION, "a compound"), 1.0)
    )
    assert (pressure.value, pressure.channel.components) == ((122.0, 81.0), (Code(2, 18949), Code(2, 18950)))

    record = measured(sensor.receive(STORED_OBSERVATION, sample(STORED_OBSERVATION, "record 7"), 1.0))
    assert (record.record, record.stored) == (7, False)


def test_stored_observation_without_a_calendar_date_is_not_marked_as_a_stored_measurement() -> None:
    assert measured(said(Numeric(PERCENT, 98.0), record=3, time=UTC_TIME)).stored
    assert not measured(said(Numeric(PERCENT, 98.0), record=3, time=TICKS)).stored
    assert not measured(said(Numeric(PERCENT, 98.0), time=UTC_TIME)).stored


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (Numeric(PERCENT, Special.NRES), Special.NRES),
        (Discrete(131072 + 19516), Code(2, 19516)),
        (Text(b"at rest"), "at rest"),
        (Text(b"\xff"), "�"),
    ],
)
def test_value_of_each_simple_observation_class_becomes_one_observation(value: GhsValue, becomes: object) -> None:
    events = said(value)
    assert [each.value for each in reported(events)] == [becomes]
    assert raw(events) == []


def test_each_discrete_event_of_a_value_becomes_one_observation() -> None:
    assert [each.value for each in reported(said(Events((196_616, 196_617))))] == [Code(3, 8), Code(3, 9)]


def test_compound_value_with_components_of_different_types_becomes_one_observation_per_component() -> None:
    mixed = Compound((Component(SPO2, Numeric(PERCENT, 98.0)), Component(PULSE_RATE, Numeric(PER_MINUTE, 72.0))))
    assert reported(said(mixed, type=150020)) == [
        Reported("MDC_PULS_OXIM_SAT_O2", 98.0, "MDC_DIM_PERCENT"),
        Reported("MDC_PULS_OXIM_PULS_RATE", 72.0, "MDC_DIM_BEAT_PER_MIN"),
    ]


def test_bundle_members_inherit_the_time_and_person_and_status_and_supplemental_types_of_the_bundle() -> None:
    bundle = Bundle(
        (
            GhsObservation(type=SPO2, value=Numeric(PERCENT, 98.0)),
            GhsObservation(type=PULSE_RATE, value=Numeric(PER_MINUTE, 72.0), patient=2, status=0),
        )
    )
    events = said(bundle, type=None, time=UTC_TIME, patient=1, status=0x0020, supplementals=(150588,))
    assert [each.value for each in reported(events)] == [98.0, 72.0]
    assert [each.channel.person for each in observations(events)] == [1, 2]
    assert statuses(events) == [["early-indication"], []]
    assert all(each.device_time and each.channel.supplemental_types for each in observations(events))


def test_status_bits_become_the_measurement_status_of_the_same_name() -> None:
    events = said(Numeric(PERCENT, 98.0), status=0xC03F)
    assert statuses(events) == [
        [
            "invalid",
            "questionable",
            "not-available",
            "calibration-ongoing",
            "test-data",
            "early-indication",
            "msmt-state-in-alarm",
            "msmt-state-al-inhibited",
        ]
    ]
    assert raw(events) == []
    entered_by_hand = said(Numeric(PERCENT, 98.0), status=0x0040)
    assert statuses(entered_by_hand) == [[]]
    assert len(raw(entered_by_hand)) == 1


def test_measurement_duration_becomes_a_separate_observation() -> None:
    events = said(Numeric(PERCENT, 98.0), duration_s=30.0)
    assert reported(events)[1] == Reported("MDC_ATTR_TIME_PD_MSMT_ACTIVE", 30.0, "MDC_DIM_SEC")
    first, second = observations(events)
    assert first.channel.handle == second.channel.handle == handle_of(Code(2, 19384))


def test_sample_array_becomes_a_sample_block_with_its_format_and_scale_and_period() -> None:
    (block,) = observations(said(samples(), type=ECG))
    assert block.samples == bytes.fromhex("0001 0102")
    array = block.channel.array
    assert array is not None
    assert (array.format, array.slope, array.offset, array.period_s) == (SampleFormat.U16, 0.005, 0.0, 0.004)


@pytest.mark.parametrize(
    "doubt",
    [
        {"offset": 100.0},
        {"octets": bytes.fromhex("0100 0280")},
        {"per_period": 2},
        {"scale": Special.NAN},
        {"period_s": 0.0},
        {"sample_bytes": 3, "octets": bytes(6)},
    ],
    ids=["scaling", "sign", "rate", "scale", "period", "width"],
)
def test_sample_array_of_unsupported_form_is_emitted_as_raw_bytes(doubt: dict[str, object]) -> None:
    events = said(samples(**doubt), type=ECG)
    assert (reported(events), len(raw(events))) == ([], 1)


def test_undecodable_values_are_emitted_as_raw_bytes_and_the_other_components_are_decoded() -> None:
    for value in (Raw(6, bytes(8)), Raw(8, bytes(3)), Raw(77, b"")):
        assert len(raw(said(value))) == 1
    assert len(raw(said(Raw(1, bytes(9)), has_tlvs=True))) == 1
    part = Compound((Component(SPO2, Numeric(PERCENT, 98.0)), Component(1, Raw(6, bytes(20)))), untold=2)
    events = said(part)
    assert ([each.value for each in reported(events)], len(raw(events))) == ([98.0], 1)
    assert decode_observation(encode_observation(GhsObservation(type=1, value=part))).value == part


def test_derived_from_and_observation_id_fields_are_reported_as_unsupported() -> None:
    events = said(Numeric(PERCENT, 98.0), derived_from=(4, 5))
    assert ([each.value for each in reported(events)], len(raw(events))) == ([98.0], 1)
    assert deviations(said(Numeric(PERCENT, 98.0), observation_id=9)) == [
        "observations have ids, which the record does not keep"
    ]


def test_observation_without_a_type_or_a_value_is_emitted_as_raw_bytes() -> None:
    for events in (said(Numeric(PERCENT, 98.0), type=None, record=5), said(Events(())), said(Bundle(()))):
        assert (observations(events), len(raw(events))) == ([], 1)


def test_observation_time_from_another_timeline_is_dropped_with_a_deviation() -> None:
    events = said(Numeric(PERCENT, 98.0), time=ElapsedTime(value=5, utc=True, current_timeline=False))
    assert observations(events)[0].device_time is None
    assert len(deviations(events)) == 1


def test_number_of_remembered_channels_is_bounded_for_any_number_of_observation_types() -> None:
    sensor = GenericHealthSensor()
    channels = set()
    for number in range(3 * CHANNELS_MAX):
        (octets,) = segments_of(
            GhsObservation(type=number, value=Numeric(PERCENT, 1.0)), value_bytes_max=99, counter=number % 64
        )
        (observation,) = observations(sensor.receive(LIVE_OBSERVATION, octets, 1.0))
        channels.add(observation.channel)
    assert len(channels) == 3 * CHANNELS_MAX
    assert len(sensor._transcoding._channels) == CHANNELS_MAX


def test_observations_of_one_type_share_one_channel() -> None:
    sensor = GenericHealthSensor()
    octets = sample(LIVE_OBSERVATION, "saturation")
    (first,), (second,) = (observations(sensor.receive(LIVE_OBSERVATION, octets, at)) for at in (1.0, 2.0))
    assert first.channel is second.channel


def test_bundles_and_compounds_nested_deeper_than_the_limit_are_refused() -> None:
    observation = GhsObservation(type=1, value=Numeric(PERCENT, 1.0))
    for _ in range(DEPTH_MAX - 1):
        observation = GhsObservation(value=Bundle((observation,)))
    assert decode_observation(encode_observation(observation)) == observation
    with pytest.raises(RemoteProtocolError):
        decode_observation(encode_observation(GhsObservation(value=Bundle((observation,)))))
    value: GhsValue = Numeric(PERCENT, 1.0)
    for _ in range(DEPTH_MAX):
        value = Compound((Component(1, value),))
    with pytest.raises(RemoteProtocolError):
        decode_observation(encode_observation(GhsObservation(type=1, value=value)))


def test_profile_enables_live_observations_and_reports_a_refusal_as_a_deviation() -> None:
    assert PROFILE.start == ((GHS_CONTROL_POINT, b"\x01"),)
    sensor = GenericHealthSensor()
    assert list(sensor.receive(GHS_CONTROL_POINT, b"\x80", 1.0)) == []
    assert len(deviations(sensor.receive(GHS_CONTROL_POINT, b"\x81", 1.0))) == 1


def test_health_sensor_features_are_decoded_to_types_and_specialisations() -> None:
    value = HealthSensorFeatures((150020, SPO2), (Specialisation(4103, 1),))
    assert decode_features(encode_features(value)) == value
    sensor = GenericHealthSensor()
    assert list(sensor.learn(HEALTH_SENSOR_FEATURES, encode_features(value))) == []
    assert list(sensor.receive(HEALTH_SENSOR_FEATURES, encode_features(value), 1.0)) == []
    assert raw(sensor.receive(OBSERVATION_SCHEDULE_CHANGED, bytes(12), 1.0)) == [bytes(12)]
