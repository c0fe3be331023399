"""The arrivals of batches as the cloud's stores have them: rows in the database, and runs in packed objects."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import asyncpg

from cloud.clinical.waveforms.entries import read_entries
from protocols.uplink.envelope import decode_envelope

ROWS = """
SELECT gateway_id, lane, epoch, historical, sequence, received_at_us FROM batches JOIN lanes USING (lane_id)
"""
RUNS = """
SELECT name, position, waveform_runs.size_bytes, received_at_us
FROM waveform_runs JOIN waveform_objects USING (object_id)
"""


class Flow(NamedTuple):
    """Batches that are sent in the order of their numbers: those of one lane, or of its backlog, which is sent beside
    the batches of the present."""

    gateway_id: str
    lane: str
    epoch: str
    historical: bool


@dataclass(frozen=True, slots=True)
class StoredArrivals:
    """Sequence number and time of arrival (µs) of each batch, by flow. A batch in a packed object has the time of the
    first one of its run. A run has staged batches, each of which arrived after the one before it (`lane_tails`), or
    those of one transaction, of which a swap within its quarter of a second is not seen."""

    rows: dict[Flow, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    packed: dict[Flow, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def live_lanes(self) -> set[tuple[str, str]]:
        """The gateway and the lane of each flow of the present."""
        return {(flow.gateway_id, flow.lane) for flow in {*self.rows, *self.packed} if not flow.historical}

    @property
    def packed_lanes(self) -> set[tuple[str, str]]:
        """The gateway and the lane of each flow with batches in packed objects."""
        return {(flow.gateway_id, flow.lane) for flow in self.packed}

    def lines(self) -> list[str]:
        """Return the number of batches of each flow in rows and in objects, for a reader."""
        return [
            f"{' '.join(map(str, flow))}: {len(self.rows.get(flow, ()))} rows, {len(self.packed.get(flow, ()))} packed"
            for flow in sorted({*self.rows, *self.packed})
        ]

    def assert_whole_and_in_order(self) -> None:
        """Fail where a lane lacks a batch or has one twice, or where one arrived before one with a smaller number."""
        numbers: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
        for stored in (self.rows, self.packed):
            for flow, batches in stored.items():
                numbers[flow.gateway_id, flow.lane, flow.epoch] += batches
        for lane, of_lane in numbers.items():
            assert sorted(of_lane) == list(range(1, len(of_lane) + 1)), f"{lane}: a batch is missing or stored twice"
        for flow in {*self.rows, *self.packed}:
            arrived = sorted((self.rows.get(flow, {}) | self.packed.get(flow, {})).items())
            swapped = [f"{other} before {one}" for (one, at), (other, later) in pairwise(arrived) if later < at]
            assert not swapped, f"{flow} arrived in another order: {swapped}"


async def stored_arrivals(url: str, objects: Path) -> StoredArrivals:
    """Read the batches in the PostgreSQL database `url`, and the runs in the folder `objects` that it indexes."""
    found = StoredArrivals()
    connection = await asyncpg.connect(url)
    try:
        for *flow, sequence, received_at_us in await connection.fetch(ROWS):
            found.rows[Flow(*flow)][sequence] = received_at_us
        for name, position, size_bytes, received_at_us in await connection.fetch(RUNS):
            with (objects / name).open("rb") as file:
                file.seek(position)
                data = file.read(size_bytes)
            for encoded in read_entries(data):
                envelope = decode_envelope(encoded)
                batch = envelope.batch
                of_flow = found.packed[Flow(batch.gateway, batch.lane.value, batch.epoch, envelope.historical)]
                assert batch.sequence not in of_flow, f"{batch.gateway} {batch.lane}: {batch.sequence} is packed twice"
                of_flow[batch.sequence] = received_at_us
    finally:
        await connection.close()
    return found
