"""The manager reads all clocks of a device in one request, and sets each clock that the device allows it to set.

A device that refuses a request or does not respond stays associated.
"""

from collections.abc import Callable

import pytest

from protocols.deviation import Deviation
from protocols.device_time import DeviceTime, TimeKind, absolute_time_at, base_offset_time_at
from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu import MessageTag, encode_data
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ErrorResult, ErrorValue, RejectProblem
from protocols.ieee11073.association.clock_setting import BASE_OFFSET, CLOCK_ATTRIBUTES, WallClock
from protocols.ieee11073.association.manager_events import ClockCommanded, ClockNotSet, ClockRead, ClockSet, MdsRead
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute
from tests.builders.ieee11073_apdus import roer, rorj
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import OXIMETER, minute
from tests.builders.requests_device import CAN_BE_SET, Device, acted, attributes, device, time_info

ONCE = ManagerSettings(clock_read_every_s=None)
REFERENCE_US = 1_772_375_100_000_000
"""The moment 2026-03-01T14:25:00Z."""
SHOWN = (
    AvaType(Attribute.DATE_AND_TIME, minute(0).octets),
    AvaType(Attribute.RELATIVE_TIME, (8000 * 100).to_bytes(4, "big")),
    AvaType(Attribute.HIGH_RESOLUTION_TIME, (100_000_000).to_bytes(8, "big")),
)


def settable(settings: ManagerSettings = ONCE, capabilities: int = CAN_BE_SET) -> Device:
    return device(OXIMETER, (time_info(capabilities), *SHOWN), settings=settings)


def commanded(played: Device, at_s: float = 1.0, zone_min: int = 0) -> None:
    wall = WallClock(REFERENCE_US - round(at_s * 1_000_000), zone_min)
    played.manager.clock_setting.set_time(wall, at_s)


def test_clock_attributes_of_the_mds_become_one_clock_reading() -> None:
    played = device(OXIMETER, SHOWN, settings=ONCE, round_trip_s=0.4)
    (read,) = [event for event in played.told if isinstance(event, ClockRead)]
    assert (read.asked_s, read.answered_s) == (0.0, 0.4)
    assert [(time.kind, time.text()) for time in read.times] == [
        (TimeKind.ABSOLUTE, "2026-03-01T12:00:00.000"),
        (TimeKind.RELATIVE, "rel:100.000000"),
        (TimeKind.HIGH_RESOLUTION, "hires:100.000000"),
    ]
    assert [type(event) for event in played.told[-2:]] == [MdsRead, ClockRead]


def test_clock_attributes_without_a_valid_time_give_no_clock_reading() -> None:
    shown = (AvaType(Attribute.RELATIVE_TIME, b"\xff" * 4), AvaType(Attribute.DATE_AND_TIME, bytes(7)))
    assert not [event for event in device(OXIMETER, shown).told if isinstance(event, ClockRead)]


def test_clocks_are_read_periodically_with_one_get_of_their_attributes() -> None:
    played = device(OXIMETER, SHOWN, settings=ManagerSettings(clock_read_every_s=60.0))
    assert played.manager.deadline_s == 60.0
    played.waits(60.0)
    (asked,) = played.asked()
    listed = [entry.attribute_id for entry in asked.body.attribute_id_list]
    assert (asked.message, asked.body.obj_handle) == (MessageTag.GET, 0)
    assert listed == [Attribute.DATE_AND_TIME, Attribute.RELATIVE_TIME, Attribute.HIGH_RESOLUTION_TIME]
    (read,) = played.emit(attributes(asked.invoke_id, SHOWN), after_s=0.2)
    assert isinstance(read, ClockRead)
    assert (read.asked_s, read.answered_s) == (60.0, 60.2)
    assert played.manager.deadline_s == 120.2


def test_device_that_does_not_respond_to_clock_requests_stays_associated() -> None:
    played = device(OXIMETER, SHOWN, settings=ManagerSettings(clock_read_every_s=60.0))
    told = played.waits(3600.0)
    assert len(played.asked()) == 2
    assert [event.sentence for event in told if isinstance(event, Deviation)] == [
        "attributes of handle 0 are withheld: it was not answered in time"
    ]
    assert (played.manager.state, played.manager.deadline_s) == (State.OPERATING, None)


def test_set_time_request_equals_the_bytes_of_the_reference() -> None:
    played = settable()
    commanded(played)
    (asked,) = played.asked()
    example = bytearray(apdu("e18"))
    example[6:8] = asked.invoke_id.to_bytes(2, "big")
    assert asked.octets == bytes(example)
    answer = bytearray(apdu("e19"))
    answer[6:8] = asked.invoke_id.to_bytes(2, "big")
    told = played.emit(bytes(answer), after_s=1.5)
    time = absolute_time_at(REFERENCE_US)
    assert told == [ClockCommanded(time, 1.0), ClockSet(time, 1.0, 1.5)]
    assert [each.message for each in played.asked()] == [MessageTag.GET]


