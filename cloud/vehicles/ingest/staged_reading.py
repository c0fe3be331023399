"""Read the staged objects that other processes left: those that were killed, and those that are at work."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import structlog

from cloud.foundation.db import Database
from cloud.foundation.objects import ListedObject, ObjectDamaged, ObjectMissing, ObjectStore
from cloud.vehicles.fleet import FormerKey, GatewayAccess, GatewayDirectory, GatewayName, RegisteredGateway
from cloud.vehicles.ingest.delivery_opening import OpeningTurns
from cloud.vehicles.ingest.opening import Opened
from cloud.vehicles.ingest.source import BatchDelivery
from cloud.vehicles.ingest.staged_envelopes import StagedEnvelope, open_again
from cloud.vehicles.ingest.staged_object import STAGED, STAGED_BYTES_MAX, StagedBatch, StagedObject, decode_staged
from cloud.vehicles.ingest.staged_sweeping import staged_at_us

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FoundObject:
    """A staged object of another process, with its batches. `unfit` is the number of those that cannot be opened: their
    gateway is not registered any more, they are not of this gateway, or they met an error in the cloud's code."""

    name: str
    batches: Sequence[StagedEnvelope]
    unfit: int


class StagedReader:
    """Reads staged objects, and opens their batches again. A batch was verified before it was staged; it is verified
    again, since the object store has no proof of its own. An access that ended meanwhile does not count."""

    def __init__(self, objects: ObjectStore, database: Database) -> None:
        self._objects = objects
        self._database = database
        self._directory = GatewayDirectory()

    async def read_others(
        self, known: Collection[str], present: set[str], before_us: int
    ) -> AsyncIterator[FoundObject]:
        """Yield the objects that were staged before `before_us` but those named `known`, oldest first, and add the
        names of all to `present`. One that another process removes meanwhile is skipped, since its rows are
        written."""
        async for page in self._objects.pages(STAGED):
            for listed in page:
                present.add(listed.name)
                if listed.name in known or staged_at_us(listed.name) > before_us:
                    continue
                try:
                    staged = await self._read(listed)
                except ObjectMissing:
                    continue
                except ObjectDamaged:
                    log.exception("ingest.staged_object_damaged")
                    yield FoundObject(listed.name, (), 1)
                else:
                    yield await self._open(listed.name, staged)

    async def _read(self, listed: ListedObject) -> StagedObject:
        if listed.size_bytes > STAGED_BYTES_MAX:
            raise ObjectDamaged(f"({listed.name} is longer than a staged object.)")
        data = await self._objects.read_range(listed.name, 0, listed.size_bytes)
        return await asyncio.to_thread(decode_staged, listed.name, data)

    async def _open(self, name: str, staged: StagedObject) -> FoundObject:
        names = {(one.tenant_id, one.gateway_id) for one in staged.batches}
        async with self._database.read() as tx:
            gateways = await self._directory.find_all(tx, names)
            former = {key: await self._directory.former_keys(tx, one) for key, one in gateways.items()}
        found: list[StagedEnvelope] = []
        turns = OpeningTurns()
        for one in staged.batches:
            opened = _open(one, gateways, former.get((one.tenant_id, one.gateway_id), ()))
            if opened is not None:
                found.append(StagedEnvelope.of(opened, name, staged.staged_at_us))
            await turns.step()  # requests to an api process are handled between two batches
        return FoundObject(name, found, len(staged.batches) - len(found))


def _open(
    one: StagedBatch,
    gateways: dict[GatewayName, RegisteredGateway],
    former: Iterable[FormerKey],
) -> Opened | None:
    gateway = gateways.get((one.tenant_id, one.gateway_id))
    if gateway is None:
        return None
    then = replace(gateway, organization_id=one.organization_id, vehicle_id=one.vehicle_id, access=GatewayAccess.ACTIVE)
    delivery = BatchDelivery(
        tenant_id=one.tenant_id,
        gateway_id=one.gateway_id,
        lane=one.lane,
        octets=one.envelope,
        received_at_us=one.received_at_us,
        accept=_nothing,
    )
    keys = [then.public_key, *(key.public_key for key in former if key.may_sign(one.received_at_us))]
    for key in keys:
        found = open_again(delivery, replace(then, public_key=key))
        if found is not None:
            return found
    return None


async def _nothing() -> None:
    """Accept nothing: the broker has deleted the message."""
