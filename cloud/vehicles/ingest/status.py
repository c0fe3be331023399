"""Store the statuses of gateways, and respond with acknowledgements of all their lanes.

A status is a retained message, so a restarted cloud reads the statuses of the whole fleet at once and responds to each
with the sequence numbers that it holds. So a cloud that was restored from yesterday's copy gets today's batches again.
A status is not signed, so it begins no epoch and stores no batch; it can only request acknowledgements and report
faults. The broker's access list decides which client may send it.
"""

from collections.abc import Sequence

from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
from cloud.vehicles.custody import CustodyStore, LaneKey, LaneMarks, LaneRow, LaneStore
from cloud.vehicles.fleet import GatewayAccess, GatewayDirectory, GatewayStatus, RegisteredGateway, heard
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.acks import ack_of
from cloud.vehicles.ingest.batch_events import BatchEvents
from cloud.vehicles.ingest.lane_book import LaneBook
from cloud.vehicles.ingest.missing import MissingBatches
from cloud.vehicles.ingest.source import StatusDelivery
from cloud.vehicles.ingest.store import EpochStore
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


class StatusKeeper:
    """Store the statuses of gateways and respond to them."""

    def __init__(self, clock: Clock, outbox: Outbox) -> None:
        self._clock = clock
        self._outbox = outbox
        self._directory = GatewayDirectory()
        self._lanes = LaneStore()
        self._custody = CustodyStore()
        self._epochs = EpochStore()
        self._missing = MissingBatches()

    async def keep(self, tx: Transaction, delivery: StatusDelivery, status: Status) -> Sequence[Ack]:
        """Store a status; return an acknowledgement for each lane (numbered stream of batches). Return none for an
        offline status, and none for a gateway that is not active or not registered. Call this after the batches of the
        same transaction are written, so that the acknowledgements include them."""
        gateway = await self._directory.find(tx, delivery.tenant_id, delivery.gateway_id)
        if gateway is None or gateway.access is not GatewayAccess.ACTIVE:
            return ()
        said = GatewayStatus(
            online=status.online,
            at_us=self._clock.now_us(),
            epoch=status.epoch,
            software=status.software,
            store_state=status.store.value,
            boot_id=status.boot_id,
        )
        await self._directory.record_status(tx, delivery.tenant_id, delivery.gateway_id, said)
        if status.online:
            await heard(tx, self._outbox, gateway, said.at_us)
        events = BatchEvents(tx, self._outbox, said.at_us)
        if status.store is StoreState.CONTESTED:
            await self._report_contested(tx, events, gateway, status)
        if not status.online:
            return ()
        rows = {
            lane: await self._lanes.read_lane(tx, LaneKey(gateway.tenant_id, gateway.id, status.epoch, lane))
            for lane in Lane
        }
        await self._missing.compare(tx, events, gateway, status, rows, now_us=said.at_us)
        return [await self._marks(tx, status.epoch, lane, rows[lane]) for lane in Lane]

    async def _report_contested(
        self, tx: Transaction, events: BatchEvents, gateway: RegisteredGateway, status: Status
    ) -> None:
        """Emit an event when a gateway reports that it has stopped sending a lane, because the cloud's history of the
        lane differs from the gateway's. Only one event is emitted for each known epoch, because unsigned statuses can
        repeat the report without limit."""
        key = LaneKey(gateway.tenant_id, gateway.id, status.epoch, Lane.EVENT)
        if await self._epochs.contest(tx, key, self._clock.now_us()):
            contested = {"epoch": status.epoch, "seen_by": "gateway"}
            await events.emit_for(gateway, event_types.IDENTITY_CONTESTED, contested)

    async def _marks(self, tx: Transaction, epoch: str, lane: Lane, row: LaneRow | None) -> Ack:
        if row is None:
            return ack_of(epoch, lane, LaneMarks(), contested=False)
        through = row.marks.through
        held = await self._custody.neighbours(tx, row.lane_id, {through})
        behind = LaneBook(row.marks, b"", held).hash_behind(through)
        return ack_of(epoch, lane, row.marks, contested=row.contested, through_hash=behind)
