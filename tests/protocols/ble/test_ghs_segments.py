"""Reassembly of Generic Health Sensor observations from segments of any size.

A lost segment drops one observation and is reported.
"""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.ble.generic_health_sensor import GenericHealthSensor
from protocols.ble.ghs_observation import (
    OBSERVATION_BYTES_MAX,
    GhsObservation,
    Numeric,
    Text,
    encode_observation,
)
from protocols.ble.ghs_segments import (
    COUNTERS,
    LIVE_OBSERVATION,
    STORED_OBSERVATION,
    ObservationSegment,
    Reassembly,
    encode_segment,
    segments_of,
)
from protocols.ble.interpretation import GattEvent, Uninterpreted
from protocols.ble.transcoding import DeviationFilter
from protocols.errors import LocalProtocolError, RemoteProtocolError
from tests.builders.ble_reported import deviations, raw, reported

NOTE = 0x0001F000
PULSE = GhsObservation(type=149530, value=Numeric(2720, 72.0))
JUMPED = "the counter of segments jumped: some were lost"


def text(octets: bytes) -> GhsObservation:
    return GhsObservation(type=NOTE, value=Text(octets))


def sent(*observations: GhsObservation, value_bytes_max: int, stored: bool = False) -> list[list[bytes]]:
    """Encode the observations as segments of at most `value_bytes_max` bytes; return the segments of each observation.

    The segment counter continues from one observation to the next.
    """
    counter, values = 0, []
    for number, observation in enumerate(observations):
        values.append(
            list(
                segments_of(
                    observation,
                    value_bytes_max=value_bytes_max,
                    counter=counter,
                    record=number if stored else None,
                )
            )
        )
        counter = (counter + len(values[-1])) % COUNTERS
    return values


def taken(values: Sequence[bytes], characteristic: int = LIVE_OBSERVATION) -> tuple[list[bytes], list[GattEvent]]:
    """Reassemble the segments; return the bytes of each complete observation, and the events that report faults."""
    reassembly = Reassembly(characteristic, DeviationFilter("test"))
    whole, events = [], []
    for octets in values:
        found, told_of = reassembly.add(octets)
        events += told_of
        if found is not None:
            whole.append(found.octets)
    return whole, [*events, *reassembly.flush()]


@given(
    texts=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    value_bytes_max=st.integers(6, 250),
    stored=st.booleans(),
)
def test_observations_are_reassembled_from_segments_of_any_size(
    texts: list[bytes], value_bytes_max: int, stored: bool
) -> None:
    observations = [text(each) for each in texts]
    values = sent(*observations, value_bytes_max=value_bytes_max, stored=stored)
    flat = [octets for segments in values for octets in segments]
    assert all(len(octets) <= value_bytes_max for octets in flat)
    whole, events = taken(flat, STORED_OBSERVATION if stored else LIVE_OBSERVATION)
    assert whole == [encode_observation(each) for each in observations]
    assert events == []


@given(texts=st.lists(st.binary(min_size=30, max_size=120), min_size=3, max_size=4), data=st.data())
def test_loss_of_a_segment_drops_only_the_observation_that_contains_it(texts: list[bytes], data: st.DataObject) -> None:
    observations = [text(each) for each in texts]
    values = sent(*observations, value_bytes_max=20)
    hit = data.draw(st.integers(0, len(values) - 2))
    lost = data.draw(st.integers(0, len(values[hit]) - 1))
    flat = [
        octets
        for number, segments in enumerate(values)
        for place, octets in enumerate(segments)
        if (number, place) != (hit, lost)
    ]
    whole, events = taken(flat)
    assert whole == [encode_observation(each) for number, each in enumerate(observations) if number != hit]
    # No counter shows the loss of the very first segment: the rest of its observation has no beginning.
    assert deviations(events) == ([] if (hit, lost) == (0, 0) else [JUMPED])
    assert raw(events)


