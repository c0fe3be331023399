"""The characteristics whose specification leaves the length of the value open. Two rules for each define which prefixes
of a valid value are valid themselves, and how many bytes may follow a valid value. For every other characteristic, no
shorter prefix of a valid value is valid, and no byte may follow a valid value.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from protocols.ble.e2e_crc import e2e_crc


class Tail(NamedTuple):
    """Two rules for a characteristic whose specification allows shorter or longer values; `why` is the reason."""

    why: str
    ends_at: Callable[[bytes, int], bool]
    """Takes the whole value and a shorter length `n`; returns whether the first `n` bytes are a valid value."""
    takes: Callable[[bytes, int], bool]
    """Takes the whole value and a number `n`; returns whether the value with `n` more bytes is valid."""


_ANY: Final = Tail("a text of any length", lambda _, __: True, lambda _, __: True)


def _intervals(octets: bytes, length: int) -> bool:
    """Return whether the first `length` bytes of a Heart Rate Measurement end with one or more RR intervals, all of
    them complete."""
    flags = octets[0] if octets else 0
    head = 2 + (flags & 1) + (2 if flags & 8 else 0)
    return bool(flags & 16) and length > head and (length - head) % 2 == 0


def _operand(opcode: int, length: int) -> bool:
    """Return whether a Record Access Control Point value with this opcode may have this length in bytes."""
    counts = {5: (4, 6), 8: (4, 6), 6: (4,)}
    return length in counts[opcode] if opcode in counts else 2 <= length <= 20


def has_checksum(octets: bytes) -> bool:
    """Return whether the last two bytes are the E2E-CRC of the bytes before them."""
    return len(octets) > 2 and e2e_crc(octets[:-2]).to_bytes(2, "little") == octets[-2:]


TAILS: Final = {
    **dict.fromkeys((0x2A24, 0x2A25, 0x2A26, 0x2A27, 0x2A28, 0x2A29), _ANY),
    0x2A37: Tail(
        "as many RR intervals as follow, one at least where the flag is set",
        _intervals,
        lambda octets, more: _intervals(octets, len(octets) + more),
    ),
    0x2A60: Tail(
        "both lists of supported bits may be absent, as the reference's example has it",
        lambda _, length: length == 2,
        lambda octets, more: len(octets) == 2 and (octets[0] & 1) * 2 + (octets[0] >> 1 & 1) * 3 == more,
    ),
    0x2A52: Tail(
        "a request is read as far as it goes, since the server has to answer with a result code",
        lambda octets, length: _operand(octets[0], length),
        lambda octets, more: _operand(octets[0], len(octets) + more),
    ),
    **dict.fromkeys(
        (0x2AA9, 0x2AAA, 0x2AAB, 0x2AAC),
        Tail(
            "a checksum of two octets may end it, which fits",
            lambda octets, length: length == len(octets) - 2 and has_checksum(octets),
            lambda _, __: False,
        ),
    ),
    0x2AA7: Tail(
        "one record or more, each of which says its length",
        lambda octets, length: length > 0 and length == octets[0],
        lambda _, __: False,
    ),
    **dict.fromkeys(
        (0x2B8B, 0x2BDD),
        Tail(
            "a part of an observation; only a whole one has a form",
            lambda octets, length: length > 0 and octets[0] & 3 != 3,
            lambda octets, _: octets[0] & 3 != 3,
        ),
    ),
    **dict.fromkeys(
        (0x2B8F, 0x2B91, 0x2BF4),
        Tail(
            "what stands behind the first field is not confirmed and kept as it is",
            lambda _, __: False,
            lambda _, __: True,
        ),
    ),
    0x2B90: Tail(
        "fields that later features add are kept as they are",
        lambda _, length: length >= 8,
        lambda _, __: True,
    ),
    0x2BF2: Tail(
        "nine octets within other values, with status and capabilities in the service",
        lambda _, length: length == 9,
        lambda octets, more: len(octets) + more == 11,
    ),
    0x2B36: Tail("a part of another value", lambda _, length: length >= 5, lambda _, __: True),
}
