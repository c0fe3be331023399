"""The cloud's ingest with a tenant, one vehicle and its gateways; tests pass batches to it directly, without a
broker.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Table, select

from cloud.access.tenancy import Tenancy
from cloud.clinical.devices import Devices
from cloud.clinical.devices.tables import devices
from cloud.clinical.observations.minutes.arriving import ArrivingMinutes
from cloud.clinical.observations.numbering import Numbers
from cloud.foundation.db import Database
from cloud.foundation.events import Outbox
from cloud.foundation.events.tables import outbox_events
from cloud.foundation.ids import UlidIds
from cloud.foundation.objects import ObjectStore
from cloud.foundation.tracing import Spans
from cloud.foundation.viewer import Actor
from cloud.vehicles.fleet import Fleet
from cloud.vehicles.ingest.delivery_group import Group, joined
from cloud.vehicles.ingest.group import GroupWriter
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.numerics_packing import NumericsPacker
from cloud.vehicles.ingest.quotas import QuotaBook
from cloud.vehicles.ingest.service import Ingest
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.source import BatchDelivery, Delivery, DueAck, StatusDelivery
from cloud.vehicles.ingest.staged_writing import StagedWriter
from cloud.vehicles.ingest.staging import Stage
from cloud.vehicles.ingest.take_up import TakeUp
from cloud.vehicles.ingest.waveform_packing import WaveformPacker
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Envelope, encode_envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status, encode_status
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle

TENANT = "ten_test"
ORGANIZATION = "org_test"
VEHICLE = "veh_test"
OPERATOR = Actor.operator(TENANT)


class StoppedClock:
    """The cloud's clock, which stands still at `at_us` until a test changes it."""

    def __init__(self, at_us: int = NOW_US) -> None:
        self.at_us = at_us

    def now_us(self) -> int:
        return self.at_us

    def monotonic_s(self) -> float:
        return self.at_us / 1_000_000


class Handover:
    """A replacement for the broker. `accepted` are the messages that the ingest accepted; `acks` are the
    acknowledgements that the ingest sent, each with the id of the gateway."""

    def __init__(self) -> None:
        self.accepted: list[bytes] = []
        self.acks: list[tuple[str, Ack]] = []
        self.reachable = True

    async def acknowledge(self, acks_due: Sequence[DueAck]) -> list[bool]:
        if self.reachable:
            self.acks.extend((due.gateway_id, due.ack) for due in acks_due)
        return [self.reachable] * len(acks_due)

    def delivery(
        self, envelope: Envelope | bytes, *, gateway: str = "gw_test", lane: Lane = Lane.NUMERIC, tenant: str = TENANT
    ) -> BatchDelivery:
        """Return the delivery of one message. For an envelope, the delivery has the gateway and the lane in the
        envelope; for raw bytes, it has the arguments `gateway` and `lane`."""
        octets = envelope if isinstance(envelope, bytes) else encode_envelope(envelope)
        if isinstance(envelope, Envelope):
            gateway, lane = envelope.batch.gateway, envelope.batch.lane

        async def accept() -> None:
            self.accepted.append(octets)

        return BatchDelivery(
            tenant_id=tenant, gateway_id=gateway, lane=lane, octets=octets, received_at_us=NOW_US, accept=accept
        )

    def status_delivery(self, status: Status) -> StatusDelivery:
        octets = encode_status(status)

        async def accept() -> None:
            self.accepted.append(octets)

        return StatusDelivery(
            tenant_id=TENANT, gateway_id=status.gateway, octets=octets, received_at_us=NOW_US, accept=accept
        )


