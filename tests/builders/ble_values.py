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
    """One value of a characteristic; `shows` describes what the value represents."""

    characteristic: int
    shows: str
    octets: bytes

    def __str__(self) -> str:
        return f"{self.characteristic:04X} {self.shows}"


def corpus() -> list[Value]:
    """Return all samples of the corpus, which has at least one value of every characteristic."""
    return [Value(int(name[:4], 16), name[5:], octets) for name, octets in samples(_CORPUS)]


def worked_examples(reference: Path) -> list[Value]:
    """Return the rows of the table of worked examples in the reference document at this path."""
    return [
        Value(int(found["uuid"], 16), found["name"].strip(), bytes.fromhex(found["octets"]))
        for found in _EXAMPLE.finditer(reference.read_text(encoding="utf-8"))
    ]


def sample(characteristic: int, shows: str = "") -> bytes:
    """Return the first value in the corpus for this characteristic whose description begins with `shows`."""
    return next(
        value.octets for value in corpus() if value.characteristic == characteristic and value.shows.startswith(shows)
    )


def mutated(octets: bytes, random: Random) -> bytes:
    """Return a copy of the value with one to three random mutations; 5 % of the results are random bytes instead.

    Half of the results keep the value's length, so that many of them still decode. No result is longer than 512 bytes.
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
