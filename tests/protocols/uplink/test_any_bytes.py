"""Every decoder of the uplink returns a value or raises RemoteProtocolError for any bytes."""

import contextlib
import random
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.uplink.acks import decode_ack
from protocols.uplink.envelope import decode_envelope
from protocols.uplink.epcr import decode_changes
from protocols.uplink.events import decode_event
from protocols.uplink.gaps import decode_gap
from protocols.uplink.limits import MESSAGE_BYTES_MAX
from protocols.uplink.observations import decode_block
from protocols.uplink.status import decode_status
from protocols.uplink.topics import parse_status, parse_up
from tests.builders.uplink_bombs import body_of, sealed
from tests.builders.uplink_golden import BLOCKS, GOLDEN


def decode_one_change(octets: bytes) -> object:
    return decode_changes(octets, announced_count=1)


DECODERS = [decode_block, decode_envelope, decode_event, decode_gap, decode_ack, decode_status, decode_one_change]
SEED = 20261125


@pytest.mark.parametrize("decode", DECODERS)
@settings(max_examples=60)
@given(octets=st.binary(max_size=300))
def test_random_bytes_are_decoded_or_raise_a_remote_protocol_error(decode: Callable[[bytes], object], octets: bytes):
    with contextlib.suppress(RemoteProtocolError):
        assert decode(octets) is not None


@pytest.mark.parametrize("decode", DECODERS)
@settings(max_examples=60)
@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["v", "from", "through", "missing", "marks", "lane"]), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_decoded_or_raises_a_remote_protocol_error(decode: Callable[[bytes], object], document: object):

    try:
        octets = orjson.dumps(document)
    except TypeError:  # an integer beyond 64 bits
        return
    with contextlib.suppress(RemoteProtocolError):
        assert decode(octets) is not None


@pytest.mark.parametrize("name", GOLDEN)
def test_truncated_messages_and_trailing_bytes_are_refused(name: str):
    golden = GOLDEN[name]
    whole = golden.encode(golden.value)
    for length in range(len(whole)):
        with pytest.raises(RemoteProtocolError):
            golden.decode(whole[:length])
    with pytest.raises(RemoteProtocolError):
        golden.decode(whole + b"\x00")


@pytest.mark.parametrize("name", GOLDEN)
def test_mutated_messages_are_decoded_or_raise_a_remote_protocol_error(name: str):
    golden = GOLDEN[name]
    whole = golden.encode(golden.value)
    print("seed", SEED)
    chance = random.Random(SEED)
    for _ in range(400):
        mutated = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        with contextlib.suppress(RemoteProtocolError):
            assert golden.decode(bytes(mutated)) is not None


@pytest.mark.parametrize("name", BLOCKS)
def test_mutated_block_bodies_are_decoded_or_raise_a_remote_protocol_error(name: str):
    """Mutate the body itself and compress it again, since most other mutations only damage the compression."""
    golden = GOLDEN[name]
    block = golden.encode(golden.value)
    body = body_of(block)
    print("seed", SEED)
    chance = random.Random(SEED)
    for _ in range(3000):
        mutated = bytearray(body)
        for _ in range(chance.randint(1, 3)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        if chance.random() < 0.2:
            del mutated[chance.randrange(len(mutated)) :]
        packed = sealed(bytes(mutated), version=block[0])
        with contextlib.suppress(RemoteProtocolError):
            # A decoded value is encoded again with the same meaning: neither side accepts what the other refuses.
            value = golden.decode(packed)
            assert golden.decode(golden.encode(value)) == value


topic_parts = st.sampled_from(["argus", "v1", "t", "g", "up", "status", "numeric", "+", "#", ""])


@settings(max_examples=200)
@given(topic=st.text(max_size=60) | st.lists(topic_parts, max_size=7).map("/".join))
def test_any_topic_string_is_parsed_or_refused(topic: str):
    for parse in (parse_up, parse_status):
        with contextlib.suppress(RemoteProtocolError):
            assert parse(topic)


@pytest.mark.parametrize("version", [1, 2])
def test_decompression_bomb_is_refused_before_decompression(version: int):
    bomb = sealed(bytes(9 << 20), version=version)
    assert len(bomb) < 20_000
    with pytest.raises(RemoteProtocolError, match="are allowed"):
        decode_block(bomb)


@pytest.mark.parametrize("version", [1, 2])
def test_decompression_bomb_is_decompressed_only_up_to_the_announced_length(version: int):
    bomb = sealed(bytes(64 << 20), announced_bytes=1000, version=version)
    with pytest.raises(RemoteProtocolError, match="not as long as announced"):
        decode_block(bomb)


def test_envelope_above_the_size_limit_is_refused_before_decoding():
    with pytest.raises(RemoteProtocolError, match="1048576 are allowed"):
        decode_envelope(bytes((1 << 20) + 1))


@pytest.mark.parametrize("decode", [decode_event, decode_gap, decode_ack, decode_status])
def test_message_above_the_size_limit_is_refused_before_decoding(decode: Callable[[bytes], object]):
    with pytest.raises(RemoteProtocolError, match=str(MESSAGE_BYTES_MAX)):
        decode(b"{" + b" " * MESSAGE_BYTES_MAX + b"}")


@pytest.mark.parametrize("decode", [decode_event, decode_gap, decode_ack, decode_status])
def test_deeply_nested_json_is_refused(decode: Callable[[bytes], object]):
    with pytest.raises(RemoteProtocolError):
        decode(b'{"v":' + b"[" * 5000 + b"]" * 5000 + b"}")


@pytest.mark.parametrize(
    ("decode", "octets"), [(decode_block, b"\x03aaaaaaaaa"), (decode_envelope, b"\x02"), (decode_ack, b'{"v":2}')]
)
def test_message_of_a_newer_version_is_refused_with_an_error_that_names_the_version(
    decode: Callable[[bytes], object], octets: bytes
):
    with pytest.raises(RemoteProtocolError, match="version"):
        decode(octets)
