"""A byte stream split in any way gives the same APDUs, and an impossible header raises an error."""

import pytest

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.framing.apdu_stream import APDU_BYTES_MAX, ApduStream
from tests.builders.ieee11073_corpus import apdus

APDUS = [sample.octets for sample in apdus()]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 10_000])
def test_same_apdus_are_returned_however_the_bytes_are_split(step: int) -> None:
    octets = b"".join(APDUS)
    stream = ApduStream()
    found = [apdu for at in range(0, len(octets), step) for apdu in stream.feed(octets[at : at + step])]
    assert found == APDUS
    assert stream.pending_bytes == 0


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("E1", "no APDU starts with the byte 0xE1"),
        ("E201", "no APDU has the tag 0xE201"),
        ("00", "no APDU starts with the byte 0x00"),
        ("E700FC00", "over the limit"),
    ],
)
def test_impossible_apdu_header_raises_an_error_immediately_and_on_every_later_feed(octets: str, reason: str) -> None:
    stream = ApduStream()
    assert stream.feed(APDUS[0]) == [APDUS[0]]
    with pytest.raises(RemoteProtocolError, match=reason):
        stream.feed(bytes.fromhex(octets))
    with pytest.raises(RemoteProtocolError, match=reason):
        stream.feed(APDUS[0])


def test_apdu_of_the_largest_size_is_returned() -> None:
    apdu = b"\xe7\x00" + (APDU_BYTES_MAX - 4).to_bytes(2, "big") + bytes(APDU_BYTES_MAX - 4)
    assert ApduStream().feed(apdu) == [apdu]


def test_pending_bytes_can_be_inspected_and_skipped() -> None:
    stream = ApduStream()
    stream.append(APDUS[0] + APDUS[28] + b"\xe6")
    assert bytes(stream.front()) == APDUS[0] + APDUS[28] + b"\xe6"
    stream.skip(len(APDUS[0]))
    assert stream.next_apdu() == APDUS[28]
    assert stream.next_apdu() is None
    with pytest.raises(LocalProtocolError):
        stream.skip(2)
    stream.clear()
    assert stream.feed(APDUS[29]) == [APDUS[29]]


@pytest.mark.parametrize("step", [1, 2, 5, 10_000])
def test_stream_resumes_at_the_next_association_request_however_the_bytes_are_split(step: int) -> None:
    request = next(apdu for apdu in APDUS if apdu[:2] == b"\xe2\x00")
    noise = b"\xff\xe2\x00\x00\xe7\x00\xe2\x00\x00\x32\x80"
    octets = noise + request + APDUS[0]
    stream = ApduStream()
    found: list[bytes] = []
    for at in range(0, len(octets), step):
        try:
            found += stream.feed(octets[at : at + step])
        except RemoteProtocolError:
            assert not found
            stream.seek_request()
            found += stream.feed(b"")
    assert found == [request, APDUS[0]]
    assert not stream.in_apdu


def test_stream_discards_other_bytes_while_it_seeks_an_association_request() -> None:
    stream = ApduStream()
    stream.seek_request()
    for _ in range(100):
        assert stream.feed(bytes(10_000)) == []
        assert stream.pending_bytes < 8
        assert not stream.in_apdu
