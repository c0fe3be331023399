"""How much the fuzzers do, and from which seed: small in `make test`, `ARGUS_FUZZ_COUNT` in `make fuzz`."""

import os
from random import Random
from typing import Final

APDUS: Final = int(os.environ.get("ARGUS_FUZZ_COUNT", "120000"))
"""Mutated APDUs through the whole engine, both roles together; the other fuzzers count from it."""
SEED: Final = int(os.environ.get("ARGUS_FUZZ_SEED", "20601"))
SHARDS: Final = 4
"""Tests that a role's APDUs are dealt to, so that two processes share them."""
SCALE: Final = APDUS / 200_000
"""0.6 in `make test`, 25 in `make fuzz`."""


def count(at_scale_one: int) -> int:
    """How many inputs another fuzzer takes: so many at `SCALE` 1, in proportion else; never fewer than ten."""
    return max(10, int(at_scale_one * SCALE))


def seeded(*what: object) -> Random:
    """A random source of its own for one input, which a failure can name."""
    return Random(":".join(map(str, (SEED, *what))))
