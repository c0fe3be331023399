"""No PM-store entry is lost, doubled or cleared too early when the link is cut after any byte in either direction.

The test runs two protocol engines and keeps their durable state in memory; `tests/soak` does the same with real stores
and processes. With `ARGUS_SOAK=1` it cuts after every byte, otherwise after every 23rd.
"""

import os
from collections import Counter

import pytest

from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.fetched_segments import RememberedSegments
from protocols.ieee11073.association.segment_events import SegmentsCleared
from protocols.ieee11073.association.settings import PmStoreSettings
from tests.builders.memory_devices import HeldMemory, MemoryPair, meter_segment

FULL = os.environ.get("ARGUS_SOAK") == "1"
STRIDE = 1 if FULL else 23
MINUTES = [*range(7), *range(20, 25), 40]


def memory() -> HeldMemory:
    return HeldMemory([meter_segment(1, range(7)), meter_segment(2, range(20, 25)), meter_segment(3, [40])])


@pytest.mark.parametrize("clear", [False, True], ids=["kept", "cleared"])
@pytest.mark.parametrize("direction", ["to_manager", "to_agent"])
def test_every_segment_entry_is_fetched_after_a_link_loss_at_any_byte_of_a_segment_transfer(
    direction: str, clear: bool
) -> None:
    settings = PmStoreSettings(clear=clear)
    whole = MemoryPair(memory(), settings=settings).run()
    octets = whole.to_manager_bytes if direction == "to_manager" else whole.to_agent_bytes
    assert whole.minutes == MINUTES
    cuts = range(0, octets, STRIDE)
    for cut in cuts:
        held = memory()
        fetched, remembered = RememberedSegments(), RememberedConfigurations()
        first = MemoryPair(held, settings=settings, fetched=fetched, remembered=remembered)
        setattr(first, f"cut_{direction}", cut)
        first.run()
        gone = set(MINUTES) - {minute for segment in held.held for minute in minutes_of(segment.number)}
        assert gone <= set(first.minutes), f"cut at {cut}: cleared what is not durable"
        second = MemoryPair(held, settings=settings, fetched=fetched, remembered=remembered).run()
        # Entries with a date may be sent twice: their content identifies the measurement (DESIGN D3).
        assert set(first.minutes + second.minutes) == set(MINUTES), f"cut at {cut}"
        assert max(Counter(second.minutes).values(), default=1) == 1
        assert not clear or held.held == [], f"cut at {cut}"
        third = MemoryPair(held, settings=settings, fetched=fetched, remembered=remembered).run()
        assert (third.minutes, third.of(SegmentsCleared)) == ([], []), f"cut at {cut}: fetched once more"
    print(f"{len(cuts)} cuts of {octets} bytes {direction}, clear={clear}")


def minutes_of(number: int) -> list[int]:
    return {1: list(range(7)), 2: list(range(20, 25)), 3: [40]}[number]
