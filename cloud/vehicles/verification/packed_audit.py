"""Compare the index of packed waveforms with the envelopes of its runs.

Readers find waveforms by the rows of `waveform_sources`: the device, its owner, the clock, the times and the number of
observations of each run. So a missing or changed row would hide waveforms that are in their object.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from cloud.clinical.observations import ObservationColumns, observation_clocks, observation_sources
from cloud.clinical.waveforms import Run, SourceSpan, merge_spans, waveform_sources
from cloud.foundation.db import Transaction
from cloud.vehicles.ingest import spans_of, unpack
from cloud.vehicles.verification.lane_audit import LaneReport
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import decode_envelope

_NAMES = ("observations", "from_us", "until_us", "monotonic_from_us", "monotonic_until_us")


async def compare_index(tx: Transaction, run: Run, envelopes: Sequence[bytes], report: LaneReport) -> None:
    """Add a finding to the report if the index of a run differs from its envelopes."""
    owner = report.tenant_id, run.organization_id, run.vehicle_id
    sources: dict[tuple[Any, ...], int] = {}
    clocks: dict[tuple[Any, ...], int] = {}
    spans: list[SourceSpan] = []
    for envelope in envelopes:
        try:
            columns = unpack(decode_envelope(envelope).batch)
        except RemoteProtocolError:
            return  # the check of the chain has reported it
        if not isinstance(columns, ObservationColumns):
            report.find("it is indexed and cannot be decoded", run.sequence, run.through_sequence)
            return
        source_ids = [
            sources.setdefault((*owner, ref.system_id, ref.model, ref.unverified_link), len(sources))
            for ref in columns.sources
        ]
        clock_ids = [
            clocks.setdefault((report.gateway_id, one.boot_id, one.device_known), len(clocks) + 1)
            for one in columns.clocks
        ]
        spans += [span.stored(source_ids, clock_ids) for span in spans_of(columns)]
    source_of = {number: source for source, number in sources.items()}
    clock_of = {number: clock for clock, number in clocks.items()} | {0: (None, None, None)}
    expected = {
        (*source_of[span.source_id], *clock_of[span.clock_id], *(getattr(span, name) for name in _NAMES))
        for span in merge_spans(spans)
    }
    assert report.observations is not None
    report.observations += sum(span.observations for span in spans)
    if await _stored(tx, run) != expected:
        report.find("its index differs from its envelopes", run.sequence, run.through_sequence)


async def _stored(tx: Transaction, run: Run) -> set[tuple[Any, ...]]:
    span, source, clock = waveform_sources.c, observation_sources.c, observation_clocks.c
    statement = (
        select(
            *(source.tenant_id, source.organization_id, source.vehicle_id),
            *(source.system_id, source.model, source.unverified_link),
            *(clock.gateway_id, clock.boot_id, clock.device_known),
            *(span[name] for name in _NAMES),
        )
        .join(observation_sources, source.source_id == span.source_id)
        .outerjoin(observation_clocks, clock.clock_id == span.clock_id)
        .where(span.lane_id == run.lane_id, span.sequence == run.sequence)
    )
    return {tuple(row) for row in await tx.execute(statement)}
