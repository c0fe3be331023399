"""Request line and host are found in a refused request head in one pass, whatever bytes the head contains."""

import pytest

from cloud.foundation.http.heads import LINE_BYTES_MAX, RefusedHead, RequestLine
from tests.harness.work import CountedBytes, assert_linear, work_of

SIZE = 4_000


@pytest.mark.finding("security-1")
@pytest.mark.parametrize(
    ("before", "pumped", "after"),
    [
        (b"FROB /health/live HTTP/1.1\r\nHost: x", b" ", b"y\r\n\r\n"),
        (b"FROB /health/live HTTP/1.1\r\nHost:", b"\t", b"y\r\n\r\n"),
        (b"FROB ", b" ", b"HTTP/1.1\r\n\r\n"),
        (b"FROB / HTTP/1.1\r\n", b"host\r\n", b"\r\n"),
        (b"FROB / HTTP/1.1\r\n", b"host: \r\r\n", b"\r\n"),
        (b"", b"A", b""),
        (b"", b"\n", b""),
    ],
)
def test_request_line_and_host_of_a_refused_request_head_are_read_in_linear_time(
    before: bytes, pumped: bytes, after: bytes
) -> None:
    def work(size: int) -> int:
        received = CountedBytes(before + pumped * size + after)

        def read() -> None:
            head = RefusedHead(received)
            head.request_line()
            head.host()

        return work_of(read)

    assert_linear([work(SIZE), work(2 * SIZE), work(4 * SIZE)])
    assert work(SIZE) <= 40 * len(before + pumped * SIZE + after), "a few passes, whatever was sent"


@pytest.mark.parametrize(
    ("received", "line"),
    [
        (b"FROB /x?y HTTP/1.1\r\n", RequestLine("FROB", "/x?y")),
        (b"FROB /x HTTP/1.0\n", RequestLine("FROB", "/x")),
        (b"FROB /x HTTP/1.1", None),
        (b"FROB /x HTTP/2.0\r\n", None),
        (b"FROB  /x HTTP/1.1\r\n", None),
        (b"FROB /x\x0b HTTP/1.1\r\n", None),
        (b"FR(B /x HTTP/1.1\r\n", None),
        (b"A" * 65 + b" /x HTTP/1.1\r\n", None),
        (b" /x HTTP/1.1\r\n", None),
        (b"FROB /" + b"x" * LINE_BYTES_MAX + b" HTTP/1.1\r\n", None),
        (b"", None),
    ],
)
def test_request_line_of_a_refused_request_head_is_returned_only_when_well_formed(
    received: bytes, line: RequestLine | None
) -> None:
    assert RefusedHead(received).request_line() == line


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        (b"Host: api.example.org\r\n", "api.example.org"),
        (b"A: b\r\nhOST:\t api.example.org \t\r\n\r\n", "api.example.org"),
        (b"Host: first\r\nHost: second\r\n", "first"),
        (b"X-Host: a\r\n", ""),
        (b"\r\nHost: behind the head\r\n", ""),
        (b"Host", ""),
    ],
)
def test_host_of_a_refused_request_head_is_its_first_host_header(headers: bytes, host: str) -> None:
    assert RefusedHead(b"FROB / HTTP/1.1\r\n" + headers).host() == host
