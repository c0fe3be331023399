"""Runs of the fuzzer against one role (manager or agent): many mutated APDUs must raise no exception, and memory must
not grow.

A run consists of courses (one association each, with its own seed). A failure names the seed of its course;
`ARGUS_FUZZ_SEED` changes the seeds of a run.
"""

import gc
import os
from collections import Counter
from pathlib import Path
from typing import Final

from tests.builders.fuzz_counts import SEED, seeded
from tests.builders.ieee11073_fuzz_peers import Peers

COURSE_APDUS: Final = 64
"""Mutated APDUs of one course: enough to end and establish associations, few enough to analyse a failure."""
GROWTH_BYTES_MAX: Final = 24 << 20
"""Limit of the growth of memory from a third of a run to its end. Measured: below 4 MiB, for compiled layouts and
caches of numbers. If one course in ten were kept, `make fuzz` would exceed the limit."""
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def run(peers: Peers, role: str, shard: int, apdus: int) -> Counter[str]:
    """Run courses (associations) until the role `role` (manager or agent) has received `apdus` mutated APDUs. Return
    how many events of each kind occurred."""
    print(f"\nfuzz: {apdus} mutated APDUs to the {role}, shard {shard}, seed {SEED}")
    met: Counter[str] = Counter()
    fed = number = settled_bytes = 0
    while fed < apdus:
        number += 1
        random = seeded(role, shard, number)
        course = peers.manager_course(random) if role == "manager" else peers.agent_course(random)
        try:
            course.run(COURSE_APDUS)
        except Exception as error:
            fed_last = " ".join(octets.hex() for octets in course.trace)
            raise AssertionError(f"ARGUS_FUZZ_SEED={SEED}, {role} {shard} {number}: {fed_last}") from error
        fed += course.fed
        met += course.met
        if not settled_bytes and fed > apdus // 3:
            settled_bytes = resident_bytes()
    assert resident_bytes() - settled_bytes < GROWTH_BYTES_MAX
    return met
