"""Unpack parked batches into rows when their gateway's quotas allow it.

A few batches of each gateway are unpacked in rotation, in the order of parking, each in its own transaction. Two
workers may do this at the same time: the one that deletes the row of a parked batch writes the batch's rows.
"""

import asyncio
from collections import Counter

import structlog

from cloud.clinical.devices import Devices
from cloud.clinical.observations import Numbers, ObservationColumns
from cloud.foundation.clock import Clock
from cloud.foundation.db import (
    ConstraintViolated,
    Database,
    DatabaseUnavailable,
    DatabaseUnusable,
    Transaction,
    TransactionTooSlow,
    ValueRefused,
)
from cloud.foundation.events import Outbox
from cloud.vehicles.custody import Content, CustodyStore, Reason
from cloud.vehicles.fleet import GatewayDirectory, GatewayName, RegisteredGateway
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.aside import Aside
from cloud.vehicles.ingest.batch_events import BatchEvents
from cloud.vehicles.ingest.entering import sightings_of
from cloud.vehicles.ingest.kept_rows import KeptRows
from cloud.vehicles.ingest.limits import SLOW_ATTEMPTS_MAX
from cloud.vehicles.ingest.opening import CareChanges, UnreadablePayload, need_of, unpack
from cloud.vehicles.ingest.parking import ParkedBatch, ParkingStore
from cloud.vehicles.ingest.quotas import QuotaBook
from protocols.uplink.envelope import Batch, decode_envelope
from protocols.uplink.events import GatewayEvent

log = structlog.get_logger()

EVERY_S = 1.0
"""Interval at which parked batches are checked: a quota that an operator raised takes effect at once."""
GATEWAYS_AT_ONCE = 100
"""Gateways of one round; the next round continues with the next gateways."""
BATCHES_AT_ONCE = 8
"""Batches of one gateway in a round: at most 16 MB in memory."""


