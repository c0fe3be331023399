"""Write the database rows of new batches: devices, observations, gateway events, and the chain.

`BatchWriter.write` is called once in a transaction with all new batches, so that the number of statements does not grow
with the number of batches or devices. `group` and `lane_book` decide which batches are new. Observations of a batch
with a broken link are stored, because a patient's reading must not be lost when only a hash differs; quarantine and an
event report the link.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from cloud.clinical.devices import (
    DescriptionStore,
    DeviceKey,
    DeviceReport,
    Devices,
    KnownDevice,
    Sighting,
    device_key,
)
from cloud.clinical.epcr import CareLog, ReceivedChanges
from cloud.clinical.handover import ShareLinks
from cloud.clinical.observations import (
    UNDATED,
    Added,
    ArrivingMinutes,
    CarriedBatch,
    Carrier,
    Numbers,
    ObservationColumns,
    ObservationWriter,
    learn_clocks,
)
from cloud.foundation.db import Transaction
from cloud.vehicles.custody import ChainedBatch, Content, CustodyStore, LinkState, ReceivedBatch
from cloud.vehicles.fleet import RegisteredGateway
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.aside import Aside
from cloud.vehicles.ingest.batch_events import BatchEvents, place_of
from cloud.vehicles.ingest.device_reports import is_report, report_in, sighting_in
from cloud.vehicles.ingest.numerics_packing import index_numerics, is_packed_numerics
from cloud.vehicles.ingest.opening import CareChanges, Opened, OpenedContent, ParkedPayload, UnreadablePayload
from cloud.vehicles.ingest.parking import ParkingStore
from cloud.vehicles.ingest.store import append_events, event_row
from cloud.vehicles.ingest.verdicts import Entry
from cloud.vehicles.ingest.waveform_entering import IndexedBatch, index_waveforms
from cloud.vehicles.ingest.waveform_packing import indexed_spans
from cloud.vehicles.ingest.waveform_spans import BatchSpan
from protocols.uplink.block_runs import BlockHead
from protocols.uplink.events import GatewayEvent
from protocols.uplink.gaps import Gap
from protocols.uplink.lanes import Lane


@dataclass(frozen=True, slots=True)
class EnteredBatch:
    """A batch to store. `entry` is the batch's link in the chain and the other changes to its lane."""

    lane_id: int
    one: Opened
    entry: Entry


