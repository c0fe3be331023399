"""Write missions in the transaction in which their encounters change, and read those of an installation.

A mission is durable with its encounter: both are in one transaction, and `sending` publishes it afterwards. The row has
the newest version only, since a vehicle needs no other. It has an address, so it is deleted when the vehicle has stored
the end of the mission, when it expires, and when the encounter is erased.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson
from sqlalchemy import ColumnElement, bindparam, delete, func, select

from cloud.clinical.epcr import Encounter
from cloud.foundation.clock import Clock
from cloud.foundation.db import Prepared, Records, Transaction, delete_chunk, insert
from cloud.foundation.viewer import Viewer, visible
from cloud.vehicles.missions.locking import lock_missions
from cloud.vehicles.missions.model import EXPIRES_US, NO_VEHICLE, VehicleMission
from cloud.vehicles.missions.signals import CHANNEL, MissionBell
from cloud.vehicles.missions.tables import vehicle_missions
from protocols.uplink.missions import MissionStatus

MISSIONS = Records(
    VehicleMission,
    vehicle_missions,
    codecs={"call_data": (lambda values: orjson.dumps(dict(values)).decode(), orjson.loads)},
)
LISTED_MAX = 1000
_NOTIFY = Prepared(select(func.pg_notify(CHANNEL, bindparam("text"))))
_table = vehicle_missions.c


class MissionRows:
    """SQL statements on missions. It implements `cloud.clinical.epcr.MissionOutbox`. `bell` wakes the sender of this
    process; None: it has none."""

    def __init__(self, clock: Clock, bell: MissionBell | None = None) -> None:
        self._clock = clock
        self._bell = bell or MissionBell()

    async def differs(self, tx: Transaction, encounter: Encounter, call: Mapping[str, str]) -> bool:
        """Return whether call data differ from those that the mission of an encounter has."""
        rows = await self._of_encounter(tx, encounter)
        known = rows[0].call_data if rows else {}
        return {**known, **call} != known

    async def put(self, tx: Transaction, encounter: Encounter, call: Mapping[str, str]) -> None:
        """Write the version of a mission after a change of its encounter. `call` has the call data that changed; the
        rest is kept. A vehicle that had the mission before gets it as withdrawn."""
        rows = await self._of_encounter(tx, encounter)
        now_us = self._clock.now_us()
        vehicle_id = NO_VEHICLE if encounter.vehicle_id is None else encounter.vehicle_id
        mission = VehicleMission(
            tenant_id=encounter.tenant_id,
            encounter_id=encounter.id,
            vehicle_id=vehicle_id,
            organization_id=encounter.organization_id,
            version=encounter.version,
            status=MissionStatus(encounter.status.value),
            call_data={**(rows[0].call_data if rows else {}), **call},
            issued_at_us=now_us,
            expires_at_us=now_us + EXPIRES_US,
            due_at_us=None if vehicle_id == NO_VEHICLE else now_us,
        )
        await lock_missions(tx, [(one.tenant_id, one.encounter_id, one.vehicle_id) for one in rows])
        for former in rows:
            if former.vehicle_id == NO_VEHICLE != vehicle_id:
                await tx.execute(delete(vehicle_missions).where(*_key(former)))
            elif former.vehicle_id != vehicle_id and former.status is not MissionStatus.WITHDRAWN:
                await self._write(tx, _withdrawn(former, mission))
        await self._write(tx, mission)
        if tx.dialect == "postgresql":
            await tx.driver.rows(_NOTIFY, {"text": ""})

    def signal(self) -> None:
        """Wake the sender of this process. Call this after the commit; those of other processes are notified by it."""
        self._bell.ring()

    async def erase(self, tx: Transaction, tenant_id: str, encounter_id: str) -> None:
        """Delete the mission of an encounter that is erased. A vehicle that has it keeps its own log."""
        mine = (_table.tenant_id == tenant_id, _table.encounter_id == encounter_id)
        await tx.execute(delete(vehicle_missions).where(*mine))

    async def list(self, tx: Transaction, viewer: Viewer) -> Sequence[VehicleMission]:
        """Return the missions that a viewer may see, the newest first, at most `LISTED_MAX`."""
        statement = MISSIONS.select().where(*visible(vehicle_missions, viewer), _table.vehicle_id != NO_VEHICLE)
        return await MISSIONS.all(tx, statement.order_by(_table.issued_at_us.desc()).limit(LISTED_MAX))

    async def delete_expired(self, tx: Transaction, now_us: int) -> int:
        """Delete one chunk of expired missions; return their number."""
        return await delete_chunk(tx, vehicle_missions, _table.expires_at_us <= now_us, oldest=_table.expires_at_us)

    async def _of_encounter(self, tx: Transaction, encounter: Encounter) -> Sequence[VehicleMission]:
        """Return the missions of an encounter, the newest version first. A withdrawn one, which has no call data,
        follows that of the same version with which it was written."""
        mine = (_table.tenant_id == encounter.tenant_id, _table.encounter_id == encounter.id)
        found = await MISSIONS.all(tx, MISSIONS.select().where(*mine))
        return sorted(found, key=lambda one: (-one.version, one.status is MissionStatus.WITHDRAWN))

    async def _write(self, tx: Transaction, mission: VehicleMission) -> None:
        values = MISSIONS.values(mission)
        kept = {name: value for name, value in values.items() if name not in ("received_version", "received_at_us")}
        statement = insert(vehicle_missions).values(values)
        key = list(vehicle_missions.primary_key.columns)
        await tx.execute(statement.on_conflict_do_update(index_elements=key, set_=kept))


def _withdrawn(former: VehicleMission, mission: VehicleMission) -> VehicleMission:
    """Return what the vehicle gets that no longer has the mission. It needs no address."""
    return replace(
        mission,
        vehicle_id=former.vehicle_id,
        status=MissionStatus.WITHDRAWN,
        call_data={},
        due_at_us=mission.issued_at_us,
    )


def _key(mission: VehicleMission) -> tuple[ColumnElement[bool], ...]:
    return (
        _table.tenant_id == mission.tenant_id,
        _table.encounter_id == mission.encounter_id,
        _table.vehicle_id == mission.vehicle_id,
    )
