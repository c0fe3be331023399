"""Texts for refusals: the names of ROER and RORJ reasons (reference 20601 §4), without any measured value."""

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.data import ErrorResult, ErrorValue, RejectResult
from protocols.ieee11073.mder import OpenIntEnum
from protocols.reader import Reader

UNANSWERED = "it was not answered in time"

_WITH_RETURN_CODE = frozenset(
    {ErrorValue.NOT_ALLOWED_BY_OBJECT, ErrorValue.ACTION_TIMED_OUT, ErrorValue.ACTION_ABORTED}
)


class ReturnCode(OpenIntEnum):
    """Return code of partition 255: the reason for which an object did not perform a request."""

    UNKNOWN = 1
    OBJ_BUSY = 1000
    STORE_EXH = 2000
    STORE_OFFLN = 2001


def refusal(body: object) -> str | None:
    """Return a text for a ROER or RORJ body, or None for any other body."""
    match body:
        case ErrorResult():
            return f"ROER {words(body.error_value)}{_return_code(body)}"
        case RejectResult():
            return f"RORJ {words(body.problem)}"
        case _:
            return None


def words(member: OpenIntEnum) -> str:
    """Return the name of an enumeration member as the standard writes it, with its number: `obj-busy (1000)`."""
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
