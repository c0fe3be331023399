"""The Record Access Control Point: each operator on a store of three records, and the responses to invalid requests."""

from datetime import UTC, datetime

import pytest

from protocols.ble.interpretation import RecordNumbering
from protocols.ble.record_access import (
    FilterType,
    Opcode,
    Operator,
    RecordAccess,
    Response,
    Result,
    count_of,
    counted,
    decode_record_access,
    encode_record_access,
    request,
    response_of,
)
from protocols.ble.record_server import Outgoing, RecordServer, StoredRecord
from protocols.ble.wire import date_time_bytes
from protocols.errors import LocalProtocolError, RemoteProtocolError

GLUCOSE = 0x2A18
SEQUENCE = RecordNumbering.SEQUENCE_NUMBER


def stored(*numbers: int) -> dict[int, StoredRecord]:
    return {
        number: StoredRecord(number, ((GLUCOSE, bytes([number])),), datetime(2026, 3, number % 28 + 1, 14, tzinfo=UTC))
        for number in numbers
    }


def told(server: RecordServer) -> list[Outgoing]:
    sent: list[Outgoing] = []
    while (outgoing := server.next()) is not None:
        sent.append(outgoing)
    return sent


def asked(octets: bytes, server: RecordServer | None = None) -> tuple[list[int], RecordAccess]:
    """Write a request to the server; return the numbers of the records that the server sends, and its
    final indication."""
    server = server or RecordServer(stored(40, 41, 42), SEQUENCE)
    assert server.written(octets) is None
    *records, last = told(server)
    assert {each.characteristic for each in records} <= {GLUCOSE}
    return [each.octets[0] for each in records], decode_record_access(last.octets)


@pytest.mark.parametrize(
    ("operator", "bounds", "numbers"),
    [
        (Operator.ALL, (), [40, 41, 42]),
        (Operator.FIRST, (), [40]),
        (Operator.LAST, (), [42]),
        (Operator.AT_LEAST, (41,), [41, 42]),
        (Operator.AT_MOST, (41,), [40, 41]),
        (Operator.WITHIN, (41, 41), [41]),
    ],
)
def test_every_operator_selects_the_same_records_for_reporting_and_for_counting_and_for_deleting(
    operator: Operator, bounds: tuple[int, ...], numbers: list[int]
) -> None:
    found, last = asked(request(Opcode.REPORT, operator, *bounds, numbering=SEQUENCE))
    assert (found, response_of(last)) == (numbers, Response(Opcode.REPORT, Result.SUCCESS))

    found, last = asked(request(Opcode.REPORT_NUMBER, operator, *bounds, numbering=SEQUENCE))
    assert (found, last.opcode, count_of(last)) == ([], Opcode.NUMBER_RESPONSE, len(numbers))

    found, last = asked(request(Opcode.COMBINED_REPORT, operator, *bounds, numbering=SEQUENCE))
    assert (found, last.opcode, count_of(last)) == (numbers, Opcode.COMBINED_RESPONSE, len(numbers))

    records = stored(40, 41, 42)
    found, last = asked(request(Opcode.DELETE, operator, *bounds, numbering=SEQUENCE), RecordServer(records, SEQUENCE))
    assert (found, response_of(last)) == ([], Response(Opcode.DELETE, Result.SUCCESS))
    assert list(records) == [number for number in (40, 41, 42) if number not in numbers]


def request_by_time(opcode: Opcode, operator: Operator, *moments: datetime) -> bytes:
    """Encode a request whose operand is one or two times, with the filter type user facing time."""
    operand = bytes((FilterType.USER_FACING_TIME,)) + b"".join(map(date_time_bytes, moments))
    return encode_record_access(RecordAccess(opcode, operator, operand))


def test_records_are_selected_by_a_range_of_user_facing_times() -> None:
    since = datetime(2026, 3, 14, 14, tzinfo=UTC)  # the time of record 41
    found, _ = asked(request_by_time(Opcode.REPORT, Operator.AT_LEAST, since))
    assert found == [41, 42]
    found, _ = asked(request_by_time(Opcode.REPORT, Operator.WITHIN, datetime(2025, 12, 31, tzinfo=UTC), since))
    assert found == [40, 41]


def test_server_without_sequence_numbers_refuses_a_request_by_user_facing_time() -> None:
    by_time = request_by_time(Opcode.REPORT, Operator.AT_LEAST, datetime(2026, 3, 14, 14, tzinfo=UTC))
    _, last = asked(by_time, RecordServer(stored(1), RecordNumbering.TIME_OFFSET))
    assert response_of(last) == Response(Opcode.REPORT, Result.OPERAND_NOT_SUPPORTED)


