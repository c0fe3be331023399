"""Dispatch a manager's request to an agent's services, or refuse it by the rules (reference 20601 §4 and §9.4).

Rule 3: an unknown handle is no-such-object-instance, a known one of the wrong class invalid-object-instance, an unknown
action of an object that has actions no-such-action. A malformed request is RORJ badly-structured-apdu, and one that
agents do not support RORJ unrecognized-operation. The association sends the response.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import (
    ActionArgument,
    ActionResult,
    ErrorResult,
    ErrorValue,
    GetArgument,
    GetResult,
    RejectProblem,
    RejectResult,
    SetArgument,
    SetResult,
)
from protocols.ieee11073.association.agent_service import Acted, AgentService, Refusal, Refused, Rejected, Silent
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.dim.attribute import ObjectClass
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.tolerances import Oddity

_MDS = 0
_WITH_ACTIONS = frozenset({ObjectClass.PM_STORE})
"""Classes besides the MDS whose objects have actions."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response to send. `body` None: none is sent. `then` runs after the response was sent, or instead of it."""

    message: MessageTag
    body: object | None
    then: Callable[[], None] | None = None


class Answering:
    """Dispatcher of requests to the services of one agent, in their order."""

    def __init__(self, services: Sequence[AgentService], notes: Notes) -> None:
        self._services = tuple(services)
        self._notes = notes

    def answer(self, received: Received, configuration: Configuration) -> Answer:
        """Return the response to a Get, Set or action in Operating. The association does not send the response to an
        unconfirmed one."""
        try:
            return self._answered(received.body, configuration)
        except RemoteProtocolError as error:
            self._notes.add(Oddity.MESSAGE_UNREADABLE, received.octets, clause=error.clause, reason=error.reason)
            return _refusal(Rejected(RejectProblem.BADLY_STRUCTURED_APDU))

    def answer_early(self, asked: GetArgument) -> Answer:
        """Return the response to a Get before the configuration is agreed: only the MDS exists."""
        if asked.obj_handle != _MDS:
            return _refusal(Refused(ErrorValue.NO_SUCH_OBJECT_INSTANCE))
        return self._get(asked) or _refusal(Refused(ErrorValue.NO_SUCH_OBJECT_INSTANCE))

    def _answered(self, body: object, configuration: Configuration) -> Answer:
        match body:
            case GetArgument():
                answer = self._get(body)
            case SetArgument():
                answer = self._set(body)
            case ActionArgument():
                answer = self._act(body)
            case _:
                return _refusal(Rejected(RejectProblem.UNRECOGNIZED_OPERATION))
        return answer or _refusal(Refused(_no_owner(body, configuration)))

    def _get(self, asked: GetArgument) -> Answer | None:
        for service in self._services:
            found = service.get(asked.obj_handle)
            if found is None:
                continue
            if isinstance(found, Refusal):
                return _refusal(found)
            ids = {entry.attribute_id for entry in asked.attribute_id_list}
            attributes = tuple(item for item in found if not ids or item.attribute_id in ids)
            return Answer(MessageTag.GET_RESULT, GetResult(asked.obj_handle, attributes))
        return None

    def _set(self, asked: SetArgument) -> Answer | None:
        for service in self._services:
            found: Sequence[AvaType] | Refusal | None = service.set(asked.obj_handle, asked.modification_list)
            if found is None:
                continue
            if isinstance(found, Refusal):
                return _refusal(found)
            return Answer(MessageTag.SET_RESULT, SetResult(asked.obj_handle, tuple(found)))
        return None

    def _act(self, asked: ActionArgument) -> Answer | None:
        for service in self._services:
            found: Acted | Refusal | None = service.act(asked.obj_handle, asked.action_type, asked.action_info_args)
            if found is None:
                continue
            if isinstance(found, Refusal):
                return _refusal(found)
            result = ActionResult(asked.obj_handle, asked.action_type, found.info)
            return Answer(MessageTag.ACTION_RESULT, result, found.then)
        return None


def _no_owner(asked: GetArgument | SetArgument | ActionArgument, configuration: Configuration) -> ErrorValue:
    """Return the error for a request that no service handles: the object does not exist, is of the wrong class, or
    lacks the action."""
    handle = asked.obj_handle
    object_class = next((item.obj_class for item in configuration.objects if item.obj_handle == handle), None)
    if isinstance(asked, ActionArgument) and (handle == _MDS or object_class in _WITH_ACTIONS):
        return ErrorValue.NO_SUCH_ACTION
    if object_class is None and handle != _MDS:
        return ErrorValue.NO_SUCH_OBJECT_INSTANCE
    return ErrorValue.INVALID_OBJECT_INSTANCE


def _refusal(refusal: Refusal) -> Answer:
    match refusal:
        case Refused(error=error, return_code=code):
            parameter = b"" if code is None else code.to_bytes(2, "big")
            return Answer(MessageTag.ERROR, ErrorResult(error, parameter))
        case Rejected(problem=problem):
            return Answer(MessageTag.REJECT, RejectResult(problem))
        case Silent():
            return Answer(MessageTag.ERROR, None)
