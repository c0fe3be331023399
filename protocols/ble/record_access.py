"""Record Access Control Point (0x2A52): requests for stored records, and the responses (reference BLE §6).

A value of the control point is opcode, operator and operand. A request is decoded as long as it has an opcode and an
operator, because a server has to reject a malformed request with a result code. The meaning of an operand depends on
the service (the width of its record numbers), so an operand stays bytes in `RecordAccess`; `bounds_of` decodes it.

The order of requests and responses is in `record_procedure` for the client and in `record_server` for the device.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from protocols.ble.codec import Codec
from protocols.ble.interpretation import SUBSCRIBE, WRITE, CharacteristicUse, RecordNumbering
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT
from protocols.ble.wire import DATE_TIME_BYTES, GattReader, GattWriter
from protocols.errors import LocalProtocolError, RemoteProtocolError

CLAUSE: Final = "RACP 0x2A52"
OPERAND_BYTES_MAX: Final = 18
"""Limit of an operand. The longest with a meaning has 15 bytes (a filter type and two Date Times); 18 is the space that
the smallest MTU leaves beside opcode and operator."""


class Opcode(IntEnum):
    REPORT = 1
    DELETE = 2
    ABORT = 3
    REPORT_NUMBER = 4
    NUMBER_RESPONSE = 5
    RESPONSE = 6
    COMBINED_REPORT = 7
    COMBINED_RESPONSE = 8


class Operator(IntEnum):
    NULL = 0
    ALL = 1
    AT_MOST = 2
    AT_LEAST = 3
    WITHIN = 4
    """Both bounds included."""
    FIRST = 5
    """The oldest record."""
    LAST = 6
    """The newest record."""


class Result(IntEnum):
    SUCCESS = 0x01
    OPCODE_NOT_SUPPORTED = 0x02
    INVALID_OPERATOR = 0x03
    OPERATOR_NOT_SUPPORTED = 0x04
    INVALID_OPERAND = 0x05
    NO_RECORDS_FOUND = 0x06
    ABORT_UNSUCCESSFUL = 0x07
    PROCEDURE_NOT_COMPLETED = 0x08
    OPERAND_NOT_SUPPORTED = 0x09
    SERVER_BUSY = 0x0A


class FilterType(IntEnum):
    """Quantity by which an operand filters records."""

    NUMBER = 1
    """Sequence number, time offset or record number, depending on the service."""
    USER_FACING_TIME = 2
    """Date Time."""


BOUNDS: Final[Mapping[int, int]] = {Operator.AT_MOST: 1, Operator.AT_LEAST: 1, Operator.WITHIN: 2}
"""Operators that have an operand, with the number of values after its filter type."""

_NUMBER_BYTES: Final = {
    RecordNumbering.NONE: 0,
    RecordNumbering.SEQUENCE_NUMBER: 2,
    RecordNumbering.TIME_OFFSET: 2,
    RecordNumbering.RECORD_NUMBER: 4,
}


_RESPONSE_OPERANDS: Final[Mapping[int, tuple[int, ...]]] = {
    Opcode.NUMBER_RESPONSE: (2, 4),
    Opcode.COMBINED_RESPONSE: (2, 4),
    Opcode.RESPONSE: (2,),
}
"""Lengths of a response's operand: a count of 16 or 32 bits, or request opcode and result."""


@dataclass(frozen=True, slots=True)
class RecordAccess:
    """Request or response of the control point. `opcode` and `operator` may be unknown numbers."""

    opcode: int
    operator: int
    operand: bytes = b""


class Response(NamedTuple):
    """Decoded response code: the opcode of the request, and its result as sent."""

    request: int
    result: int


class Bounds(NamedTuple):
    """Decoded operand of a request. `values` are one or two bounds: record numbers, or Date Times converted with
    `comparable_time`. `values` is empty for an unknown filter type."""

    filter_type: int
    values: tuple[int, ...]


