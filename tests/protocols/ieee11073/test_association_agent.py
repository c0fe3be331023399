"""The agent's behaviour when a manager is silent, refuses a message, or sends wrong messages."""

import pytest

from protocols.ieee11073.apdu import decode_apdu
from protocols.ieee11073.apdu.association import Aare, AbortReason, AssociateResult
from protocols.ieee11073.apdu.data import ConfigReportRsp, ConfigResult, ErrorValue, EventType, RejectProblem
from protocols.ieee11073.association.admission import response
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.events import Aborted, LinkLost, Rejected, RejectReason, Released
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.objects import ava
from protocols.ieee11073.mder import encode
from tests.builders.ieee11073_apdus import AGENT_ID, MANAGER_ID, aarq, abrt, report_response, rlre, rlrq, roer, rorj
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import OXIMETER

KNOWN = response(MANAGER_ID, AssociateResult.ACCEPTED)
UNKNOWN = response(MANAGER_ID, AssociateResult.ACCEPTED_UNKNOWN_CONFIG)
MDS = (ava(Attribute.SYSTEM_ID, b"\x00\x08" + AGENT_ID), ava(Attribute.BATTERY_LEVEL, 85))


def agent(*received: bytes) -> AgentAssociation:
    """Return an agent that has sent an association request and then received these APDUs; its outbox is empty."""
    asking = AgentAssociation(system_id=AGENT_ID, configurations=(OXIMETER,), mds_attributes=lambda: MDS)
    asking.associate(0.0)
    for octets in received:
        asking.receive(octets, 0.0)
    asking.to_send()
    return asking


def verdict(result: ConfigResult) -> bytes:
    return report_response(0, EventType.CONFIG, info=encode(ConfigReportRsp(OXIMETER.config_id, result)))


def test_agent_aborts_when_no_configuration_response_arrives_within_10_seconds() -> None:
    waiting = agent(UNKNOWN)
    assert (waiting.state, waiting.deadline_s) == (State.WAITING_APPROVAL, 10.0)
    assert waiting.expire(9.9) == []
    assert isinstance(waiting.expire(10.0)[0], Aborted)
    assert waiting.to_send() == abrt(AbortReason.CONFIGURATION_TIMEOUT)


@pytest.mark.parametrize("result", [reason.value for reason in RejectReason])
def test_rejected_association_is_reported_with_its_reason(result: int) -> None:
    asking = agent()
    assert asking.receive(response(MANAGER_ID, AssociateResult(result)), 1.0) == [Rejected(RejectReason(result))]
    assert asking.state is State.UNASSOCIATED


def test_unknown_association_result_is_reported_as_a_rejection() -> None:
    assert agent().receive(bytes.fromhex("E300 0006 0063 0000 0000"), 1.0) == [Rejected(RejectReason.UNKNOWN)]


@pytest.mark.parametrize("asked", [True, False], ids=["associating", "unassociated"])
def test_agent_rejects_the_association_request_of_another_agent(asked: bool) -> None:
    one = agent() if asked else AgentAssociation(system_id=AGENT_ID, configurations=(OXIMETER,))
    one.receive(aarq(0x0190), 1.0)
    answer = decode_apdu(one.to_send())
    assert isinstance(answer, Aare)
    assert answer.result is AssociateResult.REJECTED_PERMANENT
    assert one.state is State.UNASSOCIATED


@pytest.mark.parametrize("octets", [rlrq(), rlre(), apdu("e8")], ids=["release", "released", "get"])
def test_agent_aborts_when_a_message_arrives_before_the_association_response(octets: bytes) -> None:
    asking = agent()
    assert isinstance(asking.receive(octets, 1.0)[-1], Aborted)
    assert asking.to_send() == abrt()


@pytest.mark.parametrize("octets", [roer(0, ErrorValue.PROTOCOL_VIOLATION), rorj(0, RejectProblem.UNEXPECTED_ERROR)])
def test_agent_aborts_when_its_configuration_report_gets_an_error_response(octets: bytes) -> None:
    waiting = agent(UNKNOWN)
    assert isinstance(waiting.receive(octets, 1.0)[-1], Aborted)


def test_get_of_the_mds_gets_a_response_before_the_configuration_is_accepted() -> None:
    waiting = agent(UNKNOWN)
    waiting.receive(apdu("e8"), 1.0)
    assert waiting.to_send()[12:].hex() == "0000" + "0002" + "0014" + "0984000a0008" + AGENT_ID.hex() + "099c00020055"
    waiting.receive(bytes.fromhex("E7000010 000E 0002 0103 0008 0000 0001 0002 099C"), 1.0)
    assert waiting.to_send()[12:].hex() == "0000" + "0001" + "0006" + "099c00020055"
    assert waiting.state is State.WAITING_APPROVAL


@pytest.mark.parametrize(
    ("handle", "error"),
    [("0001", ErrorValue.INVALID_OBJECT_INSTANCE), ("0002", ErrorValue.NO_SUCH_OBJECT_INSTANCE)],
    ids=["a metric object", "no object"],
)
def test_get_of_a_metric_or_of_an_absent_object_gets_an_error_response(handle: str, error: ErrorValue) -> None:
    operating = agent(KNOWN)
    operating.receive(bytes.fromhex(f"E700000E 000C 0002 0103 0006 {handle} 0000 0000"), 1.0)
    assert operating.to_send() == roer(2, error)


def test_set_of_an_object_that_cannot_be_set_is_refused() -> None:
    operating = agent(KNOWN)
    operating.receive(bytes.fromhex("E7000016 0014 0007 0105 000E 0001 0001 0008 0000 0953 0002 0001"), 1.0)
    assert operating.to_send() == roer(7, ErrorValue.INVALID_OBJECT_INSTANCE)


@pytest.mark.parametrize("result", [ConfigResult.ACCEPTED_CONFIG, ConfigResult.UNSUPPORTED_CONFIG])
def test_configuration_response_that_arrives_during_the_release_is_ignored(result: ConfigResult) -> None:
    leaving = agent(UNKNOWN)
    leaving.release(1.0)
    assert leaving.receive(verdict(result), 1.1) == []
    assert leaving.state is State.DISASSOCIATING
    assert leaving.receive(rlre(), 1.2) == [Released()]


def test_association_is_released_when_both_sides_request_the_release_at_the_same_time() -> None:
    leaving = agent(KNOWN)
    leaving.release(1.0)
    leaving.to_send()
    assert leaving.receive(rlrq(), 1.1) == []
    assert leaving.to_send() == rlre()
    assert leaving.receive(rlre(), 1.2) == [Released()]


def test_closed_connection_is_reported_as_link_lost() -> None:
    assert agent(KNOWN).receive(b"", 1.0) == [LinkLost()]
