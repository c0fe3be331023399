"""Unpack what could not be unpacked when it arrived.

A gateway may be newer than the cloud, and a batch in a form of tomorrow is kept as octets and acknowledged. After
the upgrade this goes through the kept ones again. The envelope was verified at arrival and stands in the chain;
only its rows are missing, and they belong to the organisation and vehicle that the gateway had then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cloud.custody.lanes import LaneKey
from cloud.custody.quarantine import Reason, release
from cloud.custody.store import CustodyStore, UnreadableBatch
from cloud.db import Database, Transaction
from cloud.devices import Devices, Sighting
from cloud.fleet import GatewayDirectory, RegisteredGateway
from cloud.ingest.entering import carriers_of
from cloud.ingest.opening import unpack
from cloud.ingest.store import append_events, event_row
from cloud.observations.numbering import Numbers
from cloud.observations.rows import ObservationColumns
from cloud.observations.store import CarriedBatch, ObservationWriter
from protocols.uplink.envelope import Batch, decode_envelope
from protocols.uplink.events import GatewayEvent

PAGE_BATCHES = 20
"""Envelopes in hand at once: with the largest ones 20 MB."""


@dataclass(slots=True)
class Reprocessed:
    """What came of it. `observations` counts new rows."""

    unpacked: int = 0
    observations: int = 0
    still_unreadable: int = 0


class Reprocessing:
    """Goes through one tenant's kept batches; safe to repeat, and beside a running ingest."""

    def __init__(self, database: Database, devices: Devices) -> None:
        self._database = database
        self._devices = devices
        self._custody = CustodyStore()
        self._directory = GatewayDirectory()
        self._numbers = Numbers()

    async def run(self, tenant_id: str) -> Reprocessed:
        """Each batch in a transaction of its own, so a bad one costs the others nothing."""
        done = Reprocessed()
        after = (0, 0)
        while page := await self._page(tenant_id, after):
            for kept in page:
                await self._try(tenant_id, kept, done)
            after = page[-1].lane_id, page[-1].sequence
        return done

    async def _page(self, tenant_id: str, after: tuple[int, int]) -> Sequence[UnreadableBatch]:
        async with self._database.read() as tx:
            return await self._custody.unreadable(tx, tenant_id, after=after, limit=PAGE_BATCHES)

    async def _try(self, tenant_id: str, kept: UnreadableBatch, done: Reprocessed) -> None:
        batch = decode_envelope(kept.octets).batch
        content = unpack(batch)
        if not isinstance(content, ObservationColumns | GatewayEvent):
            done.still_unreadable += 1
            return
        learned: dict[object, int] = {}
        async with self._database.transaction() as tx:
            gateway = await self._directory.find(tx, tenant_id, kept.gateway_id)
            if gateway is None or not await self._custody.mark_unpacked(tx, kept):
                return
            then = replace(gateway, organization_id=kept.organization_id, vehicle_id=kept.vehicle_id)
            if isinstance(content, ObservationColumns):
                writer = ObservationWriter(tx, self._numbers)
                new = await self._observations(tx, writer, kept, then, content)
                learned = writer.learned
            else:
                new = 0
                await append_events(tx, [_event_row(kept, then, batch, content)])
            await release(tx, tenant_id, kept.gateway_id, kept.hash, Reason.UNREADABLE)
        self._numbers.learn(learned)
        done.unpacked += 1
        done.observations += new

    async def _observations(
        self,
        tx: Transaction,
        writer: ObservationWriter,
        kept: UnreadableBatch,
        gateway: RegisteredGateway,
        content: ObservationColumns,
    ) -> int:
        seen_us = min(content.latest_us, kept.received_at_us)
        sightings = [Sighting(gateway, ref, seen_us) for ref in content.sources]
        known = await self._devices.recall(tx, {one.key for one in sightings})
        ids = await self._devices.attach(tx, sightings, known)
        carried = CarriedBatch(
            columns=content,
            lane_id=kept.lane_id,
            sequence=kept.sequence,
            carriers=carriers_of(gateway, content, ids),
        )
        (added,) = await writer.write([carried])
        return added.new


def _event_row(
    kept: UnreadableBatch, gateway: RegisteredGateway, batch: Batch, event: GatewayEvent
) -> tuple[object, ...]:
    return event_row(
        event,
        lane_id=kept.lane_id,
        sequence=kept.sequence,
        key=LaneKey(gateway.tenant_id, gateway.id, batch.epoch, batch.lane),
        organization_id=gateway.organization_id,
        vehicle_id=gateway.vehicle_id,
    )
