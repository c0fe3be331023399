"""A manager's requests: one is in flight at a time, others wait in order, and a missing response is handled.

The tests add their own service to a real manager, which sends requests as the manager's services do.
"""

import pytest

from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu import MessageTag, encode_data
from protocols.ieee11073.apdu.association import AbortReason
from protocols.ieee11073.apdu.data import (
    ActionArgument,
    ActionResult,
    ErrorValue,
    GetArgument,
    GetResult,
    RejectProblem,
)
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.requests import PENDING_MAX
from protocols.ieee11073.association.service import Service
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.reports import Reading, fixed_report
from tests.builders.ieee11073_apdus import (
    AGENT_ID,
    MANAGER_ID,
    aarq,
    abrt,
    get_response,
    rlrq,
    roer,
    rorj,
    scan_report,
)
from tests.builders.ieee11073_devices import OXIMETER, minute
from tests.builders.ieee11073_rows import event_text


class Asking(Service):
    """A service that requests actions and records their results."""

    def __init__(self, association: "AskingManager") -> None:
        super().__init__(association._peer)
        self.came: list[str] = []

    def ask(self, action: int, *, tolerant: bool = True, then: int | None = None) -> None:
        """Request an action. With `then`, also request the action `then` after the response or time-out of the first
        action.

        With `tolerant` false, a time-out ends the association.
        """

        def done(received: Received) -> None:
            self.came.append(f"{action} {type(received.body).__name__}")
            if then is not None:
                self.ask(then)

        def overdue() -> None:
            self.came.append(f"{action} silence")
            if then is not None:
                self.ask(then)

        argument = ActionArgument(0, action, b"")
        self._requests.enqueue(
            MessageTag.CONFIRMED_ACTION,
            argument,
            to_s=3.0,
            done=done,
            overdue=overdue if tolerant else None,
        )

    def end(self) -> None:
        self.came.append("ended")


class AskingManager(ManagerAssociation):
    """A manager with an additional service, through which the tests send requests."""

    def __init__(self) -> None:
        remembered = RememberedConfigurations()
        remembered.remember(AGENT_ID, OXIMETER.config_id, OXIMETER.encoded)
        super().__init__(system_id=MANAGER_ID, configurations=remembered, settings=ManagerSettings())
        self.service = Asking(self)
        self._services += (self.service,)


def operating(*, mds_read: bool = True) -> AskingManager:
    """Return a manager in the state Operating at second 0; it used the invoke-id 0 for the Get of the MDS.

    With `mds_read`, the device has responded to this Get.
    """
    one = AskingManager()
    one.receive(aarq(OXIMETER.config_id), 0.0)
    if mds_read:
        one.receive(get_response(0), 0.0)
    one.to_send()
    return one


def action(invoke_id: int, number: int) -> bytes:
    return encode_data(invoke_id, MessageTag.CONFIRMED_ACTION, ActionArgument(0, number, b""))


def result(invoke_id: int, number: int) -> bytes:
    return encode_data(invoke_id, MessageTag.ACTION_RESULT, ActionResult(0, number, b""))


def report(number: int) -> bytes:
    readings = (Reading(1, 97.0, minute(number)), Reading(10, 60.0, minute(number)))
    return scan_report(fixed_report(OXIMETER, readings), report_no=number, invoke_id=100 + number, confirmed=False)


def test_only_one_manager_request_is_in_flight_at_a_time() -> None:
    manager = operating(mds_read=False)
    for number in (11, 12):
        manager.service.ask(number)
    assert manager.to_send() == b""  # the Get of the MDS is in flight
    manager.receive(get_response(0), 1.0)
    assert manager.to_send() == action(1, 11)
    manager.receive(result(1, 11), 1.5)
    assert manager.to_send() == action(2, 12)
    assert manager.deadline_s == 4.5  # the second request's time starts when it is sent
    manager.receive(result(2, 12), 2.0)
    assert manager.service.came == ["11 ActionResult", "12 ActionResult"]
    assert manager.deadline_s is None


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (result(1, 11), "11 ActionResult"),
        (roer(1, ErrorValue.NO_SUCH_ACTION), "11 ErrorResult"),
        (rorj(1, RejectProblem.UNRECOGNIZED_OPERATION), "11 RejectResult"),
    ],
)
def test_result_or_error_or_reject_response_completes_a_request(answer: bytes, came: str) -> None:
    manager = operating()
    manager.service.ask(11)
    manager.receive(answer, 1.0)
    assert manager.service.came == [came]
    assert manager.state is State.OPERATING


def test_timeout_of_a_request_is_reported_and_the_next_request_is_sent() -> None:
    manager = operating()
    manager.service.ask(11)
    manager.service.ask(12)
    manager.to_send()
    assert manager.expire(2.9) == []
    assert manager.service.came == []
    assert manager.expire(3.0) == []
    assert manager.service.came == ["11 silence"]
    assert manager.state is State.OPERATING
    assert manager.to_send() == action(2, 12)
    assert [event_text(event) for event in manager.receive(report(0), 3.5)] == ["2 observations, unconfirmed"]


def test_late_response_to_a_timed_out_request_is_ignored_with_a_deviation() -> None:
    manager = operating()
    manager.service.ask(11)
    manager.expire(3.0)
    told = manager.receive(result(1, 11), 4.0)
    assert [event_text(event) for event in told] == ["odd answer_late"]
    assert manager.service.came == ["11 silence"]
    assert manager.state is State.OPERATING
    assert manager.to_send() == action(1, 11)


