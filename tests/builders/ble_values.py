"""Values of characteristics: the samples of the corpus, the worked examples of the reference, and mutations of them."""

import re
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.builders.ieee11073_corpus import samples
from tests.builders.ieee11073_mutations import MUTATIONS

_CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "ble_values.hex"
_EXAMPLE = re.compile(r"\| 0x(?P<uuid>2[0-9A-F]{3}) \| (?P<name>[^|]+) \| `(?P<octets>[0-9A-F ]+)` \|")


class Value(NamedTuple):
    """One value of a characteristic, and what it represents."""

    characteristic: int
    shows: str
    octets: bytes

    def __str__(self) -> str:
        return f"{self.characteristic:04X} {self.shows}"


def corpus() -> list[Value]:
    """Return at least one value of every characteristic."""
    return [Value(int(name[:4], 16), name[5:], octets) for name, octets in samples(_CORPUS)]


def worked_examples(reference: Path) -> list[Value]:
    """Return the table of worked examples in the reference."""
    return [
        Value(int(found["uuid"], 16), found["name"].strip(), bytes.fromhex(found["octets"]))
        for found in _EXAMPLE.finditer(reference.read_text(encoding="utf-8"))
    ]


def sample(characteristic: int, shows: str = "") -> bytes:
    """Return the corpus's first value of this characteristic that represents this."""
    return next(
        value.octets for value in corpus() if value.characteristic == characteristic and value.shows.startswith(shows)
    )


def mutated(octets: bytes, random: Random) -> bytes:
    """Return the value with one to three mutations, cut, extended, or replaced by noise.

    Half of the results keep the length, so that many are still values.
    """
    choice = random.random()
    if choice < 0.05:
        return random.randbytes(random.randrange(0, 41))
    damaged = bytearray(octets)
    keeps_length = choice > 0.5
    for _ in range(random.randrange(1, 4)):
        if keeps_length and damaged:
            damaged[random.randrange(len(damaged))] = random.choice((random.randrange(256), 0, 0xFF))
            continue
        if len(damaged) < 2:
            damaged += random.randbytes(2)
        random.choice(MUTATIONS)(damaged, random)
    if choice < 0.15 and damaged:
        del damaged[random.randrange(len(damaged)) :]
    return bytes(damaged[:512])
