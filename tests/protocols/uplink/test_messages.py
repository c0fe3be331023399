"""Acknowledgements, gap records, events and statuses are encoded and decoded.

With these messages, gateway and cloud agree on the batches that have arrived.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.uplink.acks import MISSING_RANGES_MAX, Ack, decode_ack, encode_ack
from protocols.uplink.events import GatewayEvent, decode_event, encode_event
from protocols.uplink.lanes import Lane, lane_of
from protocols.uplink.messages import write_message
from protocols.uplink.status import PUBLISHED_RANGES_MAX, Mark, Status, StoreState, decode_status, encode_status
from tests.builders.uplink_batches import EPOCH
from tests.builders.uplink_blocks import ALARM, observation, waveform


def ranges_of(held: set[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for sequence in sorted(held):
        if ranges and ranges[-1][1] == sequence - 1:
            ranges[-1] = (ranges[-1][0], sequence)
        else:
            ranges.append((sequence, sequence))
    return ranges


@given(held=st.sets(st.integers(1, 300), max_size=200))
def test_ack_lists_every_missing_sequence_up_to_its_highest_sequence(held: set[int]):
    ack = Ack.of_ranges(EPOCH, Lane.NUMERIC, ranges_of(held))
    missing = {sequence for first, last in ack.missing for sequence in range(first, last + 1)}
    told = set(range(1, ack.highest_sequence + 1))
    assert told - missing == {sequence for sequence in held if sequence <= ack.highest_sequence}
    assert decode_ack(encode_ack(ack)) == ack


def test_ack_with_too_many_missing_ranges_omits_the_last_ranges():
    ack = Ack.of_ranges(EPOCH, Lane.NUMERIC, [(odd, odd) for odd in range(1, 401, 2)])
    assert len(ack.missing) == MISSING_RANGES_MAX
    assert ack.highest_sequence == 1 + 2 * MISSING_RANGES_MAX


def test_ack_of_a_lane_without_batches_has_through_sequence_zero():
    assert Ack.of_ranges(EPOCH, Lane.EVENT, []) == Ack(epoch=EPOCH, lane=Lane.EVENT, through_sequence=0)


def test_highest_sequence_of_an_ack_defaults_to_its_through_sequence():
    assert Ack(epoch=EPOCH, lane=Lane.EVENT, through_sequence=9).highest_sequence == 9


@pytest.mark.parametrize(
    "missing",
    [[[1, 2]], [[6, 5]], [[7, 8]], [[6, 7], [8, 9]], [[6, 7], [7, 9]], [[6]], "6", [[6, True]], [[6, 7]] * 65],
)
def test_ack_with_missing_ranges_that_contradict_its_through_sequence_is_refused(missing: object):
    octets = write_message(
        {"epoch": EPOCH, "lane": "event", "through": 5, "missing": missing, "highest": 99, "conflict": False}
    )
    with pytest.raises(RemoteProtocolError):
        decode_ack(octets)


def test_unknown_fields_of_an_ack_are_ignored():
    octets = encode_ack(Ack(epoch=EPOCH, lane=Lane.EVENT, through_sequence=1))
    assert decode_ack(octets[:-1] + b',"weather":"rain"}') == decode_ack(octets)


def test_unknown_lane_in_a_status_is_ignored_and_the_other_lanes_are_decoded():
    status = Status(
        gateway="gw", epoch=EPOCH, online=True, at_us=0, boot_id="b", software="1", marks={Lane.EVENT: Mark(1, 2, 2)}
    )
    octets = encode_status(status).replace(b'"marks":{', b'"marks":{"telemetry":{"first":1,"last":2,"acked":3},')
    assert decode_status(octets) == status


@pytest.mark.parametrize("store", StoreState)
def test_status_message_contains_the_state_of_the_gateway_store(store: StoreState):
    status = Status(gateway="gw", epoch=EPOCH, online=False, at_us=-5, boot_id="b", software="1", marks={}, store=store)
    assert decode_status(encode_status(status)) == status


def _status(mark: Mark) -> Status:
    return Status(
        gateway="gw", epoch=EPOCH, online=True, at_us=0, boot_id="b", software="1", marks={Lane.NUMERIC: mark}
    )


@pytest.mark.parametrize("published", [(), ((3, 3),), ((3, 7), (9, 9))])
def test_status_message_contains_the_published_sequence_ranges(published: tuple[tuple[int, int], ...]):
    status = _status(Mark(1, 9, 2, published))
    assert decode_status(encode_status(status)) == status


def test_status_message_of_an_older_gateway_contains_no_published_ranges():
    status = decode_status(encode_status(_status(Mark(1, 9, 2))))
    assert status.marks[Lane.NUMERIC].published is None


def test_status_message_contains_the_lowest_published_ranges_when_there_are_too_many():
    many = tuple((first, first) for first in range(3, 203, 2))
    read = decode_status(encode_status(_status(Mark(1, 300, 2, many))))
    assert read.marks[Lane.NUMERIC].published == many[:PUBLISHED_RANGES_MAX]


@pytest.mark.parametrize(
    "published", [b"[[0,1]]", b"[[5,4]]", b"[[3,5],[5,6]]", b'[["3",4]]', b"[[1]]", b"{}", b"null"]
)
def test_status_message_with_malformed_published_ranges_is_refused(published: bytes):
    encoded = encode_status(_status(Mark(1, 9, 2, ()))).replace(b'"published":[]', b'"published":' + published)
    with pytest.raises(RemoteProtocolError):
        decode_status(encoded)


def test_error_message_about_an_undecodable_event_does_not_quote_its_content():
    with pytest.raises(RemoteProtocolError) as caught:
        decode_event(b'{"v":1,"name":{"secret":"Nobody, Nora"}}')
    assert "Nora" not in str(caught.value)


@given(
    fields=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        max_size=8,
    )
)
def test_encoded_event_is_decoded_to_the_same_event(fields: dict[str, str | int | bool | None]):
    event = GatewayEvent(name="store.reserve_entered", at_us=1, boot_id="boot-1", device=None, fields=fields)
    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize(
    "event",
    [
        GatewayEvent(name="n" * 65, at_us=0, boot_id="b", device=None, fields={}),
        GatewayEvent(name="n", at_us=0, boot_id="b", device="d" * 129, fields={}),
        GatewayEvent(name="n", at_us=0, boot_id="b", device=None, fields={str(n): n for n in range(33)}),
        GatewayEvent(name="n", at_us=0, boot_id="b", device=None, fields={"text": "x" * 1025}),
    ],
)
def test_encoding_an_event_above_its_limits_is_a_local_protocol_error(event: GatewayEvent):
    with pytest.raises(LocalProtocolError):
        encode_event(event)


def test_lane_of_an_observation_is_selected_by_its_channel():
    assert lane_of(observation(97.0)) is Lane.NUMERIC
    assert lane_of(waveform(b"\x00\x00")) is Lane.WAVEFORM
    assert lane_of(observation(1, channel=ALARM)) is Lane.EVENT
