"""Tables that map each APDU tag to a type of APDU, and each message tag to a type of body (reference 20601 §3 and §4).

The content of a PRST is one data APDU: invoke-id, message tag, length, body. Each length is checked against the
enclosing length. The invoke-id is read before the body, so that a message with an invalid body can be rejected.
"""

from dataclasses import dataclass
from typing import Any

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.apdu.association import Aare, Aarq, Abrt, Rlre, Rlrq
from protocols.ieee11073.apdu.data import (
    ActionArgument,
    ActionResult,
    ErrorResult,
    EventReportArgument,
    EventReportResult,
    GetArgument,
    GetResult,
    RejectResult,
    SetArgument,
    SetResult,
)
from protocols.ieee11073.mder import OpenIntEnum, codec, decode, encode
from protocols.reader import Reader


class MessageTag(OpenIntEnum):
    EVENT_REPORT = 0x0100
    CONFIRMED_EVENT_REPORT = 0x0101
    GET = 0x0103
    SET = 0x0104
    CONFIRMED_SET = 0x0105
    ACTION = 0x0106
    CONFIRMED_ACTION = 0x0107
    EVENT_REPORT_RESULT = 0x0201
    GET_RESULT = 0x0203
    SET_RESULT = 0x0205
    ACTION_RESULT = 0x0207
    ERROR = 0x0300
    REJECT = 0x0400


@dataclass(frozen=True, slots=True)
class Prst:
    """A presentation APDU (PRST); `data` is its encoded data APDU."""

    data: bytes


@dataclass(frozen=True, slots=True)
class DataApdu:
    """A data APDU with its body still encoded, so that the invoke-id is known even if the body is invalid."""

    invoke_id: int
    message: MessageTag
    body: bytes


Apdu = Aarq | Aare | Rlrq | Rlre | Abrt | Prst

APDUS: dict[int, type[Any]] = {
    0xE200: Aarq,
    0xE300: Aare,
    0xE400: Rlrq,
    0xE500: Rlre,
    0xE600: Abrt,
    0xE700: Prst,
}

BODIES: dict[int, type[Any]] = {
    MessageTag.EVENT_REPORT: EventReportArgument,
    MessageTag.CONFIRMED_EVENT_REPORT: EventReportArgument,
    MessageTag.GET: GetArgument,
    MessageTag.SET: SetArgument,
    MessageTag.CONFIRMED_SET: SetArgument,
    MessageTag.ACTION: ActionArgument,
    MessageTag.CONFIRMED_ACTION: ActionArgument,
    MessageTag.EVENT_REPORT_RESULT: EventReportResult,
    MessageTag.GET_RESULT: GetResult,
    MessageTag.SET_RESULT: SetResult,
    MessageTag.ACTION_RESULT: ActionResult,
    MessageTag.ERROR: ErrorResult,
    MessageTag.REJECT: RejectResult,
}

_TAG_OF = {wire_type: tag for tag, wire_type in APDUS.items()}


def decode_apdu(data: bytes) -> Apdu:
    """Decode one whole APDU; the data APDU inside a PRST stays encoded. Raises `RemoteProtocolError`."""
    reader = Reader(data, clause="20601 §3 APDU")
    tag = reader.u16()
    wire_type = APDUS.get(tag)
    if wire_type is None:
        raise RemoteProtocolError(f"no APDU has the tag 0x{tag:04X}", at=0, clause="20601 §3 APDU")
    content = reader.inside(reader.u16())
    reader.finish()
    apdu: Apdu = Prst(content.take(content.u16())) if wire_type is Prst else codec.read(wire_type, content)
    content.finish()
    return apdu


def decode_data(data: bytes) -> DataApdu:
    """Decode a data APDU, except its body. Raises `RemoteProtocolError` when a length is wrong."""
    reader = Reader(data, clause="20601 §4 DataApdu")
    invoke_id, message = reader.u16(), MessageTag(reader.u16())
    body = reader.take(reader.u16())
    reader.finish()
    return DataApdu(invoke_id, message, body)


def invoke_id_of(data: bytes) -> int | None:
    """Return the invoke-id of an undecodable PRST. Return None where `data` is too short or has another tag."""
    return int.from_bytes(data[6:8], "big") if len(data) >= 8 and data[:2] == b"\xe7\x00" else None


def body_of(data: DataApdu) -> Any:
    """Decode the body by its message tag. Raises `RemoteProtocolError` for an unknown tag or an invalid body."""
    wire_type = BODIES.get(data.message)
    if wire_type is None:
        raise RemoteProtocolError(f"no message has the tag 0x{data.message:04X}", at=2, clause="20601 §4 DataApdu")
    return decode(wire_type, data.body)


def encode_apdu(apdu: Apdu) -> bytes:
    """Encode one APDU, header included."""
    content = _counted(apdu.data) if isinstance(apdu, Prst) else encode(apdu)
    return _TAG_OF[type(apdu)].to_bytes(2, "big") + _counted(content)


def encode_data(invoke_id: int, message: MessageTag, body: object) -> bytes:
    """Encode a message as a whole PRST APDU."""
    frame = invoke_id.to_bytes(2, "big") + message.to_bytes(2, "big") + _counted(encode(body))
    return encode_apdu(Prst(frame))


def _counted(data: bytes) -> bytes:
    if len(data) > 0xFFFF:
        raise LocalProtocolError(f"{len(data)} bytes do not fit an APDU")
    return len(data).to_bytes(2, "big") + data
