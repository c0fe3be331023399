"""A device for tests of a manager's requests: the test reads the requests and sends the device's bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.apdu import MessageTag, Prst, body_of, decode_apdu, decode_data, encode_data
from protocols.ieee11073.apdu.actions import DataRequestResult, DataResponse
from protocols.ieee11073.apdu.association import (
    REQUEST_INIT_AGENT,
)
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ActionArgument, ActionResult, EventType, GetResult, SetResult
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.mder import encode
from tests.builders.ieee11073_apdus import aarq
from tests.builders.ieee11073_devices import manager

CAN_BE_SET = 0xC000
"""mds-time-cap-state: a real-time clock that a manager may set."""


@dataclass(frozen=True)
class Requested:
    """One request of the manager: decoded, and as bytes."""

    invoke_id: int
    message: MessageTag
    body: Any
    octets: bytes


@dataclass
class Device:
    """An operating manager, whose device the test plays. `told` are all events of the manager."""

    manager: ManagerAssociation
    now_s: float = 0.0
    told: list[Event] = field(default_factory=list)

    def asked(self) -> list[Requested]:
        """Return the manager's requests since the last call."""
        found = []
        for octets in ApduStream().feed(self.manager.to_send()):
            apdu = decode_apdu(octets)
            assert isinstance(apdu, Prst)
            data = decode_data(apdu.data)
            found.append(Requested(data.invoke_id, data.message, body_of(data), octets))
        return found

    def emit(self, octets: bytes, *, after_s: float = 0.0, deliver: bool = True) -> list[Event]:
        """Let the manager receive the device's bytes `after_s` later, and return the events. With `deliver`, report the
        events to the manager as delivered."""
        self.now_s += after_s
        events = self.manager.receive(octets, self.now_s)
        for event in events if deliver else ():
            self.manager.delivered(event)
        self.told += events
        return events

    def waits(self, seconds: float) -> list[Event]:
        """Advance the time by `seconds`, and return the events of the manager's deadlines in that time."""
        until_s, events = self.now_s + seconds, []
        while (due_s := self.manager.deadline_s) is not None and due_s <= until_s:
            self.now_s = due_s
            events += self.manager.expire(due_s)
        self.now_s = until_s
        self.told += events
        return events


def device(
    configuration: Configuration,
    mds: Sequence[AvaType] = (),
    *,
    settings: ManagerSettings | None = None,
    modes: int = REQUEST_INIT_AGENT,
    flows: int = 0,
    round_trip_s: float = 0.0,
    begins_s: float = 0.0,
    deliver: bool = True,
) -> Device:
    """Return an operating device, whose configuration the manager knew and whose MDS the manager has read.

    `modes` are the data-req-mode-flags; `flows` is the number of data requests that the manager may have open. With
    `deliver` false, the events of the association are not reported as delivered.
    """
    played = Device(manager(known=configuration, settings=settings), begins_s)
    request = aarq(configuration.config_id, modes=modes, manager_flows=flows)
    played.emit(request, deliver=deliver)
    played.manager.to_send()
    played.emit(attributes(0, mds), after_s=round_trip_s, deliver=deliver)
    assert played.manager.state is State.OPERATING
    return played


def attributes(invoke_id: int, values: Sequence[AvaType], handle: int = 0) -> bytes:
    """Return a Get response with these attributes."""
    return encode_data(invoke_id, MessageTag.GET_RESULT, GetResult(handle, tuple(values)))


def time_info(capabilities: int) -> AvaType:
    """Return the attribute Mds-Time-Info with the resolutions 10 ms (absolute time), 125 µs (relative time) and 1 µs
    (high-resolution time)."""
    octets = capabilities.to_bytes(2, "big") + bytes.fromhex("1F00 FFFFFFFF 0001 0001 00000001")
    return AvaType(Attribute.MDS_TIME_INFO, octets)


def switched(invoke_id: int, handle: int, state: int = 1) -> bytes:
    """Return the response to a Set of the attribute Operational-State."""
    value = AvaType(Attribute.OPERATIONAL_STATE, state.to_bytes(2, "big"))
    return encode_data(invoke_id, MessageTag.SET_RESULT, SetResult(handle, (value,)))


def acted(asked: Requested, info: bytes = b"") -> bytes:
    """Return the response to the action request `asked`."""
    assert isinstance(asked.body, ActionArgument)
    return encode_data(asked.invoke_id, MessageTag.ACTION_RESULT, ActionResult(0, asked.body.action_type, info))


def data_response(
    asked: Requested, result: int = 0, *, event_type: EventType | int = 0, event_info: bytes = b""
) -> bytes:
    """Return the response to the data request `asked`."""
    response = DataResponse(0xFFFF_FFFF, DataRequestResult(result), EventType(event_type), event_info)
    return acted(asked, encode(response))