def decode_record_access(data: bytes) -> RecordAccess:
    reader = GattReader(data, clause=CLAUSE)
    access = RecordAccess(reader.u8(), reader.u8(), reader.rest())
    lengths = _RESPONSE_OPERANDS.get(access.opcode)
    if lengths is not None and len(access.operand) not in lengths:
        raise RemoteProtocolError(f"a response's operand has {len(access.operand)} bytes", at=2, clause=CLAUSE)
    if lengths is not None and access.operator != Operator.NULL:
        raise RemoteProtocolError(f"a response has operator {access.operator}", at=1, clause=CLAUSE)
    if len(access.operand) > OPERAND_BYTES_MAX:
        raise RemoteProtocolError(f"an operand has {len(access.operand)} bytes", at=2, clause=CLAUSE)
    return access


def encode_record_access(access: RecordAccess) -> bytes:
    return GattWriter().unsigned(access.opcode, 1).unsigned(access.operator, 1).raw(access.operand).value()


def request(opcode: Opcode, operator: Operator, *numbers: int, numbering: RecordNumbering) -> bytes:
    """Encode a request that selects records by number. `numbers` are as many bounds as the operator has: none, one or
    two. Raises LocalProtocolError for a wrong number of bounds, and for any bound where the service has no record
    numbers."""
    if len(numbers) != BOUNDS.get(operator, 0):
        raise LocalProtocolError(f"{operator.name} has another number of bounds than {len(numbers)}")
    operand = GattWriter()
    if numbers:
        width = _NUMBER_BYTES[numbering]
        if not width:
            raise LocalProtocolError("this service has no record numbers")
        operand.unsigned(FilterType.NUMBER, 1)
        for number in numbers:
            operand.unsigned(number, width)
    return encode_record_access(RecordAccess(opcode, operator, operand.value()))


def encode_result(opcode: int, result: Result) -> bytes:
    return encode_record_access(RecordAccess(Opcode.RESPONSE, Operator.NULL, bytes((opcode, result))))


def counted(count: int, numbering: RecordNumbering, opcode: Opcode = Opcode.NUMBER_RESPONSE) -> bytes:
    """Encode the number of records, in 32 bits if record numbers have 32 bits, else in 16 bits. `opcode` is that of a
    number response or of a combined report response."""
    width = max(_NUMBER_BYTES[numbering], 2)
    return encode_record_access(RecordAccess(opcode, Operator.NULL, count.to_bytes(width, "little")))


def response_of(access: RecordAccess) -> Response | None:
    """Decode a response code. Return None if `access` is a message with another opcode."""
    if access.opcode != Opcode.RESPONSE or len(access.operand) != 2:
        return None
    return Response(access.operand[0], access.operand[1])


def count_of(access: RecordAccess) -> int | None:
    """Return the number of records in a number response or combined report response; None for another message."""
    if access.opcode not in (Opcode.NUMBER_RESPONSE, Opcode.COMBINED_RESPONSE):
        return None
    return int.from_bytes(access.operand, "little")


def bounds_of(access: RecordAccess, numbering: RecordNumbering) -> Bounds | None:
    """Decode the bounds of a request. Return None where the operator of the request has no operand. Raises
    RemoteProtocolError where the operand has a wrong length for its filter type."""
    due = BOUNDS.get(access.operator)
    if due is None:
        return None
    reader = GattReader(access.operand, clause=CLAUSE)
    filter_type = reader.u8()
    if filter_type not in (FilterType.NUMBER, FilterType.USER_FACING_TIME):
        return Bounds(filter_type, ())
    if filter_type == FilterType.NUMBER:
        values = tuple(reader.unsigned(_NUMBER_BYTES[numbering]) for _ in range(due))
    else:
        values = tuple(comparable_time(reader.take(DATE_TIME_BYTES)) for _ in range(due))
    reader.finish()
    return Bounds(filter_type, values)


def comparable_time(date_time: bytes) -> int:
    """Convert a Date Time to an integer whose order is the order in time."""
    return int.from_bytes(date_time[1::-1] + date_time[2:], "big")


def number_max(numbering: RecordNumbering) -> int:
    """Return the highest record number in a request; 0 where the service has no record numbers."""
    return (1 << 8 * _NUMBER_BYTES[numbering]) - 1


def record_access_use(fields: str, *, required: bool = False) -> CharacteristicUse:
    """Return the entry of the Record Access Control Point for a service's profile."""
    codec = Codec(decode_record_access, encode_record_access)
    uses = SUBSCRIBE | WRITE
    return CharacteristicUse(
        RECORD_ACCESS_CONTROL_POINT, codec, "Record Access Control Point", uses, fields, required=required
    )
