"""Device side of the Record Access Control Point, without I/O: selection of records, and responses.

The peripheral passes in each write, and calls `next` for each value to send, at its own pace. So an abort, a lost link
or a new measurement can occur between any two records.
"""

from collections import deque
from collections.abc import Callable, Collection, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from protocols.ble.interpretation import RecordNumbering
from protocols.ble.record_access import (
    BOUNDS,
    Bounds,
    FilterType,
    Opcode,
    Operator,
    RecordAccess,
    Result,
    bounds_of,
    comparable_time,
    counted,
    decode_record_access,
    encode_result,
)
from protocols.ble.record_procedure import CCCD_IMPROPERLY_CONFIGURED, PROCEDURE_ALREADY_IN_PROGRESS
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT
from protocols.ble.wire import date_time_bytes
from protocols.errors import RemoteProtocolError

INVALID_ATTRIBUTE_LENGTH: Final = 0x0D
"""ATT error for a write that is not a request."""
EVERY_OPERATOR: Final = frozenset(Operator) - {Operator.NULL}


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record. `values` are the characteristic values that carry it, in order (such as a glucose measurement and its
    context). `user_facing` is None where the device does not filter by time."""

    number: int
    values: tuple[tuple[int, bytes], ...]
    user_facing: datetime | None = None


class Outgoing(NamedTuple):
    """Next value to send as a notification or indication of `characteristic`."""

    characteristic: int
    octets: bytes


class RecordServer:
    """Server of the control point in one connection. `records` maps numbers to records, oldest first. Each request
    reads the mapping, and a delete request removes records from it."""

    def __init__(
        self,
        records: MutableMapping[int, StoredRecord],
        numbering: RecordNumbering,
        *,
        operators: Collection[Operator] = EVERY_OPERATOR,
    ) -> None:
        self._records = records
        self._numbering = numbering
        self._operators = frozenset(operators)
        self._sending: deque[StoredRecord] = deque()
        self._outgoing: deque[Outgoing] = deque()
        self._ends_with: bytes | None = None
        self.busy = False
        """Respond "server busy" to every request but an abort."""

    @property
    def running(self) -> bool:
        """True while values of the current request remain to be sent."""
        return bool(self._outgoing or self._sending) or self._ends_with is not None

    def written(self, data: bytes, *, subscribed: bool = True) -> int | None:
        """Process a write to the control point. Return the ATT error with which to reject the write. Return None if the
        request is accepted; `next` then returns the values to send. `subscribed`: the client has subscribed to all
        characteristics that the response needs."""
        if not subscribed:
            return CCCD_IMPROPERLY_CONFIGURED[0]
        try:
            access = decode_record_access(data)
        except RemoteProtocolError:
            return INVALID_ATTRIBUTE_LENGTH
        if access.opcode == Opcode.ABORT:
            self._abort(access)
            return None
        if self.running:
            return PROCEDURE_ALREADY_IN_PROGRESS[0]
        self._ends_with = self._begin(access)
        return None

    def next(self) -> Outgoing | None:
        """Return the next value to send; None when all values of the current request were returned."""
        if not self._outgoing and self._sending:
            self._outgoing += (Outgoing(*value) for value in self._sending.popleft().values)
        if self._outgoing:
            return self._outgoing.popleft()
        if self._ends_with is None:
            return None
        data, self._ends_with = self._ends_with, None
        return Outgoing(RECORD_ACCESS_CONTROL_POINT, data)

    def lost(self) -> None:
        """Drop the values that remain to be sent, because the link was lost. The stored records are kept."""
        self._outgoing.clear()
        self._sending.clear()
        self._ends_with = None

    def _abort(self, access: RecordAccess) -> None:
        if access.operator != Operator.NULL:
            result = Result.INVALID_OPERATOR
        elif access.operand:
            result = Result.INVALID_OPERAND
        else:
            result = Result.SUCCESS
            self.lost()
        self._ends_with = encode_result(Opcode.ABORT, result)

    def _begin(self, access: RecordAccess) -> bytes:
        """Queue or delete the records of a request. Return the indication to send after the records."""
        result, chosen = self._chosen(access)
        if result is not Result.SUCCESS:
            return encode_result(access.opcode, result)
        match access.opcode:
            case Opcode.REPORT_NUMBER:
                return counted(len(chosen), self._numbering)
            case Opcode.DELETE:
                for record in chosen:
                    del self._records[record.number]
                return encode_result(access.opcode, Result.SUCCESS)
            case Opcode.COMBINED_REPORT:
                self._sending += chosen
                return counted(len(chosen), self._numbering, Opcode.COMBINED_RESPONSE)
        self._sending += chosen
        return encode_result(access.opcode, Result.SUCCESS)

    def _chosen(self, access: RecordAccess) -> tuple[Result, list[StoredRecord]]:
        """Return the result code of a request and the records that it selects. A request for the number of records
        succeeds even if no record is selected."""
        if access.opcode not in (Opcode.REPORT, Opcode.DELETE, Opcode.REPORT_NUMBER, Opcode.COMBINED_REPORT):
            return Result.OPCODE_NOT_SUPPORTED, []
        if self.busy:
            return Result.SERVER_BUSY, []
        if access.operator == Operator.NULL:
            return Result.INVALID_OPERATOR, []
        if access.operator not in self._operators or (
            access.operator in BOUNDS and self._numbering is RecordNumbering.NONE
        ):
            return Result.OPERATOR_NOT_SUPPORTED, []
        result, chosen = self._matching(access)
        if result is Result.SUCCESS and not chosen and access.opcode != Opcode.REPORT_NUMBER:
            return Result.NO_RECORDS_FOUND, []
        return result, chosen

    def _matching(self, access: RecordAccess) -> tuple[Result, list[StoredRecord]]:
        records = list(self._records.values())
        if access.operator not in BOUNDS:
            if access.operand:
                return Result.INVALID_OPERAND, []
            which = {Operator.FIRST: slice(1), Operator.LAST: slice(-1, None)}
            return Result.SUCCESS, records[which.get(Operator(access.operator), slice(None))]
        try:
            bounds = bounds_of(access, self._numbering)
        except RemoteProtocolError:
            return Result.INVALID_OPERAND, []
        by_time = bounds is not None and bounds.filter_type == FilterType.USER_FACING_TIME
        if bounds is None or not bounds.values or (by_time and self._numbering is not RecordNumbering.SEQUENCE_NUMBER):
            return Result.OPERAND_NOT_SUPPORTED, []
        if bounds.values[0] > bounds.values[-1]:
            return Result.INVALID_OPERAND, []
        within = _within(access.operator, bounds)
        return Result.SUCCESS, [record for record in records if within(_measure(record, bounds.filter_type))]


def _measure(record: StoredRecord, filter_type: int) -> int | None:
    """Return the quantity that a request filters records by: the record's number, or its time as an integer. None: the
    record has no time."""
    if filter_type == FilterType.NUMBER:
        return record.number
    return None if record.user_facing is None else comparable_time(date_time_bytes(record.user_facing))


def _within(operator: int, bounds: Bounds) -> Callable[[int | None], bool]:
    low, high = bounds.values[0], bounds.values[-1]
    if operator == Operator.AT_MOST:
        return lambda measure: measure is not None and measure <= high
    if operator == Operator.AT_LEAST:
        return lambda measure: measure is not None and low <= measure
    return lambda measure: measure is not None and low <= measure <= high
