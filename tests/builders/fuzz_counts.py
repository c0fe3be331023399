"""The seed of the fuzzers, and the number of inputs of each. All numbers follow from `ARGUS_FUZZ_COUNT`: its default is
small for `make test`, and `make fuzz` sets a larger value.
"""

import os
from random import Random
from typing import Final

APDUS: Final = int(os.environ.get("ARGUS_FUZZ_COUNT", "20000"))
"""Number of mutated APDUs, for both roles together. The counts of the other fuzzers are derived from it."""
SEED: Final = int(os.environ.get("ARGUS_FUZZ_SEED", "20601"))
SHARDS: Final = 4
"""Number of tests among which each role's APDUs are divided, so that processes can run them in parallel."""
SCALE: Final = APDUS / 200_000
"""Factor by which all other counts are multiplied: 0.1 in `make test`, 25 in `make fuzz`."""

IS_FULL: Final = SCALE > 1
"""True for the counts of `make fuzz`, False for those of `make test`."""


def count(at_scale_one: int) -> int:
    """Return the number of inputs for a fuzzer: `at_scale_one` multiplied by `SCALE`, but at least ten."""
    return max(10, int(at_scale_one * SCALE))


def seeded(*what: object) -> Random:
    """Return a random source for one input, seeded by `SEED` and `what`; a failure that names `what` can be
    reproduced."""
    return Random(":".join(map(str, (SEED, *what))))
