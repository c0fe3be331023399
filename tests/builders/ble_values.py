"""Values of characteristics: the samples of the corpus, the reference's worked examples, and what is done to them."""

import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from tests.builders.ieee11073_corpus import samples
from tests.builders.ieee11073_mutations import MUTATIONS

_CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "ble_values.hex"
_EXAMPLE = re.compile(r"\| 0x(?P<uuid>2[0-9A-F]{3}) \| (?P<name>[^|]+) \| `(?P<octets>[0-9A-F ]+)` \|")


class Value(NamedTuple):
    """What one characteristic may hold, and what that shows."""

    characteristic: int
    shows: str
    octets: bytes

    def __str__(self) -> str:
        return f"{self.characteristic:04X} {self.shows}"


def corpus() -> list[Value]:
    """At least one value of every characteristic."""
    return [Value(int(name[:4], 16), name[5:], octets) for name, octets in samples(_CORPUS)]


def worked_examples(reference: Path) -> list[Value]:
    """The table of worked examples in the reference."""
    return [
        Value(int(found["uuid"], 16), found["name"].strip(), bytes.fromhex(found["octets"]))
        for found in _EXAMPLE.finditer(reference.read_text(encoding="utf-8"))
    ]


def sample(characteristic: int, shows: str = "") -> bytes:
    """The first value of the corpus of this characteristic that shows this."""
    return next(
        value.octets for value in corpus() if value.characteristic == characteristic and value.shows.startswith(shows)
    )


class Tail(NamedTuple):
    """A characteristic whose value may end early, or have more octets, and still be one: by its specification."""

    why: str
    ends_at: Callable[[bytes, int], bool]
    """Whether the first `n` octets of the whole value are a value, for `n` below its length."""
    takes: Callable[[bytes, int], bool]
    """Whether `n` more octets behind the whole value make another value."""


def mutated(octets: bytes, random: Random) -> bytes:
    """The value with one to three damages, cut, grown, or replaced by noise."""
    choice = random.random()
    if choice < 0.05:
        return random.randbytes(random.randrange(0, 41))
    damaged = bytearray(octets)
    for _ in range(random.randrange(1, 4)):
        if len(damaged) < 2:
            damaged += random.randbytes(2)
        random.choice(MUTATIONS)(damaged, random)
    if choice < 0.25 and damaged:
        del damaged[random.randrange(len(damaged)) :]
    return bytes(damaged[:512])


_ANY: Final = Tail("a text of any length", lambda _, __: True, lambda _, __: True)


def _intervals(octets: bytes, length: int) -> bool:
    """One interval at least, and whole ones, behind flags, rate and energy."""
    flags = octets[0] if octets else 0
    head = 2 + (flags & 1) + (2 if flags & 8 else 0)
    return bool(flags & 16) and length > head and (length - head) % 2 == 0


def _operand(opcode: int, length: int) -> bool:
    """Whether a Record Access Control Point value of this opcode may have so many octets."""
    counts = {5: (4, 6), 8: (4, 6), 6: (4,)}
    return length in counts[opcode] if opcode in counts else 2 <= length <= 20


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