class BatchWriter:
    """Write the new batches of one transaction to the database."""

    def __init__(
        self,
        tx: Transaction,
        *,
        devices: Devices,
        numbers: Numbers,
        minutes: ArrivingMinutes | None,
        aside: Aside,
        events: BatchEvents,
    ) -> None:
        self._tx = tx
        self._devices = devices
        self._descriptions = DescriptionStore()
        self._observations = ObservationWriter(tx, numbers, minutes)
        self._care_log = CareLog()
        self._share_links = ShareLinks()
        self._custody = CustodyStore()
        self._parking = ParkingStore()
        self._aside = aside
        self._events = events

    @property
    def learned(self) -> dict[object, int]:
        """Return a mapping from sources, channels and clocks to the numbers that identify them in the database, to be
        cached after the commit."""
        return self._observations.learned

    async def write(
        self, entered: Sequence[EnteredBatch], known: Mapping[DeviceKey, KnownDevice], *, stored_at_us: int
    ) -> list[Added]:
        """Write the batches `entered`. Return for each batch how many of its observations are new, and how many were
        already stored by earlier batches. `known` are the devices that were already found in this transaction."""
        sightings = [
            seen
            for one in (new.one for new in entered)
            for seen in sightings_of(one.gateway, one.content, one.delivery.received_at_us)
        ]
        described = [new for new in entered if is_report(new.one.content)]
        names = {(key[0], one.id) for key, one in known.items()} if described else ()
        descriptions = await self._descriptions.lock(self._tx, names)
        ids = await self._devices.attach(self._tx, sightings, known)
        reports = [report for new in described if (report := _report(new, ids)) is not None]
        await self._descriptions.write(self._tx, reports, descriptions)
        day = await self._observations.arrival_day(stored_at_us)
        carriers: dict[tuple[int, int], Carrier] = {}
        carried = {
            number: _carried(new, new.one.content, ids, day, carriers)
            for number, new in enumerate(entered)
            if isinstance(new.one.content, ObservationColumns)
        }
        indexed = {number: spans for number in carried if (spans := indexed_spans(entered[number].one)) is not None}
        in_rows = {number: batch for number, batch in carried.items() if number not in indexed}
        added = dict(zip(in_rows, await self._observations.write(list(in_rows.values())), strict=True))
        added.update({number: Added(entered[number].one.batch.count, 0) for number in indexed})
        await self._index(
            [(entered[number], carried[number], spans) for number, spans in indexed.items()], stored_at_us
        )
        in_runs = await index_numerics(
            self._tx,
            {
                number: (new.lane_id, new.one, new.entry.link)
                for number, new in enumerate(entered)
                if number in added and added[number].in_minutes
            },
            stored_at_us=stored_at_us,
        )
        events = [(new, event) for new in entered if isinstance(event := new.one.content, GatewayEvent)]
        rows = [event_row(event, new.one.gateway, new.lane_id, new.one.batch.sequence) for new, event in events]
        await append_events(self._tx, rows)
        changes = [each for new in entered for each in _changes(new)]
        await self._care_log.append(self._tx, changes)
        await self._share_links.take(self._tx, changes)
        await learn_clocks(self._tx, [(*new.one.gateway_name, event) for new, event in events])
        received: list[ReceivedBatch] = []
        gaps: list[tuple[ReceivedBatch, Gap]] = []
        for number, new in enumerate(entered):
            if number in indexed or number in in_runs:
                continue  # its run stands in the place of its row
            if isinstance(new.one.content, Gap):
                gaps.append((_received(new), new.one.content))
            else:
                received.append(_received(new))
        await self._custody.append(self._tx, received, gaps, stored_at_us=stored_at_us)
        await self._parking.park(
            self._tx,
            [(new.one, new.lane_id) for new in entered if isinstance(new.one.content, ParkedPayload)],
            stored_at_us,
        )
        await self._report(entered)
        return [added.get(number, Added(0, 0)) for number in range(len(entered))]

    async def _index(
        self, batches: Sequence[tuple[EnteredBatch, CarriedBatch, Sequence[BatchSpan]]], stored_at_us: int
    ) -> None:
        """Index waveform batches whose envelopes are in objects, instead of writing rows of their observations."""
        numbers = await self._observations.number([carried for _, carried, _ in batches])
        await index_waveforms(
            self._tx,
            [
                IndexedBatch(
                    new.lane_id,
                    new.one,
                    new.entry.link,
                    [span.stored(sources, clocks) for span in spans],
                )
                for (new, _, spans), (sources, clocks) in zip(batches, numbers, strict=True)
            ],
            stored_at_us=stored_at_us,
        )

    async def _report(self, entered: Sequence[EnteredBatch]) -> None:
        """Add the batches that are unreadable or have a broken link to the quarantine, and events about them. Also
        store the link states of the following batches, which were pending until one of `entered` arrived. These
        batches were stored by earlier transactions, because within a group a batch is judged after its predecessor."""
        resolved: list[tuple[int, ChainedBatch]] = []
        for new in entered:
            one, entry = new.one, new.entry
            if isinstance(one.content, UnreadablePayload):
                why, reason = one.content.why, one.content.reason
                self._aside.add_unreadable(
                    one.gateway, one.batch, why, reason, octets_hash=one.hash, traceparent=one.traceparent
                )
            if entry.link is LinkState.BROKEN:
                self._report_broken(one, one.batch.sequence, one.hash)
            for follower in entry.resolved:
                resolved.append((new.lane_id, follower))
                if follower.link is LinkState.BROKEN:
                    self._report_broken(one, follower.sequence, follower.hash)
        await self._custody.resolve(self._tx, resolved)

    def _report_broken(self, one: Opened, sequence: int, hash_: bytes) -> None:
        self._aside.add_broken(one, sequence, hash_)
        self._events.add(one, event_types.CHAIN_BROKEN, {**place_of(one.batch), "sequence": sequence})


def device_keys_of(one: Opened) -> list[DeviceKey]:
    content = one.content
    if isinstance(content, ObservationColumns):
        return [device_key(one.gateway, ref) for ref in content.sources]
    return [seen.key for seen in sightings_of(one.gateway, content, one.delivery.received_at_us)]