@pytest.mark.parametrize(
    ("octets", "result"),
    [
        ("09 01", Result.OPCODE_NOT_SUPPORTED),
        ("01 00", Result.INVALID_OPERATOR),
        ("01 07", Result.OPERATOR_NOT_SUPPORTED),
        ("01 01 05", Result.INVALID_OPERAND),
        ("01 03", Result.INVALID_OPERAND),
        ("01 03 01 28", Result.INVALID_OPERAND),
        ("01 04 01 29 00 28 00", Result.INVALID_OPERAND),
        ("01 03 03 28 00", Result.OPERAND_NOT_SUPPORTED),
        ("01 03 01 2B 00", Result.NO_RECORDS_FOUND),
        ("02 03 01 2B 00", Result.NO_RECORDS_FOUND),
    ],
)
def test_invalid_record_access_request_gets_the_matching_response_code(octets: str, result: Result) -> None:
    wrong = bytes.fromhex(octets)
    found, last = asked(wrong)
    assert (found, response_of(last)) == ([], Response(wrong[0], result))


def test_record_count_of_an_empty_store_is_zero() -> None:
    _, last = asked(request(Opcode.REPORT_NUMBER, Operator.ALL, numbering=SEQUENCE), RecordServer({}, SEQUENCE))
    assert count_of(last) == 0


def test_server_without_record_numbers_supports_only_the_all_records_operator() -> None:
    server = RecordServer(stored(1, 2), RecordNumbering.NONE)
    _, last = asked(bytes.fromhex("01 03 01 01 00"), server)
    assert response_of(last) == Response(Opcode.REPORT, Result.OPERATOR_NOT_SUPPORTED)
    assert asked(bytes.fromhex("01 01"), server)[0] == [1, 2]


def test_running_procedure_refuses_a_second_request_and_accepts_an_abort() -> None:
    server = RecordServer(stored(1, 2, 3), SEQUENCE)
    assert server.written(bytes.fromhex("01 01")) is None
    assert server.next() == Outgoing(GLUCOSE, b"\x01")
    assert server.written(bytes.fromhex("04 01")) == 0xFE
    assert server.written(bytes.fromhex("03 00")) is None
    assert [each.octets.hex(" ") for each in told(server)] == ["06 00 03 01"]


def test_lost_link_ends_the_procedure_and_deletes_no_record() -> None:
    server = RecordServer(stored(1, 2), SEQUENCE)
    server.written(bytes.fromhex("01 01"))
    server.next()
    server.lost()
    assert told(server) == []
    assert asked(bytes.fromhex("01 01"), server)[0] == [1, 2]


def test_request_is_refused_while_the_server_is_busy_or_its_indications_are_not_subscribed() -> None:
    server = RecordServer(stored(1), SEQUENCE)
    assert server.written(bytes.fromhex("01 01"), subscribed=False) == 0xFD
    assert server.written(b"\x01") == 0x0D
    server.busy = True
    assert response_of(asked(bytes.fromhex("01 01"), server)[1]) == Response(Opcode.REPORT, Result.SERVER_BUSY)


def test_record_counts_and_operands_have_32_bits_when_record_numbers_have_32_bits() -> None:
    octets = counted(70_000, RecordNumbering.RECORD_NUMBER)
    assert octets.hex(" ") == "05 00 70 11 01 00"
    assert count_of(decode_record_access(octets)) == 70_000
    assert (
        request(Opcode.REPORT, Operator.AT_LEAST, 7, numbering=RecordNumbering.RECORD_NUMBER).hex(" ")
        == "01 03 01 07 00 00 00"
    )


def test_responses_of_wrong_length_are_remote_protocol_errors() -> None:
    for octets in ("", "06", "06 00", "06 00 01", "06 00 01 01 00", "05 00 01", "08 00 01 02 03", "06 01 01 01"):
        with pytest.raises(RemoteProtocolError):
            decode_record_access(bytes.fromhex(octets))


def test_unknown_opcodes_and_operators_are_decoded_as_numbers() -> None:
    octets = bytes.fromhex("63 4F 01 02 03")
    assert encode_record_access(decode_record_access(octets)) == octets


def test_request_with_invalid_operator_bounds_is_a_local_protocol_error() -> None:
    with pytest.raises(LocalProtocolError):
        request(Opcode.REPORT, Operator.WITHIN, 1, numbering=SEQUENCE)
    with pytest.raises(LocalProtocolError):
        request(Opcode.REPORT, Operator.AT_LEAST, 1, numbering=RecordNumbering.NONE)
    with pytest.raises(LocalProtocolError):
        request(Opcode.REPORT, Operator.AT_LEAST, 0x10000, numbering=SEQUENCE)