def test_late_response_to_a_timed_out_request_does_not_complete_the_next_request() -> None:
    manager = operating()
    manager.service.ask(11)
    manager.service.ask(12)
    manager.expire(3.0)
    manager.receive(result(1, 11), 3.5)
    assert manager.service.came == ["11 silence"]
    manager.receive(result(2, 12), 4.0)
    assert manager.service.came == ["11 silence", "12 ActionResult"]


def test_timeout_of_a_mandatory_request_aborts_the_association() -> None:
    manager = operating()
    manager.service.ask(11, tolerant=False)
    manager.service.ask(12)
    manager.to_send()
    (aborted,) = manager.expire(3.0)
    assert event_text(aborted) == "aborted 2 by us"
    assert manager.service.came == ["ended"]
    assert manager.to_send() == abrt(AbortReason.RESPONSE_TIMEOUT)


def test_pending_requests_are_dropped_when_the_association_ends() -> None:
    manager = operating()
    manager.service.ask(11)
    manager.service.ask(12)
    manager.to_send()
    manager.receive(rlrq(), 1.0)
    manager.to_send()
    manager.receive(aarq(OXIMETER.config_id), 2.0)
    manager.receive(get_response(2), 2.0)
    assert manager.to_send().count(b"\x01\x07") == 0
    manager.service.ask(13)
    assert manager.to_send() == action(3, 13)
    assert manager.service.came == ["ended"]


def test_response_to_a_request_of_the_previous_association_aborts_the_association() -> None:
    manager = operating()
    manager.service.ask(11)
    manager.expire(3.0)
    manager.receive(rlrq() + aarq(OXIMETER.config_id), 4.0)
    manager.receive(result(1, 11), 4.5)
    assert manager.state is State.UNASSOCIATED


def test_response_and_timeout_callbacks_may_send_further_requests() -> None:
    manager = operating()
    manager.service.ask(11, then=12)
    manager.receive(result(1, 11), 1.0)
    manager.service.ask(13, then=14)
    manager.receive(result(2, 12), 2.0)
    manager.expire(5.0)
    manager.receive(result(4, 14), 6.0)
    assert manager.service.came == ["11 ActionResult", "12 ActionResult", "13 silence", "14 ActionResult"]


def test_number_of_queued_requests_is_limited() -> None:
    manager = operating()
    for number in range(PENDING_MAX + 1):  # one of them is in flight
        manager.service.ask(number)
    with pytest.raises(LocalProtocolError):
        manager.service.ask(99)
    for number in range(PENDING_MAX + 1):
        manager.receive(result(1 + number, number), 1.0)
    assert len(manager.service.came) == PENDING_MAX + 1


def test_sending_a_request_outside_the_operating_state_is_a_local_protocol_error() -> None:
    manager = AskingManager()
    with pytest.raises(LocalProtocolError):
        manager.service.ask(11)


def test_response_of_the_wrong_kind_aborts_the_association() -> None:
    manager = operating()
    manager.service.ask(11)
    manager.to_send()
    wrong = encode_data(1, MessageTag.GET_RESULT, GetResult(0, ()))
    manager.receive(wrong, 1.0)
    assert manager.to_send() == abrt()
    assert manager.state is State.UNASSOCIATED


def test_sending_a_request_larger_than_the_apdu_limit_is_a_local_protocol_error() -> None:
    manager = operating()
    with pytest.raises(LocalProtocolError):
        manager.service._requests.enqueue(
            MessageTag.CONFIRMED_ACTION,
            ActionArgument(0, 1, bytes(65_000)),
            to_s=3.0,
            done=lambda received: None,
        )
    manager.service.ask(11)
    assert manager.to_send() == action(1, 11)


def test_no_further_request_is_sent_when_a_response_arrives_during_the_release() -> None:
    manager = operating()
    manager.service.ask(11)
    manager.service.ask(12)
    manager.release(0.5)
    manager.to_send()
    manager.receive(result(1, 11), 1.0)
    assert manager.service.came == ["11 ActionResult"]
    assert manager.to_send() == b""
    assert manager.state is State.DISASSOCIATING


def test_request_made_by_a_response_callback_during_the_release_is_dropped() -> None:
    manager = operating()
    manager.service.ask(11, then=12)
    manager.release(0.5)
    manager.to_send()
    assert manager.receive(result(1, 11), 1.0) == []
    assert manager.to_send() == b""
    assert manager.service.came == ["11 ActionResult"]
    with pytest.raises(LocalProtocolError):
        manager.service.ask(13)


def test_mds_response_during_the_release_causes_no_further_request() -> None:
    manager = operating(mds_read=False)
    manager.release(0.5)
    manager.to_send()
    assert [event_text(event) for event in manager.receive(get_response(0), 1.0)] == ["MdsRead"]
    assert manager.to_send() == b""


def test_get_request_is_completed_by_its_response() -> None:
    manager = operating()
    came: list[Received] = []
    manager.service._requests.enqueue(
        MessageTag.GET,
        GetArgument(1, ()),
        to_s=3.0,
        done=came.append,
    )
    manager.receive(get_response(1), 1.0)
    assert [one.invoke_id for one in came] == [1]
