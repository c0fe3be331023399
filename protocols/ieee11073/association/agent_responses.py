"""Dispatch of a manager's requests to an agent's services, and refusal of all others (reference 20601 §4 and §9.4).

By rule 3 of §9.4, an unknown handle is refused with no-such-object-instance, a known handle of the wrong class with
invalid-object-instance, and an unknown action of an object that has actions with no-such-action. A malformed request is
rejected (RORJ) with badly-structured-apdu, an unsupported operation with unrecognized-operation.
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
class Response:
    """An agent's response to a request. If `body` is None, no response is sent. `then` is called after the response is
    sent, or at once if no response is sent."""

    message: MessageTag
    body: object | None
    then: Callable[[], None] | None = None


class Dispatcher:
    """Dispatcher of the manager's requests: offers each to the agent's services, in order, until one handles it."""

    def __init__(self, services: Sequence[AgentService], notes: Notes) -> None:
        self._services = tuple(services)
        self._notes = notes

    def respond(self, received: Received, configuration: Configuration) -> Response:
        """Return the response to a Get, Set or action in Operating. The caller does not send the response to an
        unconfirmed request."""
        try:
            return self._dispatch(received.body, configuration)
        except RemoteProtocolError as error:
            self._notes.add(Oddity.MESSAGE_UNREADABLE, received.octets, clause=error.clause, reason=error.reason)
            return _refusal(Rejected(RejectProblem.BADLY_STRUCTURED_APDU))

    def respond_early(self, request: GetArgument) -> Response:
        """Return the response to a Get during configuration, when only the MDS can be read."""
        if request.obj_handle != _MDS:
            return _refusal(Refused(ErrorValue.NO_SUCH_OBJECT_INSTANCE))
        return self._get(request) or _refusal(Refused(ErrorValue.NO_SUCH_OBJECT_INSTANCE))

    def _dispatch(self, body: object, configuration: Configuration) -> Response:
        match body:
            case GetArgument():
                response = self._get(body)
            case SetArgument():
                response = self._set(body)
            case ActionArgument():
                response = self._act(body)
            case _:
                return _refusal(Rejected(RejectProblem.UNRECOGNIZED_OPERATION))
        return response or _refusal(Refused(_no_owner(body, configuration)))

    def _get(self, request: GetArgument) -> Response | None:
        for service in self._services:
            found = service.get(request.obj_handle)
            if found is None:
                continue
            if isinstance(found, Refusal):
                return _refusal(found)
            ids = {entry.attribute_id for entry in request.attribute_id_list}
            attributes = tuple(item for item in found if not ids or item.attribute_id in ids)
            return Response(MessageTag.GET_RESULT, GetResult(request.obj_handle, attributes))
        return None

    def _set(self, request: SetArgument) -> Response | None:
        for service in self._services:
            found: Sequence[AvaType] | Refusal | None = service.set(request.obj_handle, request.modification_list)
            if found is None:
                continue
            if isinstance(found, Refusal):
                return _refusal(found)
            return Response(MessageTag.SET_RESULT, SetResult(request.obj_handle, tuple(found)))
        return None

    def _act(self, request: ActionArgument) -> Response | None:
        for service in self._services:
            found: Acted | Refusal | None = service.act(
                request.obj_handle, request.action_type, request.action_info_args
            )
            if found is None:
                continue
            if isinstance(found, Refusal):
                return _refusal(found)
            result = ActionResult(request.obj_handle, request.action_type, found.info)
            return Response(MessageTag.ACTION_RESULT, result, found.then)
        return None


def _no_owner(request: GetArgument | SetArgument | ActionArgument, configuration: Configuration) -> ErrorValue:
    """Return the error for a request that no service handles."""
    handle = request.obj_handle
    object_class = next((item.obj_class for item in configuration.objects if item.obj_handle == handle), None)
    if isinstance(request, ActionArgument) and (handle == _MDS or object_class in _WITH_ACTIONS):
        return ErrorValue.NO_SUCH_ACTION
    if object_class is None and handle != _MDS:
        return ErrorValue.NO_SUCH_OBJECT_INSTANCE
    return ErrorValue.INVALID_OBJECT_INSTANCE


def _refusal(refusal: Refusal) -> Response:
    match refusal:
        case Refused(error=error, return_code=code):
            parameter = b"" if code is None else code.to_bytes(2, "big")
            return Response(MessageTag.ERROR, ErrorResult(error, parameter))
        case Rejected(problem=problem):
            return Response(MessageTag.REJECT, RejectResult(problem))
        case Silent():
            return Response(MessageTag.ERROR, None)
