"""Write the rows of a batch that was first stored as an envelope only.

`reprocess` (after an upgrade) and `take_up` (when a quota allows it) use this module. The envelope was verified at
arrival, and the rows belong to the organisation and vehicle that the gateway had then.
"""

from collections.abc import Mapping
from dataclasses import replace

from cloud.clinical.devices import DescriptionStore, DeviceKey, Devices
from cloud.clinical.epcr import CareLog
from cloud.clinical.handover import ShareLinks
from cloud.clinical.observations import (
    Added,
    CarriedBatch,
    Numbers,
    ObservationWriter,
    learn_clocks,
)
from cloud.foundation.db import Transaction
from cloud.vehicles.custody import HeldBatch, LaneStore
from cloud.vehicles.fleet import RegisteredGateway
from cloud.vehicles.ingest.device_reports import is_report, report_in
from cloud.vehicles.ingest.entering import carriers_of, changes_of, sightings_of
from cloud.vehicles.ingest.opening import CareChanges, RowContent
from cloud.vehicles.ingest.store import append_events, event_row
from protocols.uplink.events import GatewayEvent


class KeptRows:
    """Write the rows of stored envelopes within one transaction. `learned` has the row numbers that may be cached after
    the commit."""

    def __init__(self, tx: Transaction, devices: Devices, numbers: Numbers) -> None:
        self._tx = tx
        self._devices = devices
        self._descriptions = DescriptionStore()
        self._observations = ObservationWriter(tx, numbers)
        self._care_log = CareLog()
        self._share_links = ShareLinks()
        self._lanes = LaneStore()

    @property
    def learned(self) -> dict[object, int]:
        return self._observations.learned

    async def write(self, held: HeldBatch, gateway: RegisteredGateway, content: RowContent) -> Added:
        """Write the rows of one batch; return the numbers of new and of repeated observations. `gateway` is as
        registered now, but the rows get the organisation and vehicle in `held`."""
        then = replace(gateway, organization_id=held.organization_id, vehicle_id=held.vehicle_id)
        if isinstance(content, GatewayEvent):
            await self._describe(held, then, content)
            await append_events(self._tx, [event_row(content, then, held.lane_id, held.sequence)])
            await learn_clocks(self._tx, [(then.tenant_id, then.id, content)])
            return Added(0, 0)
        if isinstance(content, CareChanges):
            changes = changes_of(then, content, held.lane_id, held.sequence, held.received_at_us)
            await self._care_log.append(self._tx, changes)
            await self._share_links.take(self._tx, changes)
            return Added(0, 0)
        ids = await self._attach(then, content, held)
        carried = CarriedBatch(
            gateway_id=then.id,
            columns=content,
            lane_id=held.lane_id,
            sequence=held.sequence,
            carriers=carriers_of(then, content, ids),
        )
        (added,) = await self._observations.write([carried])
        if added.repeated:
            await self._lanes.count_repeated(self._tx, held.lane_id, added.repeated)
        return added

    async def _attach(
        self, gateway: RegisteredGateway, content: RowContent, held: HeldBatch
    ) -> Mapping[DeviceKey, str]:
        """Find or add the devices of a batch; return their ids."""
        sightings = sightings_of(gateway, content, held.received_at_us)
        known = await self._devices.recall(self._tx, {one.key for one in sightings})
        return await self._devices.attach(self._tx, sightings, known)

    async def _describe(self, held: HeldBatch, gateway: RegisteredGateway, event: GatewayEvent) -> None:
        """Store what an event reports on a device."""
        if not is_report(event):
            return
        ids = await self._attach(gateway, event, held)
        report = report_in(gateway, event, held.lane_id, held.sequence, held.received_at_us, ids)
        if report is not None:
            current = await self._descriptions.lock(self._tx, [report.device])
            await self._descriptions.write(self._tx, [report], current)
