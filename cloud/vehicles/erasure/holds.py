"""Find the legal holds that forbid an erasure.

A hold of another encounter or device also forbids it if it keeps batches of the same vehicle at that time: an erasure
removes signed batches that have values of both, and so does the hold of an encounter that the same report of the crew
is joined to. A batch of a gateway that is held is never removed.
"""

from collections.abc import Collection

from sqlalchemy import select

from cloud.access.retention import RetentionStore
from cloud.clinical.epcr import JoinedReport
from cloud.clinical.observations import BATCH_MARGIN_US, ErasedValues, HeldObservations, held_observations
from cloud.foundation.db import Transaction
from cloud.foundation.retention import Held, HoldScope
from cloud.foundation.viewer import Viewer
from cloud.vehicles.custody import lanes
from cloud.vehicles.erasure.errors import EncounterHeld
from cloud.vehicles.erasure.model import Erasure
from cloud.vehicles.fleet import gateways


async def check_holds(
    tx: Transaction, viewer: Viewer, erasure: Erasure, values: ErasedValues, reports: Collection[JoinedReport]
) -> frozenset[str]:
    """Return the ids of the tenant's gateways that are held, of which no batch may be removed. Raises `EncounterHeld`
    if a hold in force keeps data of the encounter."""
    report_ids = frozenset(one.report_id for one in reports)
    holds = await RetentionStore().holds(tx, viewer)
    for hold in holds:
        if await _keeps(tx, hold.held, erasure, values, report_ids):
            raise EncounterHeld(f"({hold.id}: {hold.scope} {hold.object_id})")
    return frozenset(one.object_id for one in holds if one.scope is HoldScope.GATEWAY)


async def _keeps(
    tx: Transaction, held: Held, erasure: Erasure, values: ErasedValues, report_ids: frozenset[str]
) -> bool:
    match held.scope:
        case HoldScope.TENANT:
            return True
        case HoldScope.ENCOUNTER if held.object_id == erasure.encounter_id:
            return True
        case HoldScope.INCIDENT if held.object_id == erasure.incident_id:
            return True
        case HoldScope.GATEWAY:
            return await _is_of_gateway(tx, held.object_id, erasure, values)
        case _:
            vehicle_ids = {*values.vehicle_ids, *filter(None, [erasure.vehicle_id])}
            kept = await held_observations(tx, erasure.tenant_id, [held])
            return not report_ids.isdisjoint(kept.encounter_ids) or _is_near(kept, erasure, vehicle_ids)


async def _is_of_gateway(tx: Transaction, gateway_id: str, erasure: Erasure, values: ErasedValues) -> bool:
    """Return whether a gateway is in the vehicle of the encounter, or sent values of it."""
    table = gateways.c
    named = (table.tenant_id == erasure.tenant_id, table.id == gateway_id)
    vehicle_id = (await tx.execute(select(table.vehicle_id).where(*named))).scalar()
    if erasure.vehicle_id is not None and vehicle_id == erasure.vehicle_id:
        return True
    mine = (lanes.c.tenant_id == erasure.tenant_id, lanes.c.gateway_id == gateway_id)
    found = await tx.execute(select(lanes.c.lane_id).where(*mine))
    return await values.are_in_lanes(tx, [row.lane_id for row in found])


def _is_near(held: HeldObservations, erasure: Erasure, vehicle_ids: Collection[str]) -> bool:
    """Return whether a hold keeps batches of one of the vehicles from the time of the encounter."""
    return any(
        any(vehicle_id in vehicle_ids for vehicle_id in span.vehicle_ids)
        and (span.until_us is None or erasure.from_us < span.until_us + BATCH_MARGIN_US)
        and (span.from_us is None or erasure.until_us > span.from_us - BATCH_MARGIN_US)
        for span in held.spans
    )
