"""Replaying a capture also gives the PM-store entries that were fetched while the capture was recorded."""

from gateway.cli.replay import Replay
from gateway.transports.capture import Capture, Record
from tests.builders.memory_devices import HeldMemory, MemoryPair, meter_segment


def test_pm_store_entries_in_a_capture_are_replayed_in_order() -> None:
    memory = HeldMemory([meter_segment(1, range(5)), meter_segment(2, [9]), meter_segment(3, range(20, 24))])
    pair = MemoryPair(memory).run()
    records = tuple(Record(way, octets, 0.01 * at, 0) for at, (way, octets) in enumerate(pair.said))
    replay = Replay(Capture({}, records))
    values = [row["value"] for row in replay.observations()]
    assert values == [80.0, 81.0, 82.0, 83.0, 84.0, 89.0, 100.0, 101.0, 102.0, 103.0]
    assert replay.deviations == []
