"""Every hand-written scanner of received bytes does at most twice the work on twice the input.

Each scanner runs on n, 2n and 4n repetitions of an input that could make the scanner examine the same bytes repeatedly.
The work is counted (`tests.harness.work`): executed instructions of our code, and bytes passed to C functions. Seconds
are not measured. Where an input has a limit, n stays below the limit. `test_expressions` covers the texts that a
regular expression reads.

A new scanner is added to `SCANNERS`. The scanners of libraries (aiohttp, orjson, pydantic, paho) are not tested here;
their limits are set where they are called.
"""

import ipaddress
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from cloud.access.apps.redirects import checked_redirects
from cloud.access.oauth.client_authentication import _basic
from cloud.access.tokens.jws import SignatureRefused, verify
from cloud.foundation.egress.target import AllowList, read_target
from cloud.foundation.errors import DomainError
from cloud.foundation.http import Response
from cloud.foundation.http.admission import Admission
from cloud.foundation.http.conditional import conditional
from cloud.foundation.http.heads import RefusedHead
from cloud.foundation.http.incoming_request import IncomingRequest
from cloud.foundation.http.query import read_all_pairs
from cloud.foundation.http.rates import BucketLimiter
from cloud.foundation.http.strict_json import read_json
from cloud.foundation.http.table import RouteTable
from cloud.foundation.pages import read_cookie
from cloud.foundation.pages.language import language_of
from cloud.partners.webhooks.redaction import redacted_head
from cloud.partners.webhooks.schedule import read_retry_after
from gateway.transports.capture import CaptureError, CaptureWriter, read_capture
from protocols.errors import RemoteProtocolError
from protocols.framing.apdu_stream import ApduStream
from protocols.framing.hdlc import Unframer, frame
from protocols.ieee11073.apdu import decode_apdu
from protocols.sanctions.eu_xml import read_eu_xml
from protocols.sanctions.ofac_csv import read_ofac_csv
from protocols.sanctions.ofac_xml import read_ofac_xml
from protocols.sanctions.un_xml import read_un_xml
from protocols.sanctions.wallet_labels import read_wallet_labels
from protocols.uplink.acks import decode_ack
from protocols.uplink.envelope import decode_envelope
from protocols.uplink.observations import decode_block, encode_block
from protocols.uplink.status import decode_status
from protocols.uplink.topics import parse_status, parse_up
from simulators.replay.wfdb_header import RecordUnusable, parse_header
from tests.builders.cloud_people import HandClock
from tests.builders.http_surface import KnownTokens, route
from tests.builders.ieee11073_apdus import aarq
from tests.builders.uplink_blocks import numeric_section
from tests.harness.work import CountedBytes, CountedText, assert_linear, work_of

Scan = Callable[[int], Callable[[], object]]
"""Make an input of a size, and return a function that scans the input; the function's work is counted."""

REFUSALS = (DomainError, RemoteProtocolError, SignatureRefused, RecordUnusable, CaptureError, ValueError)


def on_text(read: Callable[[Any], object], before: str, pumped: str, after: str = "") -> Scan:
    def make(size: int) -> Callable[[], object]:
        text = CountedText(before + pumped * size + after)
        return lambda: read(text)

    return make


def on_bytes(read: Callable[[Any], object], before: bytes, pumped: bytes, after: bytes = b"") -> Scan:
    def make(size: int) -> Callable[[], object]:
        data = CountedBytes(before + pumped * size + after)
        return lambda: read(data)

    return make


def on_header(read: Callable[[CIMultiDictProxy[str]], object], name: str, before: str, pumped: str) -> Scan:
    return on_text(lambda text: read(CIMultiDictProxy(CIMultiDict({name: text}))), before, pumped)


def in_pieces(feed: Callable[[Any], Callable[[bytes], object]], before: bytes, pumped: bytes) -> Scan:
    """Return a scan that feeds the input one byte at a time; `feed` returns a new function that receives the bytes."""

    def make(size: int) -> Callable[[], object]:
        data = before + pumped * size
        pieces = [CountedBytes(data[at : at + 1]) for at in range(len(data))]

        def read() -> None:
            take = feed(size)
            for piece in pieces:
                take(piece)

        return read

    return make


def read_refused_head(received: bytes) -> None:
    head = RefusedHead(received)
    head.request_line()
    head.host()


ADMISSION = Admission(
    KnownTokens(),
    BucketLimiter(HandClock()),
    BucketLimiter(HandClock()),
    types_at="",
    proxies=[ipaddress.ip_network("10.0.0.0/8")],
)
ROWS = RouteTable(route(path) for path in ("/a/{one}/b/{two}", "/a/{one}/{two}/c", "/a/b/{one}.json", "/f/{rest*}"))


def address_of(headers: CIMultiDictProxy[str]) -> str:
    class Connection:
        peer_address = "10.0.0.1"

    class Request:
        connection = Connection()

    Request.headers = headers  # type: ignore[attr-defined]
    return ADMISSION.address_of(cast(IncomingRequest, Request()))


