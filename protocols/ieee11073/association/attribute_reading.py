"""Get request for listed attributes of any object of the device (reference 20601 §6).

Agents must support it for the MDS and for PM-stores; some support it for scanners and metric objects too. A response
may lack requested attributes and contain others. A refusal or a timeout is noted; the association continues.
"""

from collections.abc import Callable, Sequence

from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.data import GetArgument, GetResult, OidEntry
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.refusals import UNANSWERED, refusal
from protocols.ieee11073.association.requests import AtSending, Requests
from protocols.ieee11073.tolerances import Oddity

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
    """Request attributes of the object `handle`. `done` gets the attributes and the time of sending. After a refusal or
    a timeout (`to_s`), `withheld` gets the reason as text. Raises `LocalProtocolError` outside Operating, and when too
    many requests are queued."""
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

    requests.enqueue(MessageTag.GET, AtSending(make), to_s=to_s, done=take_response, overdue=silent)
