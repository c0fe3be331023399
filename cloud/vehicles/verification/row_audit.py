"""Compare the database rows of observations with the envelopes that the vehicle signed.

An intact chain proves the envelopes, but users see, export and bill the rows that were unpacked from them. So each
envelope is unpacked again as at arrival, and every column of every row is compared, also the metric object and the
owner of the device. An additional, missing or changed row is a finding. A device may send a measurement from its memory
again: if an earlier batch stored it, no second row is needed.

Rows of the last days are single rows, and older ones are in minute rows, which hold the values of a channel and minute.
Both are compared in the same way. A page of batches is compared in one transaction, since rows move from one to the
other meanwhile.

The comparison changes nothing. It reports sequence numbers and counts, never measurements. It takes about as long as
storing did, some ten thousand observations a second, so it runs only on request.
"""

from collections import defaultdict
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import exists, func, select

from cloud.clinical.epcr import CareLog, change_columns
from cloud.clinical.observations import (
    SYNCHRONISED_CLOCK_ID,
    MinuteValue,
    ObservationColumns,
    channel_columns,
    keys_held,
    minute_rows_of_batches,
    minute_rows_of_lane,
    observation_channels,
    observation_clocks,
    observation_sources,
    observations,
    values_of,
)
from cloud.clinical.waveforms import Run, WaveformIndex
from cloud.foundation.db import Database, DatabaseDamaged, Transaction
from cloud.vehicles.custody import Content, Removal, batches, removed_ranges, removed_rows
from cloud.vehicles.ingest import CareChanges, event_fields, gateway_events, unpack
from cloud.vehicles.verification.lane_audit import FINDINGS_MAX, HeldEnvelope, LaneReport
from protocols.epcr.change import FieldChange
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import decode_envelope
from protocols.uplink.events import GatewayEvent
from protocols.uplink.lanes import Lane

_CONTENT = ("observed_at_us", "uncertainty_us", "received_at_us", "number", "value", "samples", "status", "device_time",
            "stored")  # fmt: skip
_content_of = attrgetter(*_CONTENT)
_SINGLE = [observations.c[name] for name in MinuteValue._fields if name != "stored_at_us"]
_CHANNEL = ("handle", "person", "type_partition", "type_code", "unit_partition", "unit_code", "components",
            "supplemental_types", "sample_format", "sample_period_s", "slope", "array_offset")  # fmt: skip
_SOURCE = ("tenant_id", "organization_id", "vehicle_id", "system_id", "model", "origin", "unverified_link")


BATCHES_AT_ONCE = 20
"""Batches that are compared in one transaction: with the largest ones 80,000 rows."""


