"""Refusals in words: ROER and RORJ by their names (reference 20601 §4).

The words go into events and the device report. They hold no value of a measurement.
"""

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.data import ErrorResult, ErrorValue, RejectResult
from protocols.ieee11073.mder import OpenIntEnum
from protocols.reader import Reader

UNANSWERED = "it was not answered in time"

_WITH_RETURN_CODE = frozenset(
    {ErrorValue.NOT_ALLOWED_BY_OBJECT, ErrorValue.ACTION_TIMED_OUT, ErrorValue.ACTION_ABORTED}
)


class ReturnCode(OpenIntEnum):
    """Partition 255: reason why an object did not perform a request."""

    UNKNOWN = 1
    OBJ_BUSY = 1000
    STORE_EXH = 2000
    STORE_OFFLN = 2001


def refusal(body: object) -> str | None:
    """Return the words for a response that is a ROER or a RORJ; None for any other body."""
    match body:
        case ErrorResult():
            return f"ROER {words(body.error_value)}{_return_code(body)}"
        case RejectResult():
            return f"RORJ {words(body.problem)}"
        case _:
            return None


def words(member: OpenIntEnum) -> str:
    """Return an enumeration's name as the standard writes it, with its number."""
    return f"{member.name.lower().replace('_', '-')} ({int(member)})"


def _return_code(error: ErrorResult) -> str:
    if error.error_value not in _WITH_RETURN_CODE or not error.parameter:
        return ""
    reader = Reader(error.parameter, clause="20601 §4 roer parameter")
    try:
        code = ReturnCode(reader.u16())
        reader.finish()
    except RemoteProtocolError:
        return ""
    return f", {words(code)}"