@given(
    segments=st.lists(
        st.builds(
            ObservationSegment,
            first=st.booleans(),
            last=st.booleans(),
            counter=st.integers(0, COUNTERS - 1),
            content=st.binary(max_size=30),
            record=st.integers(0, 2),
        ),
        max_size=20,
    )
)
def test_every_received_segment_byte_is_part_of_an_observation_or_of_a_raw_event(
    segments: list[ObservationSegment],
) -> None:
    whole, events = taken([encode_segment(segment) for segment in segments], STORED_OBSERVATION)
    came_out = sum(map(len, whole))
    for event in events:
        if isinstance(event, Uninterpreted):
            head = 5 if "without its beginning" in event.why else 0
            came_out += len(event.octets) - head
    assert came_out == sum(len(segment.content) for segment in segments if isinstance(segment.content, bytes))


def test_observation_that_reaches_the_size_limit_without_a_last_segment_is_emitted_as_raw_bytes() -> None:
    part = bytes(240)
    endless = [
        encode_segment(ObservationSegment(first=not number, last=False, counter=number % COUNTERS, content=part))
        for number in range(2 * OBSERVATION_BYTES_MAX // len(part))
    ]
    whole, events = taken(endless)
    assert whole == []
    assert max(map(len, raw(events))) <= OBSERVATION_BYTES_MAX + len(part)
    assert sum(map(len, raw(events))) >= len(endless) * len(part)


def test_constant_segment_counter_is_reported_as_one_deviation_and_drops_no_observation() -> None:
    sensor = GenericHealthSensor()
    (octets,) = segments_of(PULSE, value_bytes_max=100)
    events = [event for _ in range(5) for event in sensor.receive(LIVE_OBSERVATION, octets, 1.0)]
    assert len(reported(events)) == 5
    assert deviations(events) == ["the counter of segments stands still, so that a loss would not be seen"]


def test_interleaved_live_and_stored_segments_are_reassembled_separately() -> None:
    sensor = GenericHealthSensor()
    live = list(segments_of(PULSE, value_bytes_max=12))
    stored = list(segments_of(PULSE, value_bytes_max=12, counter=40, record=7))
    events: list[GattEvent] = []
    for place in range(max(len(live), len(stored))):
        for uuid, values in ((LIVE_OBSERVATION, live), (STORED_OBSERVATION, stored)):
            if place < len(values):
                events += sensor.receive(uuid, values[place], 1.0)
    assert [each.value for each in reported(events)] == [72.0, 72.0]
    assert deviations(events) == []


@pytest.mark.parametrize(("characteristic", "record"), [(LIVE_OBSERVATION, None), (STORED_OBSERVATION, 7)])
def test_incomplete_observation_is_emitted_as_raw_bytes_by_a_flush(characteristic: int, record: int | None) -> None:
    sensor = GenericHealthSensor()
    first, *_ = segments_of(PULSE, value_bytes_max=12, record=record)
    assert sensor.receive(characteristic, first, 1.0) == []
    (event,) = sensor.flush()
    assert isinstance(event, Uninterpreted)
    assert event.octets == first[1 if record is None else 5 :]


def test_flush_between_two_segments_does_not_cut_a_live_observation() -> None:
    sensor = GenericHealthSensor()
    events: list[GattEvent] = []
    for octets in segments_of(PULSE, value_bytes_max=10):
        events += [*sensor.receive(LIVE_OBSERVATION, octets, 1.0)]
        sensor.flush()
    assert [each.value for each in reported(events)] == [72.0]
    assert list(sensor.flush()) == []


def test_observation_is_decoded_when_the_previous_observation_was_malformed() -> None:
    sensor = GenericHealthSensor()
    octets = encode_observation(PULSE)
    with pytest.raises(RemoteProtocolError):
        sensor.receive(LIVE_OBSERVATION, b"\x03" + octets[:-1], 1.0)
    assert len(reported(sensor.receive(LIVE_OBSERVATION, b"\x07" + octets, 1.0))) == 1
    events = sensor.receive(LIVE_OBSERVATION, b"\x13" + octets[:-1], 1.0)
    assert (deviations(events), raw(events)) == ([JUMPED], [octets[:-1]])


def test_maximum_value_size_too_small_for_a_segment_is_a_local_protocol_error() -> None:
    with pytest.raises(LocalProtocolError):
        list(segments_of(PULSE, value_bytes_max=5, record=1))