def test_set_time_request_contains_the_time_at_which_it_is_sent() -> None:
    played = settable()
    played.manager.clock_setting.read_clocks(1.0)
    commanded(played)
    (asked,) = played.asked()
    (read, given) = played.emit(attributes(asked.invoke_id, SHOWN), after_s=3.5)
    assert isinstance(read, ClockRead)
    assert given == ClockCommanded(absolute_time_at(REFERENCE_US + 2_500_000), 3.5)


def test_absolute_time_clock_is_set_to_local_time_and_base_offset_clock_to_time_with_offset() -> None:
    played = settable()
    commanded(played, zone_min=120)
    (asked,) = played.asked()
    assert asked.body.action_info_args[:8].hex() == "2026030116250000"
    played = settable(capabilities=CAN_BE_SET | BASE_OFFSET)
    commanded(played, zone_min=120)
    (asked,) = played.asked()
    assert asked.body.action_type == 3101
    time = DeviceTime(TimeKind.BASE_OFFSET, asked.body.action_info_args)
    assert (time.local_us(), time.text()) == (REFERENCE_US, "2026-03-01T16:25:00.000+02:00")


@pytest.mark.parametrize("capabilities", [0, 0x8010], ids=["nothing", "should be set but cannot"])
def test_clock_is_never_set_on_a_device_that_does_not_declare_set_time_support(capabilities: int) -> None:
    played = settable(capabilities=capabilities)
    with pytest.raises(LocalProtocolError, match="does not say"):
        commanded(played)
    assert played.manager.to_send() == b""


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda n: roer(n, ErrorValue.NO_SUCH_ACTION), "ROER no-such-action (9)"),
        (lambda n: rorj(n, RejectProblem.UNRECOGNIZED_OPERATION), "RORJ unrecognized-operation (101)"),
        (
            lambda n: encode_data(n, MessageTag.ERROR, ErrorResult(ErrorValue.NOT_ALLOWED_BY_OBJECT, b"\x03\xe8")),
            "ROER not-allowed-by-object (24), obj-busy (1000)",
        ),
    ],
)
def test_refused_set_time_request_is_not_retried_in_the_same_association(
    answer: Callable[[int], bytes], why: str
) -> None:
    played = settable()
    commanded(played)
    (asked,) = played.asked()
    told = played.emit(answer(asked.invoke_id), after_s=1.5)
    assert [event for event in told if isinstance(event, ClockNotSet)] == [
        ClockNotSet(absolute_time_at(REFERENCE_US), why)
    ]
    assert [event.sentence for event in told if isinstance(event, Deviation)] == [
        f"the clock is not set although Mds-Time-Info says that it can be: {why}"
    ]
    assert played.manager.clock_setting.settable is None
    assert played.manager.state is State.OPERATING


def test_clock_is_read_again_after_a_set_time_request_without_a_response() -> None:
    played = settable()
    commanded(played)
    (asked,) = played.asked()
    told = played.waits(4.0)
    assert ClockNotSet(absolute_time_at(REFERENCE_US), "it was not answered in time") in told
    assert [each.message for each in played.asked()] == [MessageTag.GET]
    told = played.emit(acted(asked), after_s=0.1)
    assert [event.sentence for event in told if isinstance(event, Deviation)] == [
        "an answer came after we had given it up"
    ]
    assert played.manager.state is State.OPERATING


def test_second_set_time_request_is_refused_while_the_first_is_pending() -> None:
    played = settable()
    commanded(played)
    with pytest.raises(LocalProtocolError, match="being set"):
        commanded(played)


def test_every_kind_of_device_time_has_at_least_one_clock_attribute() -> None:
    assert set(CLOCK_ATTRIBUTES.values()) == set(TimeKind)


def test_base_offset_time_is_encoded_to_the_bytes_of_the_reference() -> None:
    octets = bytes.fromhex("D46740381314FED4")
    utc_us = DeviceTime(TimeKind.BASE_OFFSET, octets).local_us()
    assert utc_us is not None
    assert base_offset_time_at(utc_us + 1, -300).octets == octets


def test_setting_a_clock_to_a_time_outside_its_range_is_a_local_protocol_error() -> None:
    for utc_us in (-(1 << 60), 1 << 60):
        with pytest.raises(LocalProtocolError):
            absolute_time_at(utc_us)
        with pytest.raises(LocalProtocolError):
            base_offset_time_at(utc_us)
