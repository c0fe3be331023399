"""Get with an attribute list, of any object of the device, for the caller and for the other services (reference §6).

Agents must support it for the MDS and for PM-stores; some support it for scanners and metric objects too. A response
leaves out ids that the object does not have; attributes beyond the requested ones are accepted. A refusal or a timeout
is reported and has no other effect.
"""

from collections.abc import Callable, Sequence

from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.data import GetArgument, GetResult, OidEntry
from protocols.ieee11073.association.manager_events import AttributesRead, AttributesWithheld
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.refusals import UNANSWERED, refusal
from protocols.ieee11073.association.requests import AtSending, Requests
from protocols.ieee11073.association.service import Service
from protocols.ieee11073.tolerances import Oddity

GET_RESPONSES = frozenset({MessageTag.GET_RESULT, MessageTag.ERROR, MessageTag.REJECT})

ATTRIBUTES_MAX = 1024
"""Limit of ids in one Get; the standard has about two hundred."""
Attributes = tuple[tuple[int, bytes], ...]


def request_attributes(
    requests: Requests,
    handle: int,
    attribute_ids: Sequence[int],
    *,
    to_s: float,
    done: Callable[[Attributes, float], None],
    withheld: Callable[[str], None],
) -> None:
    """Request attributes of an object. `done` gets them with the time at which the request was sent; `withheld` gets
    the reason in words after a refusal or a timeout. Raises as `Requests.enqueue` does."""
    asked_s = 0.0

    def make(now_s: float) -> GetArgument:
        nonlocal asked_s
        asked_s = now_s
        return GetArgument(handle, tuple(map(OidEntry, attribute_ids)))

    def take_response(received: Received) -> None:
        result = received.body
        if isinstance(result, GetResult):
            done(tuple((ava.attribute_id, ava.attribute_value) for ava in result.attribute_list), asked_s)
            return
        why = refusal(result) or ""
        requests.notes.add(Oddity.ATTRIBUTES_WITHHELD, received.octets, handle=handle, why=why)
        withheld(why)

    def silent() -> None:
        requests.notes.add(Oddity.ATTRIBUTES_WITHHELD, handle=handle, why=UNANSWERED)
        withheld(UNANSWERED)

    requests.enqueue(
        MessageTag.GET, AtSending(make), answers=GET_RESPONSES, to_s=to_s, done=take_response, overdue=silent
    )


class AttributeReading(Service):
    """Service with the command `read`."""

    def __init__(self, requests: Requests, to_get_s: float) -> None:
        super().__init__(requests)
        self._to_get_s = to_get_s

    def read(self, handle: int, attribute_ids: Sequence[int] = (), *, now_s: float) -> None:
        """Send a Get of an object; without ids all its attributes. `AttributesRead` or `AttributesWithheld` follows.

        Raises `LocalProtocolError` for too many ids, unless the association operates, and when too many requests are
        queued.
        """
        if len(attribute_ids) > ATTRIBUTES_MAX:
            raise LocalProtocolError(f"at most {ATTRIBUTES_MAX} attributes are read at one time")
        self._requests.set_now(now_s)
        request_attributes(
            self._requests,
            handle,
            attribute_ids,
            to_s=self._to_get_s,
            done=lambda attributes, asked_s: self._requests.emit(AttributesRead(handle, attributes)),
            withheld=lambda why: self._requests.emit(AttributesWithheld(handle, why)),
        )
