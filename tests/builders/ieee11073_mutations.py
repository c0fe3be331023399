"""Random damage to conversations, reproducible by its seed, as the input of fuzzers.

Half of the damaged APDUs get correct lengths again, so that the damage reaches the decoders beneath the framing. The
others keep their damaged lengths.
"""

from collections.abc import Callable, Sequence
from random import Random

_PRST = b"\xe7\x00"
_INTERESTING = (0x0000, 0x0001, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x00FF, 0xF000)

Mutation = Callable[[bytearray, Random], None]


def _flip_bit(apdu: bytearray, random: Random) -> None:
    apdu[random.randrange(len(apdu))] ^= 1 << random.randrange(8)


def _set_byte(apdu: bytearray, random: Random) -> None:
    apdu[random.randrange(len(apdu))] = random.randrange(256)


def _set_word(apdu: bytearray, random: Random) -> None:
    at = random.randrange(0, len(apdu) - 1, 2)
    apdu[at : at + 2] = random.choice(_INTERESTING).to_bytes(2, "big")


def _nudge_word(apdu: bytearray, random: Random) -> None:
    at = random.randrange(0, len(apdu) - 1, 2)
    word = int.from_bytes(apdu[at : at + 2], "big") + random.choice((-2, -1, 1, 2))
    apdu[at : at + 2] = (word % 0x10000).to_bytes(2, "big")


def _cut(apdu: bytearray, random: Random) -> None:
    at = random.randrange(len(apdu))
    del apdu[at : at + random.randrange(1, 9)]


def _insert(apdu: bytearray, random: Random) -> None:
    at = random.randrange(len(apdu) + 1)
    apdu[at:at] = random.randbytes(random.randrange(1, 9))


def _repeat(apdu: bytearray, random: Random) -> None:
    at = random.randrange(len(apdu))
    piece = apdu[at : at + random.randrange(1, 33)]
    apdu[at:at] = piece * random.randrange(1, 4)


def _noise(apdu: bytearray, random: Random) -> None:
    at = random.randrange(len(apdu))
    octets = random.randrange(1, 17)
    apdu[at : at + octets] = random.randbytes(octets)


MUTATIONS: tuple[Mutation, ...] = (_flip_bit, _set_byte, _set_word, _nudge_word, _cut, _insert, _repeat, _noise)


def with_right_lengths(apdu: bytes) -> bytes:
    """Return the APDU with correct lengths in its outer layers: APDU, octet-string, message and event-info."""
    fixed = bytearray(apdu[:64_000])
    if len(fixed) >= 4:
        fixed[2:4] = (len(fixed) - 4).to_bytes(2, "big")
    if fixed[:2] == _PRST and len(fixed) >= 12:
        fixed[4:6] = (len(fixed) - 6).to_bytes(2, "big")
        fixed[10:12] = (len(fixed) - 12).to_bytes(2, "big")
        if fixed[8:9] == b"\x01" and fixed[9] <= 1 and len(fixed) >= 22:
            fixed[20:22] = (len(fixed) - 22).to_bytes(2, "big")
    return bytes(fixed)


def mutated(conversation: Sequence[bytes], random: Random) -> list[bytes]:
    """Return a copy of the agent's APDUs with one to four changes: an APDU damaged, repeated, dropped or swapped with
    another."""
    apdus = list(conversation)
    for _ in range(random.randrange(1, 5)):
        if not apdus:
            break
        at = random.randrange(len(apdus))
        choice = random.random()
        if choice < 0.06:
            del apdus[at]
        elif choice < 0.12:
            apdus.insert(at, apdus[random.randrange(len(apdus))])
        elif choice < 0.18:
            other = random.randrange(len(apdus))
            apdus[at], apdus[other] = apdus[other], apdus[at]
        else:
            apdus[at] = damaged(apdus[at], random)
    return apdus


def damaged(apdu: bytes, random: Random) -> bytes:
    """Return the APDU with one to three mutations; in half of the cases the lengths of its outer layers are correct
    again."""
    octets = bytearray(apdu)
    keeps_lengths = random.random() < 0.5
    for _ in range(random.randrange(1, 4)):
        if len(octets) >= 2:
            random.choice(MUTATIONS)(octets, random)
    if keeps_lengths:
        octets[:2] = apdu[:2] or octets[:2]
        return with_right_lengths(bytes(octets))
    return bytes(octets)


def sliced(octets: bytes, random: Random) -> list[bytes]:
    """Split the bytes into the reads that a link may deliver: one whole read, single bytes, or random pieces."""
    choice = random.random()
    if choice < 0.3 or not octets:
        return [octets] if octets else []
    if choice < 0.4:
        return [octets[at : at + 1] for at in range(len(octets))]
    pieces, at = [], 0
    while at < len(octets):
        step = random.randrange(1, 200)
        pieces.append(octets[at : at + step])
        at += step
    return pieces