class RowAudit:
    """Compare the observation and event rows of one lane (numbered stream of batches) with its envelopes."""

    def __init__(self, database: Database, lane_id: int, report: LaneReport) -> None:
        self._database = database
        self._lane_id = lane_id
        self._report = report
        self._channels: dict[int, tuple[Any, ...]] = {}
        self._clocks: dict[int, tuple[str, bool] | None] = {}
        self._run: Run | None = None
        """The packed run in which the last batch without a row was found."""
        report.observations = 0

    async def segment(self, held: Sequence[HeldEnvelope]) -> None:
        """Compare the database rows of the batches in `held` with their envelopes, and add the
        findings to the report."""
        for begin in range(0, len(held), BATCHES_AT_ONCE):
            some = sorted(held[begin : begin + BATCHES_AT_ONCE], key=lambda one: one.sequence)
            async with self._database.read() as tx:
                rows = await self._rows(tx, some[0].sequence, some[-1].sequence)
                for one in some:
                    await self._batch(tx, one, rows[one.sequence])

    async def end(self) -> None:
        """Report database rows of the lane whose batch does not exist, and minute rows that cannot be read. Call this
        after the lane's last segment."""
        batch = exists().where(
            batches.c.lane_id == observations.c.lane_id,
            batches.c.sequence == observations.c.sequence,
            batches.c.content == Content.ROWS.value,
        )
        # The rows are usually kept longer than the batches that they came from.
        removed = exists().where(
            removed_ranges.c.lane_id == observations.c.lane_id,
            observations.c.sequence.between(removed_ranges.c.first_sequence, removed_ranges.c.last_sequence),
        )
        without_batch = (
            select(observations.c.sequence)
            .where(observations.c.lane_id == self._lane_id, ~batch, ~removed)
            .distinct()
            .order_by(observations.c.sequence)
            .limit(FINDINGS_MAX)
        )
        async with self._database.read() as tx:
            found = {row.sequence for row in await tx.execute(without_batch)}
        async for page in minute_rows_of_lane(self._database, self._lane_id):
            found |= await self._without_batch(page)
        for sequence in sorted(found):
            self._report.find("there are rows and no batch that they came from", sequence, sequence)

    async def _without_batch(self, page: Sequence[Any]) -> set[int]:
        """Return the sequences of values in these minute rows for which there is no batch."""
        sequences: set[int] = set()
        for row in page:
            try:
                sequences.update(value.sequence for value in values_of(row))
            except DatabaseDamaged:
                what = f"a row of {row.value_count} values cannot be read"
                self._report.find(what, row.first_sequence, row.last_sequence)
        if not sequences:
            return sequences
        kept = select(batches.c.sequence).where(
            batches.c.lane_id == self._lane_id,
            batches.c.sequence.between(min(sequences), max(sequences)),
            batches.c.content == Content.ROWS.value,
        )
        async with self._database.read() as tx:
            absent = sequences.difference([row.sequence for row in await tx.execute(kept)])
            packed = [(self._lane_id, min(absent), max(absent))] if absent else []
            for run in await WaveformIndex().overlapping(tx, packed):
                absent.difference_update(range(run.sequence, run.through_sequence + 1))
            removed = await Removal().covered(tx, {self._lane_id: absent}) if absent else {}
        return absent.difference(removed.get(self._lane_id, ()))

    async def _rows(self, tx: Transaction, first: int, last: int) -> defaultdict[int, list[MinuteValue]]:
        """Return the stored observations of the batches `first` to `last` by sequence: those of single rows, and those
        of minute rows."""
        here = (observations.c.lane_id == self._lane_id, observations.c.sequence.between(first, last))
        values = [MinuteValue._make((*row, 0)) for row in await tx.execute(select(*_SINGLE).where(*here))]
        for row in await minute_rows_of_batches(tx, self._lane_id, first, last):
            try:
                values += values_of(row)
            except DatabaseDamaged:
                continue  # `end` reports it
        by_sequence: defaultdict[int, list[MinuteValue]] = defaultdict(list)
        for value in values:
            by_sequence[value.sequence].append(value)
        return by_sequence

    async def _batch(self, tx: Transaction, one: HeldEnvelope, found: Sequence[MinuteValue]) -> None:
        try:
            batch = decode_envelope(one.envelope).batch
        except RemoteProtocolError:
            return  # the check of the chain has reported it
        kept = await self._owner(tx, one.sequence)
        if kept is None:
            return  # a gap, a batch of which only the envelope is kept, or one whose values are read from its object
        match unpack(batch):
            case ObservationColumns() as columns:
                owner = self._report.tenant_id, *kept
                await self._observations(tx, one.sequence, columns, owner, found)
            case GatewayEvent() as event:
                await self._event(tx, one.sequence, event)
            case CareChanges(changes):
                await self._changes(tx, one.sequence, changes)
            case _:
                self._report.find("its rows cannot be compared: the payload cannot be read", *[one.sequence] * 2)

    async def _owner(self, tx: Transaction, sequence: int) -> tuple[str, str] | None:
        """Return the organisation and the vehicle of a batch that was unpacked into rows; None for another one."""
        here = (batches.c.lane_id == self._lane_id, batches.c.sequence == sequence)
        wanted = select(batches.c.content, batches.c.organization_id, batches.c.vehicle_id).where(*here)
        kept = (await tx.execute(wanted)).first()
        if kept is not None:
            return (kept.organization_id, kept.vehicle_id) if kept.content == Content.ROWS.value else None
        if self._report.lane == Lane.WAVEFORM.value:
            return None
        if self._run is None or not self._run.sequence <= sequence <= self._run.through_sequence:
            found = await WaveformIndex().overlapping(tx, [(self._lane_id, sequence, sequence)])
            self._run = found[0] if found else None
        return None if self._run is None else (self._run.organization_id, self._run.vehicle_id)

    async def _observations(
        self,
        tx: Transaction,
        sequence: int,
        columns: ObservationColumns,
        owner: tuple[str, str, str],
        found: Sequence[MinuteValue],
    ) -> None:
        rows = {row.position: row for row in found}
        surplus = len(found) - len(rows)
        assert self._report.observations is not None
        self._report.observations += len(found)
        described = [
            (
                *(channel_columns(one.channel)[name] for name in _CHANNEL),
                *(*owner, columns.sources[one.source_number].system_id, columns.sources[one.source_number].model),
                "vehicle",
                columns.sources[one.source_number].unverified_link,
            )
            for one in columns.channels
        ]
        lacking: list[int] = []
        changed = 0
        for position, (channel_number, content) in enumerate(_contents(columns)):
            row = rows.pop(position, None)
            if row is None:
                lacking.append(position)
            elif (
                _content_of(row) != content
                or not await self._is_clock(tx, row, columns, position)
                or described[channel_number] != await self._channel(tx, row.source_id, row.channel_id)
            ):
                changed += 1
        if changed:
            self._report.find(f"{changed} rows are not what its envelope says", sequence, sequence)
        surplus += len(rows)
        if surplus:
            self._report.find(f"{surplus} rows are not in its envelope", sequence, sequence)
        lost = len(lacking) - await self._elsewhere(tx, lacking, columns)
        if lost and sequence > await self._removed_through(tx, events=False):
            self._report.find(f"{lost} rows are missing", sequence, sequence)

    async def _channel(self, tx: Transaction, source_id: int, channel_id: int) -> tuple[Any, ...] | None:
        """Return the stored description of a row's channel and source, in the order of `_CHANNEL` and `_SOURCE`; None
        when the source has no such channel."""
        known = self._channels.get(channel_id)
        if known is None:
            channel, source = observation_channels.c, observation_sources.c
            statement = (
                select(channel.source_id, *(channel[name] for name in _CHANNEL), *(source[name] for name in _SOURCE))
                .join(observation_sources, source.source_id == channel.source_id)
                .where(channel.channel_id == channel_id)
            )
            row = (await tx.execute(statement)).first()
            if row is None:
                return None
            known = self._channels[channel_id] = tuple(row)
        return known[1:] if known[0] == source_id else None

    async def _is_clock(self, tx: Transaction, row: MinuteValue, columns: ObservationColumns, position: int) -> bool:
        """Return whether a stored observation refers to the gateway clock that the envelope states for the observation
        at `position`. A row that was written before clocks were stored is accepted."""
        if row.clock_id is None:
            return True
        number = columns.clock_numbers[position]
        if number == SYNCHRONISED_CLOCK_ID:
            return row.clock_id == SYNCHRONISED_CLOCK_ID
        if row.clock_id not in self._clocks:
            clock = observation_clocks.c
            named = select(clock.boot_id, clock.device_known).where(clock.clock_id == row.clock_id)
            found = (await tx.execute(named)).first()
            self._clocks[row.clock_id] = None if found is None else (found.boot_id, bool(found.device_known))
        stated = columns.clocks[number - 1]
        known = self._clocks[row.clock_id], row.monotonic_us
        return known == ((stated.boot_id, stated.device_known), columns.monotonic_us[position])

    async def _elsewhere(self, tx: Transaction, positions: Sequence[int], columns: ObservationColumns) -> int:
        """Count those observations at `positions` that come from a device's memory and that an earlier batch has
        already stored."""
        tenant_id = self._report.tenant_id
        keys = [(tenant_id, key) for position in positions if (key := columns.content_keys.get(position)) is not None]
        held = await keys_held(tx, keys)
        return sum(key in held for key in keys)

    async def _removed_through(self, tx: Transaction, *, events: bool) -> int:
        """Return the sequence number up to which the lane's rows of events, or of observations, may have been deleted
        after their retention period."""
        table = removed_rows.c
        of_kind = table.kind == "vehicle_events" if events else table.kind != "vehicle_events"
        statement = select(func.max(table.through_sequence)).where(table.lane_id == self._lane_id, of_kind)
        return int((await tx.execute(statement)).scalar() or 0)

    async def _event(self, tx: Transaction, sequence: int, event: GatewayEvent) -> None:
        table = gateway_events.c
        expected = event_fields(event)
        stored = select(*(table[name] for name in expected)).where(
            table.lane_id == self._lane_id, table.sequence == sequence
        )
        row = (await tx.execute(stored)).first()
        if row is None:
            if sequence > await self._removed_through(tx, events=True):
                self._report.find("its event is missing", sequence, sequence)
        elif tuple(row) != tuple(expected.values()):
            self._report.find("its event is not what its envelope says", sequence, sequence)

    async def _changes(self, tx: Transaction, sequence: int, changes: Sequence[FieldChange]) -> None:
        stored = await CareLog().of_batch(tx, self._lane_id, sequence)
        if len(stored) != len(changes):
            if sequence > await self._removed_through(tx, events=False):
                self._report.find("its field changes are not complete", sequence, sequence)
        elif list(stored) != [change_columns(change) for change in changes]:
            self._report.find("its field changes are not what its envelope states", sequence, sequence)


def _contents(columns: ObservationColumns) -> Any:
    """Return, for each observation, the number of its channel and its values in the order of `_CONTENT`."""
    values = zip(
        columns.observed_at_us,
        columns.uncertainty_us,
        columns.received_at_us,
        columns.numbers,
        columns.texts,
        columns.samples,
        columns.status,
        columns.device_times,
        columns.stored,
        strict=True,
    )
    return zip(columns.channel_numbers, values, strict=True)