class TakeUp:
    """Unpack parked batches (stored, but not yet unpacked), in a loop; one instance in each ingest process."""

    def __init__(
        self, *, database: Database, devices: Devices, outbox: Outbox, numbers: Numbers, quotas: QuotaBook, clock: Clock
    ) -> None:
        self._database = database
        self._devices = devices
        self._outbox = outbox
        self._numbers = numbers
        self._quotas = quotas
        self._clock = clock
        self._parking = ParkingStore()
        self._custody = CustodyStore()
        self._directory = GatewayDirectory()
        self._slow: Counter[int] = Counter()
        self._failed: set[int] = set()
        """The first parked batch of each failing gateway, which is retried in each round and logged once."""
        self._after: GatewayName = ("", "")

    async def run(self) -> None:
        """Run until cancelled. A transaction that is open at that moment is rolled back, and its batch stays parked."""
        while True:
            try:
                taken = await self.round()
            except (DatabaseUnavailable, DatabaseUnusable) as error:
                log.warning("ingest.take_up_interrupted", code=error.code)
                taken = 0
            if not taken:
                await asyncio.sleep(EVERY_S)

    async def round(self) -> int:
        """Try to unpack parked batches of up to `GATEWAYS_AT_ONCE` gateways; return the number of batches that are no
        longer parked."""
        async with self._database.read() as tx:
            names = await self._parking.gateways(tx, after=self._after, limit=GATEWAYS_AT_ONCE)
        self._after = names[-1] if len(names) == GATEWAYS_AT_ONCE else ("", "")
        return sum([await self._of_gateway(name) for name in names])

    async def _of_gateway(self, name: GatewayName) -> int:
        async with self._database.read() as tx:
            waiting = await self._parking.oldest(tx, name, limit=BATCHES_AT_ONCE)
            gateway = await self._directory.find(tx, *name)
        if gateway is None:
            return 0
        taken = 0
        for parked in waiting:
            try:
                if not await self._try(gateway, parked):
                    break
            except (DatabaseUnavailable, DatabaseUnusable):
                raise
            except Exception:
                # An error in the cloud's code: the batch stays parked, and the process continues for other gateways.
                if parked.parked_id not in self._failed:
                    log.exception("ingest.take_up_failed", gateway=gateway.id)
                    self._failed.add(parked.parked_id)
                break
            taken += 1
        return taken

    async def _try(self, gateway: RegisteredGateway, parked: ParkedBatch) -> bool:
        """Unpack one parked batch. Return False if it stays parked. A batch whose rows the database refuses, or that is
        too slow several times, is put in quarantine instead, and only its envelope stays stored."""
        try:
            return await self._take_up(gateway, parked)
        except TransactionTooSlow:
            self._slow[parked.parked_id] += 1
            if self._slow[parked.parked_id] < SLOW_ATTEMPTS_MAX:
                return False
            unfit = UnreadablePayload("it took too long to write", Reason.TOO_SLOW)
        except ConstraintViolated:
            # Another worker stored the same measurements from a device's memory: the next round sees its rows.
            self._slow[parked.parked_id] += 1
            if self._slow[parked.parked_id] < SLOW_ATTEMPTS_MAX:
                return False
            unfit = UnreadablePayload("the database does not take it (constraint_violated)")
        except ValueRefused as error:
            unfit = UnreadablePayload(f"the database does not take it ({error.code})")
        return await self._take_up(gateway, parked, unfit)

    async def _take_up(
        self, gateway: RegisteredGateway, parked: ParkedBatch, unfit: UnreadablePayload | None = None
    ) -> bool:
        envelope = decode_envelope(parked.held.envelope)
        content = unfit or unpack(envelope.batch)
        name = gateway.tenant_id, gateway.id
        now_us = self._clock.now_us()
        rows: KeptRows | None = None
        async with self._database.transaction() as tx:
            charges = self._quotas.begin(tx, now_us)
            await charges.load([name], afresh=True)
            need = need_of(envelope.batch, len(parked.held.envelope))
            keys = {one.key for one in sightings_of(gateway, content, parked.held.received_at_us)}
            if keys:
                known = await self._devices.recall(tx, keys)
                need = need._replace(devices=len(keys - known.keys()))
            if charges.reached(name, need, reserve=True) is not None:
                return False
            if not await self._parking.remove(tx, parked):
                return True
            after = Content.ROWS
            match content:
                case ObservationColumns() | GatewayEvent() | CareChanges():
                    rows = KeptRows(tx, self._devices, self._numbers)
                    await rows.write(parked.held, gateway, content)
                case UnreadablePayload(reason, why):
                    after = Content.UNREADABLE
                    await self._set_aside(tx, gateway, parked, envelope.batch, why, reason, now_us)
                case _:
                    raise AssertionError("a gap is never parked")
            await self._custody.change_content(tx, parked.held, Content.PARKED, after)
            charges.charge(name, need)
            await charges.save()
            if await charges.unpark(name, parked.parked_bytes):
                events = BatchEvents(tx, self._outbox, now_us)
                events.add_for(gateway, event_types.QUOTA_ENDED, {})
                await events.write()
        charges.keep()
        self._slow.pop(parked.parked_id, None)
        self._failed.discard(parked.parked_id)
        if rows is not None:
            self._numbers.learn(rows.learned)
        return True

    async def _set_aside(
        self,
        tx: Transaction,
        gateway: RegisteredGateway,
        parked: ParkedBatch,
        batch: Batch,
        why: Reason,
        reason: str,
        now_us: int,
    ) -> None:
        """Quarantine a parked batch that cannot be unpacked. `why` is the quarantine reason, and `reason` the
        description for the operator."""
        events = BatchEvents(tx, self._outbox, now_us)
        aside = Aside(tx, events, now_us)
        aside.add_unreadable(gateway, batch, why, reason, octets_hash=parked.held.hash)
        await aside.write()
        await events.write()
