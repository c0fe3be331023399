"""The responses that a manager owes for confirmed scan reports (reference 20601 §4).

One event may cover a thousand reports, which differ in their invoke-id alone. So a response is encoded once, cut around
the invoke-id, and joined with each of them. `manager` decides when to send them: after the event is durable.
"""

from functools import lru_cache
from typing import NamedTuple

from protocols.ieee11073.apdu import MessageTag, encode_data
from protocols.ieee11073.apdu.data import EventReportResult, EventType, RejectProblem, RejectResult

_INVOKE_ID_AT = 6
"""Offset after the tag and length of the PRST and the length of its data APDU."""
_INVOKE_ID_BYTES = 2
_ACCEPTANCES_MAX = 64
"""Cached acceptances: a device reports from one or two handles, in a few event types."""


class _Response(NamedTuple):
    """An encoded response without its invoke-id."""

    before: bytes
    after: bytes


class OwedResponses(NamedTuple):
    """The confirmed reports that one event covers: their invoke-ids as sent, and the fields that an acceptance
    repeats."""

    invoke_ids: tuple[bytes, ...]
    handle: int
    event_type: int

    def accept(self) -> bytes:
        """Encode one acceptance (RORS) for each report."""
        return _join(_acceptance(self.handle, self.event_type), self.invoke_ids)

    def reject(self) -> bytes:
        """Encode one RORJ resource-limitation for each report: the device keeps the reports that could not be
        stored."""
        return _join(_NO_ROOM, self.invoke_ids)


def _cut(data: bytes) -> _Response:
    return _Response(data[:_INVOKE_ID_AT], data[_INVOKE_ID_AT + _INVOKE_ID_BYTES :])


def _join(response: _Response, invoke_ids: tuple[bytes, ...]) -> bytes:
    before, after = response
    return before + (after + before).join(invoke_ids) + after


@lru_cache(maxsize=_ACCEPTANCES_MAX)
def _acceptance(handle: int, event_type: int) -> _Response:
    return _cut(
        encode_data(0, MessageTag.EVENT_REPORT_RESULT, EventReportResult(handle, 0, EventType(event_type), b""))
    )


_NO_ROOM = _cut(encode_data(0, MessageTag.REJECT, RejectResult(RejectProblem.RESOURCE_LIMITATION)))