def read_many_keys(size: int) -> Callable[[], object]:
    body = CountedBytes(json.dumps({f"{number:06}": 100 for number in range(size)}).encode())
    return lambda: read_json(body)


def read_blocks(size: int) -> Callable[[], object]:
    block = encode_block([numeric_section(size)])
    return lambda: decode_block(block)


def on_pieces(read: Callable[[Iterable[Any]], Iterable[object]], before: bytes, pumped: bytes, after: bytes) -> Scan:
    """Return a scan whose input is an iterable with one byte at a time."""

    def make(size: int) -> Callable[[], object]:
        pieces = [CountedBytes([byte]) for byte in before + pumped * size + after]
        return lambda: list(read(pieces))

    return make


def write_capture(path: Path) -> Callable[[int], Callable[[bytes], object]]:
    def begin(size: int) -> Callable[[bytes], object]:
        path.unlink(missing_ok=True)
        connection = CaptureWriter(path, 1 << 24, meta={}, started_s=0.0).connection()
        return lambda piece: connection.trace("received", piece, 0.0)

    return begin


def capture_file(path: Path, line: bytes) -> Scan:
    def make(size: int) -> Callable[[], object]:
        path.write_bytes(b'{"meta": {}}\n' + line * size)
        return lambda: read_capture(path)

    return make


ONE_APDU = json.dumps({"dir": "agent->manager", "hex": "e2000000", "t": 0, "conn": 1}).encode() + b"\n"
FRAMED = frame(b"\xe7\x00\x00\x02\x7e\x7d")
LISTED = b"<sdnEntry><uid>1</uid><lastName>x</lastName><sdnType>Individual</sdnType></sdnEntry>\n"
LISTED_ROW = b'1,"x",individual,A,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"DOB 1948"\n'
LONGEST = b"\xe7\x00\xfb\xfc"

SCANNERS: dict[str, tuple[int, Scan]] = {
    # The HTTP edge.
    "refused head, blanks": (4_000, on_bytes(read_refused_head, b"FROB / HTTP/1.1\r\nHost: x", b" ", b"y\r\n\r\n")),
    "refused head, lines": (2_000, on_bytes(read_refused_head, b"FROB / HTTP/1.1\r\n", b"host\r\n")),
    "JSON body, brackets": (2_000, on_bytes(read_json, b'{"a":[0', b",[]", b"]}")),
    "JSON body, escapes": (4_000, on_bytes(read_json, b"[" * 65 + b'"', b'\\"')),
    "JSON body, values": (3_000, on_bytes(read_json, b'{"a":["', b'\\",\\\\,', b'",' + b"0," * 21_000 + b"0]}")),
    "JSON body, depth": (4_000, on_bytes(read_json, b'{"a":', b"[")),
    "JSON body, surrogates": (1_000, on_bytes(read_json, b'{"a":["\\ud800\\udc00"', b',"\\ud800\\udc00"', b"]}")),
    "JSON body, keys": (500, read_many_keys),
    "cookies, pairs": (500, on_header(lambda found: read_cookie(found, "a"), "Cookie", "a=b", "; c=d")),
    "cookies, separators": (1_500, on_header(lambda found: read_cookie(found, "a"), "Cookie", "a=b", "=")),
    "languages": (50, on_header(language_of, "Accept-Language", "pl", ",en;q=1")),
    "query, one value": (1_500, on_text(read_all_pairs, "a=", "%41")),
    "query, plus signs": (4_000, on_text(read_all_pairs, "a=", "+")),
    "query, separators": (2_000, on_text(lambda text: read_all_pairs(text, pairs_max=1 << 20), "", "&")),
    "request target": (1_000, on_text(ROWS.find, "", "/a/b")),
    "request target, the rest": (1_000, on_text(ROWS.find, "/f", "/%41")),
    "forwarded addresses": (1_000, on_header(address_of, "X-Forwarded-For", "192.0.2.1", ",10.0.0.1")),
    "entity tags": (500, on_text(lambda text: conditional(Response(200, etag='"x"'), "GET", text), '"a"', ',W/"a"')),
    "client credentials": (500, on_text(_basic, "Basic ", "QUFB")),
    "access token": (1_500, on_bytes(lambda token: verify(token, {}), b"", b"a.")),
    # What the cloud calls.
    "webhook address, path": (400, on_text(lambda text: read_target(text, AllowList()), "https://a.org/", "a/")),
    "webhook address, host": (50, on_text(lambda text: read_target(text, AllowList()), "https://", "a.", "org/")),
    "redirect address": (
        60,
        on_text(lambda text: checked_redirects([text], [], confidential=True), "https://", "a.", "org/"),
    ),
    "answer of a receiver": (150, on_bytes(redacted_head, b"", b"token ")),
    "Retry-After": (1_000, on_text(lambda text: read_retry_after(429, text, 0), "Mon, ", "1 Jan ")),
    # The uplink.
    "topic of a batch": (2_000, on_text(parse_up, "argus/v1", "/a")),
    "topic of a status": (2_000, on_text(parse_status, "argus/v1/", "+")),
    "status": (1_000, on_bytes(decode_status, b'{"a":"', b"x", b'"}')),
    "acknowledgement": (1_000, on_bytes(decode_ack, b'{"a":[', b"1,", b"1]}")),
    "envelope": (2_000, on_bytes(decode_envelope, b"", b"\x81")),
    "observations": (250, read_blocks),
    # Devices.
    "APDUs, one after the other": (500, on_bytes(lambda data: ApduStream().feed(data), b"", b"\xe7\x00\x00\x00")),
    "APDU, a byte at a time": (4_000, in_pieces(lambda _: ApduStream().feed, LONGEST, b"\x7e")),
    "APDUs, a byte at a time": (500, in_pieces(lambda _: ApduStream().feed, b"", b"\xe7\x00\x00\x02ab")),
    "APDU, its attributes": (1_000, on_bytes(decode_apdu, aarq(1), b"\x50")),
    "frames": (500, on_bytes(lambda data: Unframer(64_512).feed(data), b"", FRAMED)),
    "frames, escapes": (2_000, on_bytes(lambda data: Unframer(64_512).feed(data), b"\x7e", b"\x7d\x5e", b"\x7e")),
    "frame, a byte at a time": (4_000, in_pieces(lambda _: Unframer(64_512).feed, b"\x7e", b"a")),
    # Lists of sanctions and of labels of wallets.
    "XML list, entries": (60, on_pieces(read_ofac_xml, b"<sdnList>", LISTED, b"</sdnList>")),
    "XML list, names": (200, on_pieces(read_ofac_xml, b"<sdnList><sdnEntry>", b"<aka/>", b"</sdnEntry></sdnList>")),
    "XML list, one tag": (400, on_pieces(read_un_xml, b"<CONSOLIDATED_LIST a='", b"&#65;", b"'/>")),
    "XML list, one text": (2_000, on_pieces(read_eu_xml, b"<export>", b"a", b"</export>")),
    "CSV list, rows": (40, on_pieces(read_ofac_csv, b"", LISTED_ROW, b"")),
    "CSV list, one line": (1_000, on_pieces(read_ofac_csv, b'1,"x",-0-,A,,,,,,,,"', b"a;", b'"')),
    "CSV list, one field": (500, on_pieces(read_wallet_labels, b'"', b'"",\n', b'"')),
    # Files.
    "WFDB header, comments": (1_000, on_text(lambda text: parse_header(text, "r.hea"), "r 0\n", "# a\n")),
    "WFDB header, digits": (4_000, on_text(lambda text: parse_header(text, "r.hea"), "r 1 1", "0", "\n")),
    "WFDB header, gain": (4_000, on_text(lambda text: parse_header(text, "r.hea"), "r 1\nr.dat 16 1", "0", "\n")),
    "WFDB header, signals": (
        100,
        lambda size: lambda: parse_header(f"r {size}\n" + "r.dat 16 200 12 0\n" * size, "r.hea"),
    ),
}


