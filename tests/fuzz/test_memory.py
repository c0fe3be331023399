"""After 600 mutated APDUs, thousands more do not increase the memory that an association holds."""

import gc
import tracemalloc

import pytest

from protocols.medfloat import float_of, sfloat_of
from tests.builders.fuzz_counts import count, seeded
from tests.builders.ieee11073_fuzz_peers import Peers

WARM_APDUS, MEASURED_APDUS = 600, max(900, count(1500))
GROWTH_BYTES_MAX = 1 << 18
"""Limit of the growth; 15 kB were measured, for compiled layouts. If one APDU in ten were kept, `make fuzz` would
exceed it."""


def held_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("role", ["manager", "agent"])
def test_memory_of_a_long_association_is_bounded(role: str) -> None:
    peers = Peers()
    for raw in range(0x2000):  # fill the caches of decoded numbers
        sfloat_of(raw), float_of(raw)
    tracemalloc.start()
    try:
        course = (peers.manager_course if role == "manager" else peers.agent_course)(seeded("memory", role))
        course.run(WARM_APDUS)
        before_bytes = held_bytes()
        course.run(WARM_APDUS + MEASURED_APDUS)
        growth_bytes = held_bytes() - before_bytes
        print(f"grown by {growth_bytes} bytes")
        assert growth_bytes < GROWTH_BYTES_MAX
    finally:
        tracemalloc.stop()
