"""Remove signed batches that have content of an erased encounter, with their envelopes.

A batch is removed whole. Its values of other encounters stay in their rows, and are counted: only the proof that the
vehicle signed them is lost.
"""

from collections.abc import Collection, Iterator, Mapping, Set
from typing import Any

from sqlalchemy import select

from cloud.clinical.epcr import JoinedReport
from cloud.clinical.observations import ErasedValues, ObservationColumns, clocks_of_gateway
from cloud.clinical.waveforms import WaveformIndex
from cloud.foundation.db import Transaction
from cloud.vehicles.custody import Content, Removal, batches, lanes, release
from cloud.vehicles.erasure.model import Amounts
from cloud.vehicles.erasure.place import Step
from cloud.vehicles.ingest import CareChanges, UnpackedContent, UnreadablePayload, unpack
from cloud.vehicles.packing import BatchesPacked
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import decode_envelope
from protocols.uplink.lanes import Lane

_HELD = (Content.REMOVED.value, Content.PARKED.value)
"""States of batches that are not removed: there is no envelope, or the batch gets its rows first."""


class ContentOfEncounter:
    """Decides which content of a batch belongs to an erased encounter or to one of the `reports` that it was joined
    to. The clocks of each gateway are read once."""

    def __init__(self, tx: Transaction, values: ErasedValues, reports: Collection[JoinedReport] = ()) -> None:
        self._tx = tx
        self._values = values
        self._reports = frozenset(reports)
        self._clocks: dict[str, Mapping[tuple[str, bool], Any]] = {}

    async def positions(self, gateway_id: str, owner: tuple[str, str], content: UnpackedContent) -> Set[int]:
        """Return the positions of the encounter's values or field changes in the content of a batch. `owner` are
        organisation and vehicle of the gateway at the arrival."""
        match content:
            case ObservationColumns():
                if gateway_id not in self._clocks:
                    self._clocks[gateway_id] = await clocks_of_gateway(self._tx, self._values.tenant_id, gateway_id)
                return self._values.positions(content, owner, self._clocks[gateway_id])
            case CareChanges(changes):
                mine = {self._values.encounter_id, *self._reports_of(gateway_id)}
                return {position for position, change in enumerate(changes) if change.encounter in mine}
            case _:
                return frozenset()

    def _reports_of(self, gateway_id: str) -> Iterator[str]:
        return (one.report_id for one in self._reports if one.gateway_id == gateway_id)


class BatchErasure:
    """Removes batches from the chains of their lanes, in one transaction. Batches of numerics in packed objects need
    rows first (`BatchesPacked`)."""

    def __init__(self, step: Step, now_us: int) -> None:
        self._step = step
        self._tx = step.tx
        self._now_us = now_us
        self._removal = Removal(step.sealer)
        self._content = ContentOfEncounter(step.tx, step.values, step.reports)

    async def remove(self, found: Mapping[int, Collection[int]]) -> Amounts:
        """Remove the batches with these sequence numbers, by lane id. Batches that are not stored are ignored."""
        amounts = Amounts()
        for lane_id in sorted(found):
            amounts += await self._remove_of_lane(lane_id, found[lane_id])
        return amounts

    async def _check_unpacked(self, lane_id: int, sequences: Collection[int]) -> None:
        """Raise `BatchesPacked` if batches lie in packed objects. Their values were in minute rows, so this is found
        before a batch is removed."""
        index = WaveformIndex()
        runs = await index.overlapping(self._tx, [(lane_id, one, one) for one in sorted(sequences)])
        if runs:
            raise BatchesPacked(await index.names_of(self._tx, runs))

    async def _remove_of_lane(self, lane_id: int, sequences: Collection[int]) -> Amounts:
        lane = (await self._tx.execute(select(lanes).where(lanes.c.lane_id == lane_id))).first()
        assert lane is not None, "a lane is never deleted"
        marks = await self._removal.lock(self._tx, lane_id)
        if lane.lane != Lane.WAVEFORM.value:
            await self._check_unpacked(lane_id, sequences)
        chain = await self._removal.of_sequences(self._tx, lane_id, sequences)
        chain = [row for row in chain if row.content.value not in _HELD]
        if not chain:
            return Amounts()
        self._step.check_gateway(lane.gateway_id)
        stored = select(batches.c.sequence, batches.c.organization_id, batches.c.hash, batches.c.envelope).where(
            batches.c.lane_id == lane_id, batches.c.sequence.in_([row.sequence for row in chain])
        )
        envelopes = {row.sequence: row for row in await self._tx.execute(stored)}
        others = unread = 0
        for row in chain:
            kept = envelopes[row.sequence]
            try:
                batch = decode_envelope(bytes(kept.envelope)).batch
                content = unpack(batch)
            except RemoteProtocolError:
                continue  # the check of the chain reports it
            if isinstance(content, UnreadablePayload):
                unread += 1
                await release(self._tx, lane.tenant_id, lane.gateway_id, bytes(kept.hash))
                continue
            owner = kept.organization_id, row.vehicle_id
            others += batch.count - len(await self._content.positions(lane.gateway_id, owner, content))
        await self._removal.remove(self._tx, lane_id, marks, chain, self._now_us)
        return Amounts(batches=len(chain), others=others, unread=unread)
