"""The seed of the fuzzers and their number of inputs: small in `make test`, `ARGUS_FUZZ_COUNT` in `make fuzz`."""

import os
from random import Random
from typing import Final

APDUS: Final = int(os.environ.get("ARGUS_FUZZ_COUNT", "60000"))
"""Mutated APDUs through the whole engine, both roles together; the counts of the other fuzzers follow from it."""
SEED: Final = int(os.environ.get("ARGUS_FUZZ_SEED", "20601"))
SHARDS: Final = 4
"""Number of tests that share a role's APDUs, so that two processes can run them."""
SCALE: Final = APDUS / 200_000
"""Factor of all counts: 0.3 in `make test`, 25 in `make fuzz`."""


def count(at_scale_one: int) -> int:
    """Return the number of inputs for a fuzzer that runs `at_scale_one` inputs at `SCALE` 1; at least ten."""
    return max(10, int(at_scale_one * SCALE))


def seeded(*what: object) -> Random:
    """Return a random source for one input, seeded by `SEED` and `what`; a failure that names `what` can be
    reproduced."""
    return Random(":".join(map(str, (SEED, *what))))
