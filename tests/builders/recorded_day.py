"""A day of a twelve-lead ECG in packed objects of a quarter of an hour, written without its envelopes.

The objects have valid indexes, and in the place of each run some bytes that are no envelopes: who reads them fails.
"""

import struct
from pathlib import Path

from cloud.clinical.observations.tables import observation_sources
from cloud.clinical.waveforms import ChannelKey, Run, SourceSpan, WaveformIndex, WaveformObject
from cloud.clinical.waveforms.packed_object import PackedRun, encode_header, encode_object
from cloud.clinical.waveforms.summarising import SampleBlocks, summarise
from cloud.clinical.waveforms.tables import waveform_runs
from cloud.foundation.objects import LocalObjects
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, SampleArray, SampleFormat
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, GatewayInVehicle
from tests.builders.waveforms import waves

SECOND_US = 1_000_000
QUARTER_S = 900
QUARTERS_A_DAY = 96
LEADS = 12
RUNS = 4
"""Runs of an object: a run has at most 256 batches, of a second each."""
SCALE = SampleArray(format=SampleFormat.I16, period_s=0.5, slope=0.00125, offset=0.0)
_NOT_ENVELOPES = b"\0" * 64


class CountingObjects(LocalObjects):
    """A local object store that records the ranges that are read: the name, the first byte and the size."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.ranges: list[tuple[str, int, int]] = []

    async def read_range(self, name: str, first: int, size_bytes: int) -> bytes:
        self.ranges.append((name, first, size_bytes))
        return await super().read_range(name, first, size_bytes)


async def record_day(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, *, quarters: int = QUARTERS_A_DAY
) -> dict[str, int]:
    """Store quarters of an hour of the oximeter's waveforms from NOW_US on; return the position of the index of each
    object by its name. The least sample of a second is minus its number since NOW_US modulo 1000, the greatest is the
    lead's number."""
    assert cloud.objects is not None
    await cloud.take(waves(gateway))
    (first,) = await cloud.rows(waveform_runs)
    (source,) = await cloud.rows(observation_sources, observation_sources.c.system_id == OXIMETER.system_id)
    index = WaveformIndex()
    places: dict[str, int] = {}
    for quarter in range(quarters):
        begin_s = quarter * QUARTER_S
        entries = [_NOT_ENVELOPES] * RUNS
        header = encode_header(TENANT, NOW_US)
        packed_runs, at = [], len(header)
        for number, entry in enumerate(entries):
            sequence = 1_000 + quarter * RUNS + number
            packed_runs.append(
                PackedRun(
                    gateway=gateway.gateway,
                    epoch=gateway.epoch,
                    sequence=sequence,
                    batches=1,
                    position=at,
                    size_bytes=len(entry),
                )
            )
            at += len(entry)
        summary = summarise([_blocks(gateway.gateway, begin_s)])
        data = encode_object(header, entries, packed_runs, summary)
        name = f"waveforms/{TENANT}/20270115/{quarter:04}"
        stored = await cloud.objects.put(name, data)
        places[name] = at
        async with cloud.database.transaction() as tx:
            packed = WaveformObject(tenant_id=TENANT, stored=stored, stored_at_us=NOW_US)
            (object_id,) = (await index.add_objects(tx, [packed])).values()
            await index.append(
                tx,
                {
                    _run(first, run, object_id): [_span(source.source_id, begin_s + number * QUARTER_S // RUNS)]
                    for number, run in enumerate(packed_runs)
                },
            )
    return places


def _run(first: Run, run: PackedRun, object_id: int) -> Run:
    return Run(
        lane_id=first.lane_id,
        sequence=run.sequence,
        through_sequence=run.sequence,
        object_id=object_id,
        position=run.position,
        size_bytes=run.size_bytes,
        previous_hash=bytes(32),
        hashes=bytes(32),
        link=first.link,
        organization_id=first.organization_id,
        vehicle_id=first.vehicle_id,
        received_at_us=NOW_US,
        stored_at_us=NOW_US,
    )


def _span(source_id: int, begin_s: int) -> SourceSpan:
    begin_us = NOW_US + begin_s * SECOND_US
    return SourceSpan(
        source_id=source_id,
        clock_id=0,
        observations=1,
        from_us=begin_us,
        until_us=begin_us + (QUARTER_S // RUNS) * SECOND_US - 1,
        monotonic_from_us=None,
        monotonic_until_us=None,
    )


def _blocks(gateway: str, begin_s: int) -> SampleBlocks:
    """Return a block of each lead, with two samples in each second: the least and the greatest."""
    keys: list[ChannelKey] = []
    blocks: list[bytes] = []
    for lead in range(LEADS):
        channel = Channel(handle=20 + lead, type=Code(2, 256 + lead), unit=Code(4, 4274), array=SCALE)
        samples = [each for number in range(begin_s, begin_s + QUARTER_S) for each in (-(number % 1_000), lead)]
        keys.append(ChannelKey(gateway, OXIMETER, channel))
        blocks.append(struct.pack(f">{len(samples)}h", *samples))
    return SampleBlocks(keys, range(LEADS), [NOW_US + begin_s * SECOND_US] * LEADS, blocks)