def measure_work(size: int, scan: Scan) -> int:
    read = scan(size)

    def once() -> None:
        with suppress(*REFUSALS):
            read()

    return work_of(once)


@pytest.mark.finding("security-1")
@pytest.mark.finding("security-4")
@pytest.mark.parametrize("name", SCANNERS)
def test_every_scanner_of_received_bytes_examines_each_byte_a_bounded_number_of_times(name: str) -> None:
    size, scan = SCANNERS[name]
    assert_linear([measure_work(size * times, scan) for times in (1, 2, 4)])


@pytest.mark.parametrize("line", [ONE_APDU, b"\n", b" "], ids=["lines", "empty lines", "one line"])
def test_capture_file_is_read_in_linear_time(tmp_path: Path, line: bytes) -> None:
    scan = capture_file(tmp_path / "a.capture", line)
    assert_linear([measure_work(300 * times, scan) for times in (1, 2, 4)])


def test_capture_of_byte_by_byte_input_is_written_in_linear_time(tmp_path: Path) -> None:
    scan = in_pieces(write_capture(tmp_path / "a.capture"), LONGEST, b"\x7e")
    assert_linear([measure_work(2_000 * times, scan) for times in (1, 2, 4)])


def test_measurement_of_examined_bytes_rejects_a_quadratic_scanner() -> None:
    def quadratic(text: CountedText) -> None:
        while text:
            text = text[1:]

    with pytest.raises(AssertionError):
        assert_linear([measure_work(500 * times, on_text(quadratic, "", "a")) for times in (1, 2, 4)])

    def searching(text: CountedText) -> None:
        for _ in range(len(text)):
            text.find("b")

    with pytest.raises(AssertionError):
        assert_linear([measure_work(500 * times, on_text(searching, "", "a")) for times in (1, 2, 4)])


def test_oversized_number_in_a_wfdb_header_is_refused() -> None:
    for line in ("r 1 1e999999999", "r 1" + "0" * 5_000, "r 1 360 " + "1" * 5_000, "r 1\nr.dat 16 1e99999999"):
        with pytest.raises(RecordUnusable):
            parse_header(f"{line}\n", "r.hea")
