"""The responses that a manager owes for confirmed scan reports (reference 20601 §4).

One event may cover a thousand reports, whose responses differ only in the invoke-id. So a response is encoded once,
split at the invoke-id, and joined with each invoke-id.
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
    """An encoded response without its invoke-id: the bytes before it and after it."""

    before: bytes
    after: bytes


class OwedResponses(NamedTuple):
    """Invoke-ids of the confirmed reports that one event covers; an acceptance repeats `handle` and `event_type`."""

    invoke_ids: tuple[bytes, ...]
    handle: int
    event_type: int

    def accept(self) -> bytes:
        """Return the encoded acceptances (RORS), one for each report."""
        return _join(_acceptance(self.handle, self.event_type), self.invoke_ids)

    def reject(self) -> bytes:
        """Return the encoded rejections (RORJ resource-limitation), one for each report."""
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
