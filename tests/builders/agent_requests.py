"""Requests of a manager to our agent, and an agent in the operating state; parameters that few tests need have
defaults.
"""

from collections.abc import Sequence

from protocols.ieee11073.apdu import DataApdu, MessageTag, Prst, decode_apdu, decode_data, encode_data
from protocols.ieee11073.apdu.actions import ActionType, DataRequest, DataResponse, HandleEntry
from protocols.ieee11073.apdu.association import AssociateResult
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import (
    ActionArgument,
    ActionResult,
    AttributeModEntry,
    GetArgument,
    GetResult,
    OidEntry,
    SetArgument,
)
from protocols.ieee11073.association.admission import response
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_service import AgentService
from protocols.ieee11073.association.settings import AgentSettings
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.mder import decode, encode
from tests.builders.ieee11073_apdus import AGENT_ID, MANAGER_ID


def operating_agent(
    configuration: Configuration, *services: AgentService, settings: AgentSettings | None = None
) -> AgentAssociation:
    """Return an agent in the operating state, with an empty outbox, at time 0 s. The manager already knew the agent's
    configuration, so the agent did not send it."""
    agent = AgentAssociation(system_id=AGENT_ID, configurations=(configuration,), services=services, settings=settings)
    agent.associate(0.0)
    agent.receive(response(MANAGER_ID, AssociateResult.ACCEPTED), 0.0)
    agent.to_send()
    return agent


def response_of(agent: AgentAssociation, octets: bytes, now_s: float = 0.0) -> bytes:
    """Give the agent the request `octets` at `now_s`, and return the bytes that the agent sends in response."""
    agent.receive(octets, now_s)
    return agent.to_send()


def get(handle: int, *attributes: int) -> bytes:
    return encode_data(1, MessageTag.GET, GetArgument(handle, tuple(OidEntry(each) for each in attributes)))


def set_(handle: int, *modifications: tuple[int, int, bytes], confirmed: bool = True) -> bytes:
    """Return a Set request; each of `modifications` is (operator, attribute, value)."""
    listed = tuple(
        AttributeModEntry(operator, AvaType(attribute, value)) for operator, attribute, value in modifications
    )
    return encode_data(1, MessageTag.CONFIRMED_SET if confirmed else MessageTag.SET, SetArgument(handle, listed))


def enable(handle: int, *, confirmed: bool = True) -> bytes:
    return set_(handle, (0, Attribute.OPERATIONAL_STATE, b"\x00\x01"), confirmed=confirmed)


def action(action_type: int, args: bytes, *, handle: int = 0, confirmed: bool = True) -> bytes:
    message = MessageTag.CONFIRMED_ACTION if confirmed else MessageTag.ACTION
    return encode_data(1, message, ActionArgument(handle, action_type, args))


def data_request(
    mode: int,
    *,
    request_id: int = 1,
    for_s: float = 0.0,
    person: int = 0xFFFF,
    object_class: int = 0,
    handles: Sequence[int] = (),
) -> bytes:
    listed = tuple(HandleEntry(handle) for handle in handles)
    request = DataRequest(request_id, mode, round(for_s * 8000), person, object_class, listed)
    return action(ActionType.DATA_REQUEST, encode(request))


def message_of(octets: bytes) -> DataApdu:
    apdu = decode_apdu(octets)
    assert isinstance(apdu, Prst)
    return decode_data(apdu.data)


def data_response(octets: bytes) -> DataResponse:
    return decode(DataResponse, decode(ActionResult, message_of(octets).body).action_info_args)


def attributes_read(octets: bytes) -> dict[int, bytes]:
    """Map the id of each attribute in a Get response to its encoded value."""
    result = decode(GetResult, message_of(octets).body)
    return {item.attribute_id: item.attribute_value for item in result.attribute_list}
