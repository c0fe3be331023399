"""HDLC frames on a noisy serial line: noise damages only the frames in which it occurs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.framing.hdlc import ABORT, ESCAPE, FLAG, Unframer, fcs16, frame

LIMIT_BYTES = 512
payloads = st.binary(min_size=1, max_size=64) | st.text(alphabet="\x7d\x7e\x5d\x5e ", min_size=1, max_size=64).map(
    lambda text: text.encode("latin-1")
)
# By chance some noise is a valid frame, and no check sequence can detect it: such noise is left out.
noise = (
    st.binary(max_size=40)
    .map(lambda data: data.replace(FLAG, b"\x00").rstrip(ESCAPE))
    .filter(lambda data: not Unframer(LIMIT_BYTES).feed(FLAG + data + FLAG))
)


def in_slices(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def test_frame_check_sequence_matches_rfc_1662():
    assert fcs16(b"123456789") == 0x906E
    assert fcs16(b"") == 0x0000
    with_check = b"\xff\x03\xc0\x21" + fcs16(b"\xff\x03\xc0\x21").to_bytes(2, "little")
    assert fcs16(with_check) ^ 0xFFFF == 0xF0B8, "the residue that RFC 1662 gives for a good frame"


@given(st.binary(max_size=200))
def test_frame_check_sequence_equals_the_bitwise_definition(data):
    register = 0xFFFF
    for octet in data:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    assert fcs16(data) == register ^ 0xFFFF


def test_frame_consists_of_a_flag_then_escaped_bytes_then_the_check_sequence_then_a_flag():
    check = fcs16(b"\x7e\x01\x7d").to_bytes(2, "little")
    assert frame(b"\x7e\x01\x7d") == b"\x7e" + b"\x7d\x5e\x01\x7d\x5d" + check + b"\x7e"


@given(st.lists(payloads, max_size=8), st.integers(1, 300))
def test_every_payload_is_returned_once_and_in_order_however_the_bytes_are_split(sent, size):
    unframer = Unframer(LIMIT_BYTES)
    line = b"".join(map(frame, sent))
    assert [payload for part in in_slices(line, size) for payload in unframer.feed(part)] == sent
    assert unframer.errors.total == 0


@given(st.lists(st.tuples(noise, payloads), min_size=1, max_size=6))
def test_noise_between_frames_drops_no_frame(pieces):
    unframer = Unframer(LIMIT_BYTES)
    line = b"".join(dirt + frame(payload) for dirt, payload in pieces)
    assert [payload for octet in line for payload in unframer.feed(bytes([octet]))] == [
        payload for _, payload in pieces
    ]


@given(st.lists(payloads, min_size=3, max_size=6), st.data())
def test_damaged_byte_drops_only_the_frame_that_contains_it(sent, data):
    frames = [frame(payload) for payload in sent]
    hit = data.draw(st.integers(0, len(frames) - 1))
    at = data.draw(st.integers(0, len(frames[hit]) - 1))
    flipped = data.draw(st.integers(1, 255))
    damaged = bytearray(frames[hit])
    damaged[at] ^= flipped
    line = b"".join([*frames[:hit], bytes(damaged), *frames[hit + 1 :]])
    received = Unframer(LIMIT_BYTES).feed(line)
    assert received[:hit] == sent[:hit]
    after = sent[hit + 1 :]
    # When a flag is hit, the neighbour's flag delimits both frames; only the damaged frame can be missing.
    assert after == [] or received[-len(after) :] == after
    assert len(received) <= len(sent)


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_frame_after_arbitrary_bytes_is_returned(parts):
    unframer = Unframer(16)
    for part in parts:
        for payload in unframer.feed(part):
            assert 1 <= len(payload) <= 16
    assert unframer.feed(FLAG + frame(b"still here"))[-1:] == [b"still here"]


def test_frame_over_the_size_limit_is_counted_once_and_the_next_frame_is_returned():
    unframer = Unframer(8)
    assert unframer.feed(frame(b"123456789") + frame(b"12345678")) == [b"12345678"]
    assert unframer.errors.overlong == 1


def test_megabyte_without_a_flag_is_counted_as_one_overlong_frame():
    unframer = Unframer(100)
    for _ in range(1000):
        unframer.feed(b"\x55" * 1000)
    assert unframer.errors.overlong == 1
    assert unframer.feed(frame(b"after")) == [b"after"]


def test_frame_aborted_by_the_sender_is_counted_and_dropped():
    unframer = Unframer(LIMIT_BYTES)
    assert unframer.feed(frame(b"never finished")[:-3] + ABORT + frame(b"whole")) == [b"whole"]
    assert unframer.errors.aborted == 1


def test_unnecessarily_escaped_bytes_are_decoded():
    plain = b"\x11\x13" + fcs16(b"\x11\x13").to_bytes(2, "little")
    assert Unframer(LIMIT_BYTES).feed(FLAG + b"\x7d\x31\x7d\x33" + plain[2:] + FLAG) == [b"\x11\x13"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [(b"\x7e\x01\x02\x7e", "short"), (b"\x7e\x01\x02\x03\x04\x7e", "crc"), (b"\x7e\x01\x7d\x7d\x02\x03\x7e", "crc")],
)
def test_each_dropped_frame_is_counted_by_its_reason(line, reason):
    unframer = Unframer(LIMIT_BYTES)
    assert unframer.feed(line) == []
    assert getattr(unframer.errors, reason) == 1
    assert unframer.errors.total == 1


def test_repeated_flags_are_not_counted_as_errors():
    unframer = Unframer(LIMIT_BYTES)
    assert unframer.feed(FLAG * 50 + frame(b"x") + FLAG * 50) == [b"x"]
    assert unframer.errors.total == 0


def test_encoding_an_empty_payload_as_a_frame_is_a_local_protocol_error():
    with pytest.raises(LocalProtocolError):
        frame(b"")
