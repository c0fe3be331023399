"""Decoding of one APDU as far as possible, and its classification as an input of the state tables.

A role decides whether an AARQ is acceptable, and `machine` knows the invoke-ids of pending requests. A malformed
request is a value here, not an exception, and keeps the invoke-id by which it can be rejected.
"""

from dataclasses import dataclass
from typing import Any

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import (
    Apdu,
    DataApdu,
    MessageTag,
    Prst,
    body_of,
    decode_apdu,
    decode_data,
    invoke_id_of,
)
from protocols.ieee11073.apdu.association import Aare, Aarq, Abrt, Rlre, Rlrq
from protocols.ieee11073.apdu.data import EventType, RejectProblem
from protocols.ieee11073.association.states import Input
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.tolerances import Oddity

CONFIRMED = frozenset(
    {
        MessageTag.CONFIRMED_EVENT_REPORT,
        MessageTag.GET,
        MessageTag.CONFIRMED_SET,
        MessageTag.CONFIRMED_ACTION,
    }
)
"""Requests that get a response; the others get none, not even a refusal."""

_RESPONSE_TAGS_FROM = 0x0200
_TAGS = frozenset(MessageTag)


@dataclass(frozen=True, slots=True)
class Received:
    """A received APDU (`octets`). If it is malformed, `problem` is the RORJ reason and `why` describes the fault."""

    octets: bytes = b""
    apdu: Apdu | None = None
    data: DataApdu | None = None
    body: Any = None
    invoke_id: int | None = None
    problem: RejectProblem = RejectProblem.BADLY_STRUCTURED_APDU
    why: str = ""


NOTHING_RECEIVED = Received()


def read_apdu(data: bytes, notes: Notes, *, messages_are_due: bool) -> tuple[Input, Received]:
    """Decode an APDU and classify it as an input of the state table. Every well-formed response is RX_RESPONSE_KNOWN,
    since pending requests are not known here. If `messages_are_due` is False, a PRST is RX_PRST and its message is not
    decoded. Deviations are noted."""
    try:
        apdu = decode_apdu(data)
    except RemoteProtocolError as error:
        notes.add(Oddity.APDU_UNREADABLE, data, clause=error.clause, reason=error.reason)
        return Input.RX_UNREADABLE, Received(data, invoke_id=invoke_id_of(data), why=str(error))
    received = Received(data, apdu)
    match apdu:
        case Aarq():
            return Input.RX_AARQ, received
        case Aare():
            return Input.RX_AARE, received
        case Rlrq():
            return Input.RX_RLRQ, received
        case Rlre():
            return Input.RX_RLRE, received
        case Abrt():
            return Input.RX_ABRT, received
        case Prst() if not messages_are_due:
            return Input.RX_PRST, received
        case Prst():
            return _read_message(data, apdu, notes)


def _read_message(raw: bytes, prst: Prst, notes: Notes) -> tuple[Input, Received]:
    try:
        data = decode_data(prst.data)
        body = body_of(data)
    except RemoteProtocolError as error:
        notes.add(Oddity.MESSAGE_UNREADABLE, raw, clause=error.clause, reason=error.reason)
        return _unreadable_message(raw, prst, error)
    received = Received(raw, prst, data, body, data.invoke_id)
    match data.message:
        case MessageTag.CONFIRMED_EVENT_REPORT if body.event_type == EventType.CONFIG and body.obj_handle == 0:
            return Input.RX_CONFIG, received
        case MessageTag.EVENT_REPORT | MessageTag.CONFIRMED_EVENT_REPORT:
            return Input.RX_REPORT, received
        case MessageTag.GET:
            return Input.RX_GET, received
        case message if message < _RESPONSE_TAGS_FROM:
            return Input.RX_OTHER_REQUEST, received
        case _:
            return Input.RX_RESPONSE_KNOWN, received


def _unreadable_message(data: bytes, prst: Prst, error: RemoteProtocolError) -> tuple[Input, Received]:
    """Classify a malformed message. A request keeps its invoke-id for RORJ; a response is RX_RESPONSE_UNKNOWN."""
    tag = int.from_bytes(prst.data[2:4], "big")
    if tag in _TAGS and tag >= _RESPONSE_TAGS_FROM:
        return Input.RX_RESPONSE_UNKNOWN, Received(data, prst, why=str(error))
    problem = RejectProblem.BADLY_STRUCTURED_APDU if tag in _TAGS else RejectProblem.UNRECOGNIZED_APDU
    invoke_id = invoke_id_of(data)
    return Input.RX_UNREADABLE, Received(data, prst, invoke_id=invoke_id, problem=problem, why=str(error))
