"""Ends of the signed chains of an encounter's vehicle: up to which batch the cloud has each lane without a hole."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select

from cloud.clinical.epcr import Encounter, EncounterLogs, care_changes
from cloud.foundation.db import Transaction
from cloud.vehicles.custody import CustodyStore, lanes
from cloud.vehicles.fleet import gateways
from cloud.vehicles.ingest import ParkingStore
from protocols.uplink.lanes import Lane

LANES_MAX = 32
"""Lanes of one record: those of several gateways and stores. The oldest are left out, and the record has their number.
"""
SEQUENCE_MAX = 2**53 - 1
"""Largest sequence number that canonical JSON can hold (RFC 8785). A vehicle reaches it only by a false number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEnd:
    """The end of the unbroken part of a lane: the last sequence number, its hash, and its signature if it is known.
    `made_at_us` is when the gateway made that batch, by its clock; None if that is not known."""

    lane_id: int
    gateway_id: str
    epoch: str
    lane: str
    sequence: int
    hash: bytes
    signature: str | None
    public_key: str | None
    made_at_us: int | None

    @property
    def name(self) -> str:
        """The name of the lane in the content."""
        return f"{self.gateway_id}/{self.epoch}/{self.lane}"


async def ends_of_vehicle(tx: Transaction, encounter: Encounter, logs: EncounterLogs) -> Sequence[ChainEnd]:
    """Return the ends of the lanes of the vehicle's gateways, and of the lanes that have field changes in the logs of
    the encounter (`CareLog.logs`), newest first. A lane of which the cloud has removed the last batch is left out, and
    so is one whose number is beyond `SEQUENCE_MAX`.

    A lane `epcr` ends before its first parked batch, whose changes of the report the cloud has not read yet: the
    records of its seals and captures are made from the changes, once."""
    statement = select(lanes).where(*_chosen(encounter, logs)).order_by(lanes.c.lane_id.desc()).limit(LANES_MAX)
    rows = list(await tx.execute(statement))
    parked = await ParkingStore().first_parked(tx, [row.lane_id for row in rows if row.lane == Lane.EPCR.value])
    through = {row.lane_id: min(row.through_sequence, parked.get(row.lane_id, SEQUENCE_MAX + 1) - 1) for row in rows}
    near = await CustodyStore().neighbours(tx, {lane_id: [last] for lane_id, last in through.items() if last})
    found = []
    for row in rows:
        last = through[row.lane_id]
        hashes = [one.tail_hash for one in near.get(row.lane_id, ()) if one.through == last]
        if hashes:
            is_signed = row.signed_sequence == last
            found.append(
                ChainEnd(
                    lane_id=row.lane_id,
                    gateway_id=row.gateway_id,
                    epoch=row.epoch,
                    lane=row.lane,
                    sequence=last,
                    hash=hashes[0],
                    signature=row.signature if is_signed else None,
                    public_key=row.signed_by if is_signed else None,
                    made_at_us=row.signed_created_us if is_signed else None,
                )
            )
    return found


async def lanes_left_out(tx: Transaction, encounter: Encounter, logs: EncounterLogs) -> int:
    """Return the number of lanes that `ends_of_vehicle` leaves out, since there are more than `LANES_MAX`."""
    counting = select(func.count()).select_from(lanes).where(*_chosen(encounter, logs))
    return max(0, int((await tx.execute(counting)).scalar()) - LANES_MAX)


def _chosen(encounter: Encounter, logs: EncounterLogs) -> Sequence[ColumnElement[bool]]:
    """Return the conditions for the lanes of an encounter."""
    changing = select(care_changes.c.lane_id).where(*logs.conditions())
    chosen: ColumnElement[bool] = lanes.c.lane_id.in_(changing)
    if encounter.vehicle_id is not None:
        in_vehicle = (
            select(lanes.c.lane_id)
            .join(gateways, and_(gateways.c.tenant_id == lanes.c.tenant_id, gateways.c.id == lanes.c.gateway_id))
            .where(gateways.c.tenant_id == encounter.tenant_id, gateways.c.vehicle_id == encounter.vehicle_id)
        )
        chosen = or_(chosen, lanes.c.lane_id.in_(in_vehicle))
    return (
        lanes.c.tenant_id == encounter.tenant_id,
        lanes.c.through_sequence.between(1, SEQUENCE_MAX),
        chosen,
    )