def sightings_of(gateway: RegisteredGateway, content: OpenedContent, received_at_us: int) -> list[Sighting]:
    """Return a sighting of each device in a batch, at the time of the batch's latest data. The time is limited to
    0…`received_at_us`, because the vehicle's clock may be in the future, or, without a real-time clock, before 1970."""
    if isinstance(content, GatewayEvent):
        seen = sighting_in(gateway, content, received_at_us)
        return [] if seen is None else [seen]
    if not isinstance(content, ObservationColumns):
        return []
    seen_us = max(0, min(content.latest_us, received_at_us))
    return [Sighting(gateway, ref, seen_us) for ref in content.sources]


def carriers_of(gateway: RegisteredGateway, content: ObservationColumns, ids: Mapping[DeviceKey, str]) -> list[Carrier]:
    """Return for each of `content.sources` the carrier: the device with the vehicle and organisation of its gateway.
    `ids` maps the key of a device to its id."""
    return [
        Carrier(
            tenant_id=gateway.tenant_id,
            organization_id=gateway.organization_id,
            vehicle_id=gateway.vehicle_id,
            device_id=ids[device_key(gateway, ref)],
            system_id=ref.system_id,
            model=ref.model,
            unverified_link=ref.unverified_link,
        )
        for ref in content.sources
    ]


def _carried(
    new: EnteredBatch,
    content: ObservationColumns,
    ids: Mapping[DeviceKey, str],
    day: int,
    carriers: dict[tuple[int, int], Carrier],
) -> CarriedBatch:
    """Return a batch with its carriers. Those of other batches are in `carriers` by the identities of gateway and
    device, which the batches of a vehicle share."""
    gateway = new.one.gateway
    keys = [(id(gateway), id(ref)) for ref in content.sources]
    if any(key not in carriers for key in keys):
        carriers.update(zip(keys, carriers_of(gateway, content, ids), strict=True))
    return CarriedBatch(
        gateway_id=gateway.id,
        columns=content,
        lane_id=new.lane_id,
        sequence=new.one.batch.sequence,
        carriers=[carriers[key] for key in keys],
        # Waveforms never move to minute rows, so they would keep the partition of their day.
        day=UNDATED if new.one.batch.lane is Lane.WAVEFORM else day,
        stored_at_us=new.one.staged_at_us if is_packed_numerics(new.one) else None,
    )


def changes_of(
    gateway: RegisteredGateway, content: OpenedContent, lane_id: int, sequence: int, received_at_us: int
) -> list[ReceivedChanges]:
    """Return the field changes of a batch with their owner, or an empty list for a batch of another kind."""
    if not isinstance(content, CareChanges):
        return []
    received = ReceivedChanges(
        lane_id=lane_id,
        sequence=sequence,
        tenant_id=gateway.tenant_id,
        organization_id=gateway.organization_id,
        vehicle_id=gateway.vehicle_id,
        gateway_id=gateway.id,
        received_at_us=received_at_us,
        changes=content.changes,
    )
    return [received]


def _report(new: EnteredBatch, ids: Mapping[DeviceKey, str]) -> DeviceReport | None:
    one = new.one
    assert isinstance(one.content, GatewayEvent)
    return report_in(one.gateway, one.content, new.lane_id, one.batch.sequence, one.delivery.received_at_us, ids)


def _changes(new: EnteredBatch) -> list[ReceivedChanges]:
    one = new.one
    return changes_of(one.gateway, one.content, new.lane_id, one.batch.sequence, one.delivery.received_at_us)


def _received(new: EnteredBatch) -> ReceivedBatch:
    one = new.one
    return ReceivedBatch(
        lane_id=new.lane_id,
        envelope=one.envelope,
        octets=one.delivery.octets,
        hash=one.hash,
        link=new.entry.link,
        content=_content_state(one),
        organization_id=one.gateway.organization_id,
        vehicle_id=one.gateway.vehicle_id,
        received_at_us=one.delivery.received_at_us,
        traceparent=one.traceparent,
        staged_at_us=one.staged_at_us,
    )


def _content_state(one: Opened) -> Content:
    match one.content:
        case UnreadablePayload():
            return Content.UNREADABLE
        case ParkedPayload():
            return Content.PARKED
        case ObservationColumns() | GatewayEvent() | CareChanges() | Gap():
            return Content.ROWS
        case BlockHead():
            raise AssertionError("a batch is unpacked before it is written")
        case _:
            assert_never(one.content)
