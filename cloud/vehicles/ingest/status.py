"""Store the statuses of gateways, and respond with acknowledgements of all their lanes.

A status is a retained message, so a restarted cloud reads the statuses of the whole fleet at once and responds to each
with the sequence numbers that it holds. So a cloud that was restored from yesterday's copy gets today's batches again.
A status is not signed, so it begins no epoch and stores no batch; it can only request acknowledgements and report
faults. The broker's access list decides which client may send it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
from cloud.vehicles.custody import FIRST_SEQUENCE, CustodyStore, LaneKey, LaneMarks, LaneRow, LaneStore
from cloud.vehicles.fleet import (
    GatewayAccess,
    GatewayDirectory,
    GatewayName,
    GatewayStatus,
    RegisteredGateway,
    end_silence,
)
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.acks import ack_of
from cloud.vehicles.ingest.batch_events import BatchEvents
from cloud.vehicles.ingest.lane_book import LaneBook
from cloud.vehicles.ingest.missing import MissingBatches
from cloud.vehicles.ingest.source import StatusDelivery
from cloud.vehicles.ingest.store import EpochStore
from cloud.vehicles.missions import MissionReceipts
from protocols.errors import RemoteProtocolError
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status, StoreState, decode_status


def open_status(delivery: StatusDelivery) -> Status | None:
    """Decode a status. Return None if it is malformed or names a different gateway than its topic."""
    try:
        status = decode_status(delivery.octets)
    except RemoteProtocolError:
        return None
    return status if status.gateway == delivery.gateway_id else None


@dataclass(frozen=True, slots=True)
class StagedEnd:
    """The batches `first`…`last` of a lane are durable, and their rows are not written yet. `hash` is that of `last`.
    Whether those before are durable, the database knows."""

    first: int
    last: int
    hash: bytes


class StatusKeeper:
    """Store the statuses of gateways and respond to them. The number of statements does not depend on the number of
    gateways."""

    def __init__(self, clock: Clock, outbox: Outbox) -> None:
        self._clock = clock
        self._outbox = outbox
        self._directory = GatewayDirectory()
        self._lanes = LaneStore()
        self._custody = CustodyStore()
        self._epochs = EpochStore()
        self._missing = MissingBatches()
        self._missions = MissionReceipts()

    async def keep(
        self, tx: Transaction, statuses: Mapping[GatewayName, Status], staged: Mapping[LaneKey, StagedEnd]
    ) -> Sequence[tuple[RegisteredGateway, Ack]]:
        """Store the statuses of gateways; return an acknowledgement for each lane (numbered stream of batches) of each
        gateway. Return none for an offline status, and none for a gateway that is not active or not registered. Call
        this after the batches of the same transaction are written, so that the acknowledgements include them. `staged`
        has the ends of the lanes with batches whose rows are not written yet."""
        now_us = self._clock.now_us()
        found = await self._directory.find_all(tx, statuses.keys())
        active = [
            (gateway, statuses[name])
            for name, gateway in sorted(found.items(), key=itemgetter(0))
            if gateway.access is GatewayAccess.ACTIVE
        ]
        await self._directory.record_statuses(
            tx, {(gateway.tenant_id, gateway.id): _recorded(status, now_us) for gateway, status in active}
        )
        online = [(gateway, status) for gateway, status in active if status.online]
        await end_silence(tx, self._outbox, [gateway for gateway, _ in online], now_us)
        events = BatchEvents(tx, self._outbox, now_us)
        contested = [(gateway, status) for gateway, status in active if status.store is StoreState.CONTESTED]
        await self._report_contested(tx, events, contested, now_us)
        keys = {
            LaneKey(gateway.tenant_id, gateway.id, status.epoch, lane) for gateway, status in online for lane in Lane
        }
        rows = {
            key: replace(row, marks=row.marks.adding(staged[key].first, staged[key].last)) if key in staged else row
            for key, row in (await self._lanes.read_lanes(tx, keys)).items()
        }
        await self._missing.compare(tx, events, online, rows, now_us=now_us)
        await events.write()
        await self._missions.compare(tx, [(gateway, status.missions) for gateway, status in online], now_us)
        return await self._acks(tx, online, rows, staged)

    async def _report_contested(
        self,
        tx: Transaction,
        events: BatchEvents,
        reports: Sequence[tuple[RegisteredGateway, Status]],
        now_us: int,
    ) -> None:
        """Add an event for each gateway that reports that it has stopped sending a lane, because the cloud's history of
        the lane differs from the gateway's. Only one event is emitted for each known epoch, because unsigned statuses
        can repeat the report without limit."""
        by_epoch = {(gateway.tenant_id, gateway.id, status.epoch): gateway for gateway, status in reports}
        newly_contested = await self._epochs.contest(tx, by_epoch.keys(), now_us)
        for name in sorted(newly_contested):
            contested = {"epoch": name[2], "seen_by": "gateway"}
            events.add_for(by_epoch[name], event_types.IDENTITY_CONTESTED, contested)

    async def _acks(
        self,
        tx: Transaction,
        online: Sequence[tuple[RegisteredGateway, Status]],
        rows: Mapping[LaneKey, LaneRow],
        staged: Mapping[LaneKey, StagedEnd],
    ) -> list[tuple[RegisteredGateway, Ack]]:
        near = {row.lane_id: {row.marks.through} for row in rows.values() if row.marks.through >= FIRST_SEQUENCE}
        held = await self._custody.neighbours(tx, near)
        acks: list[tuple[RegisteredGateway, Ack]] = []
        for gateway, status in online:
            for lane in Lane:
                key = LaneKey(gateway.tenant_id, gateway.id, status.epoch, lane)
                row, end = rows.get(key), staged.get(key)
                if row is None:
                    ack = ack_of(status.epoch, lane, LaneMarks(), contested=False)
                else:
                    if end is not None and end.last == row.marks.through:
                        behind: bytes | None = end.hash
                    else:
                        behind = LaneBook(row.marks, b"", held.get(row.lane_id, ())).hash_behind(row.marks.through)
                    ack = ack_of(status.epoch, lane, row.marks, contested=row.contested, through_hash=behind)
                acks.append((gateway, ack))
        return acks


def _recorded(status: Status, now_us: int) -> GatewayStatus:
    return GatewayStatus(
        online=status.online,
        at_us=now_us,
        epoch=status.epoch,
        software=status.software,
        store_state=status.store.value,
        boot_id=status.boot_id,
    )
