"""The messages in the golden files, as gateways in the field send them, are decoded, and encoded to the same bytes."""

import pytest

from protocols.uplink.observations import decode_block
from tests.builders.uplink_bombs import body_of
from tests.builders.uplink_golden import BLOCKS, DECODED_ONLY, FOLDER, GOLDEN, golden_octets


def decompressed(block: bytes) -> bytes:
    """Return a block with its body decompressed, because builds of zlib and zstd may compress it to different bytes."""
    return block[:5] + body_of(block)


@pytest.mark.parametrize("name", GOLDEN)
def test_message_of_each_golden_file_decodes_to_the_expected_value(name: str):
    assert GOLDEN[name].decode(golden_octets(name)) == GOLDEN[name].value


@pytest.mark.parametrize("name", GOLDEN)
def test_value_is_encoded_to_the_bytes_of_its_golden_file(name: str):
    sent = GOLDEN[name].encode(GOLDEN[name].value)
    if name in BLOCKS:
        assert decompressed(sent) == decompressed(golden_octets(name))
    else:
        assert sent == golden_octets(name)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_file_begins_with_its_registered_explanation(name: str):
    assert (FOLDER / f"{name}.hex").read_text(encoding="utf-8").startswith(f"# {GOLDEN[name].sentence}\n")


@pytest.mark.parametrize("name", DECODED_ONLY)
def test_block_that_is_no_longer_encoded_decodes_to_the_expected_value(name: str):
    assert decode_block(golden_octets(name)) == DECODED_ONLY[name]


def test_every_golden_file_is_tested():
    assert {path.stem for path in FOLDER.glob("*.hex")} == set(GOLDEN) | set(DECODED_ONLY)