class CloudUnderTest:
    """Ingest with a real database. `take` ingests a group of deliveries at once, and returns the acknowledgements."""

    def __init__(
        self,
        database: Database,
        *,
        clock: StoppedClock | None = None,
        quotas: IngestSection | None = None,
        objects: ObjectStore | None = None,
        settings: IngestSettings | None = None,
        staged: bool = False,
        removes: bool = False,
    ) -> None:
        self.database = database
        self.objects = objects
        self.clock = clock or StoppedClock()
        self.ids = UlidIds(self.clock)
        self.handover = Handover()
        self.book = QuotaBook(quotas or IngestSection())
        settings = settings or IngestSettings(retry_least_s=0.001, retry_most_s=0.002, live_wait_s=0.0)
        packer = None if objects is None else WaveformPacker(objects, self.clock, self.ids)
        self.spans = Spans(database)
        if staged:
            assert objects is not None, "batches are staged in objects"
            settings = replace(settings, stage_s=60.0, settle_every_s=0.0)
            self.stage = Stage(objects, database, self.clock, self.ids, settings)
        self.minutes = ArrivingMinutes(after_days=7) if staged else None
        self.ingest = Ingest(
            database=database,
            writer=self.writer(),
            clock=self.clock,
            packer=packer,
            settings=settings,
            spans=self.spans,
            stage=self.stage if staged else None,
            removes=removes,
            numerics=None
            if objects is None or self.minutes is None
            else NumericsPacker(database, objects, self.clock, self.ids, self.minutes),
        )

    @property
    def staged(self) -> StagedWriter:
        """The part of an ingest that stages which writes the rows."""
        found = self.ingest._staged
        assert found is not None, "this ingest stages nothing"
        return found

    def writer(self) -> GroupWriter:
        return GroupWriter(
            devices=Devices(self.ids),
            outbox=Outbox(self.ids),
            numbers=Numbers(),
            clock=self.clock,
            quotas=self.book,
            minutes=self.minutes,
        )

    async def take_up(self) -> int:
        """Store the rows of all parked batches (acknowledged, but not unpacked yet), as the ingest process does every
        second; return their number."""
        return await TakeUp(
            database=self.database,
            devices=Devices(self.ids),
            outbox=Outbox(self.ids),
            numbers=Numbers(),
            quotas=self.book,
            clock=self.clock,
        ).round()

    async def register(self, *gateways: GatewayInVehicle) -> "CloudUnderTest":
        """Create the tenant, its organisation and its vehicle, and register these gateways in the vehicle."""
        tenancy = Tenancy(self.database, self.clock, self.ids)
        await tenancy.add_tenant("Synthetic Tenant", id=TENANT)
        await tenancy.add_organization(OPERATOR, "Synthetic Ambulance Service", id=ORGANIZATION)
        await tenancy.add_vehicle(OPERATOR, ORGANIZATION, "Synthetic 1", id=VEHICLE)
        for gateway in gateways:
            await self.register_gateway(gateway)
        return self

    async def register_gateway(self, gateway: GatewayInVehicle) -> None:
        await self.register_key(gateway.gateway, gateway.public_key)

    async def register_key(self, gateway_id: str, public_key: bytes, *, vehicle: str = VEHICLE) -> None:
        """Register a gateway of a vehicle with its public key."""
        key = base64.b64encode(public_key).decode()
        fleet = Fleet(self.database, self.clock, self.ids)
        await fleet.register(OPERATOR, organization_id=ORGANIZATION, vehicle_id=vehicle, public_key=key, id=gateway_id)

    async def take(self, *arrivals: Envelope | Delivery) -> list[Ack]:
        """Ingest the envelopes or deliveries as one group; return the acknowledgements that the ingest sent, in
        order."""
        before = len(self.handover.acks)
        deliveries = [one if not isinstance(one, Envelope) else self.handover.delivery(one) for one in arrivals]
        for group in await self.ingest.opener.open(deliveries):
            await self.ingest.write(group, self.handover)
        return [ack for _, ack in self.handover.acks[before:]]

    async def arrive(self, *arrivals: Envelope) -> list[Ack]:
        """Receive envelopes as the loops of an ingest that stages do, without the times between them: stage and
        acknowledge what may be staged, then write the rest. Return the acknowledgements, in order."""
        before = len(self.handover.acks)
        for group in await self.ingest.opener.open([self.handover.delivery(one) for one in arrivals]):
            self.stage.admit(group)
            await self.stage.turn(self.send, self._write_at_once)
            await self._write_at_once(group)
        return [ack for _, ack in self.handover.acks[before:]]

    async def send(self, acks_due: Sequence[DueAck]) -> None:
        await self.handover.acknowledge(acks_due)

    async def _write_at_once(self, group: Group) -> None:
        packed = await self.ingest.pack(group.take(Lane.WAVEFORM))
        if group.deliveries or packed.deliveries:
            await self.ingest.write(joined([group, packed]), self.handover)

    async def rows(self, table: Table, *conditions: ColumnElement[bool]) -> Sequence[Any]:
        """Return the rows of a table that meet all conditions, in the order of the primary key."""
        async with self.database.read() as tx:
            found = await tx.execute(select(table).where(*conditions).order_by(*table.primary_key.columns))
        return found.rows

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Return type and payload of every domain event in the outbox."""
        return [(row.type, orjson.loads(row.payload)) for row in await self.rows(outbox_events)]

    async def device_ids(self) -> dict[str, str]:
        """Map each device's system id to the id that the cloud gave it."""
        return {row.system_id: row.id for row in await self.rows(devices)}
