"""Compare missions with the statuses of gateways, which list the versions that they have stored.

A mission that a status does not list is due again: the vehicle had no coverage when it was sent. One that it lists is
received, and the row of an ended mission is deleted then. The comparison is part of the transaction that stores the
statuses, and its number of statements does not depend on the number of gateways.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, select, tuple_, update

from cloud.foundation.db import GivenRows, Prepared, Transaction, given
from cloud.vehicles.fleet import RegisteredGateway
from cloud.vehicles.missions.locking import lock_missions
from cloud.vehicles.missions.tables import vehicle_missions
from protocols.uplink.missions import MissionStatus

_table = vehicle_missions.c
_KEY = ("tenant_id", "encounter_id", "vehicle_id")
_key_of_row = tuple_(*(_table[name] for name in _KEY))
_vehicles = GivenRows("vehicles", tenant_id=Text(), vehicle_id=Text())
_CURRENT = Prepared(
    select(*(_table[name] for name in _KEY), _table.version, _table.status, _table.received_version, _table.due_at_us)
    .where(
        _table.tenant_id == _vehicles.c("tenant_id"),
        _table.vehicle_id == _vehicles.c("vehicle_id"),
        _table.expires_at_us > bindparam("now"),
    )
    .order_by(*(_table[name] for name in _KEY))
)
_missing = GivenRows("missing", **dict.fromkeys(_KEY, Text()))
_RESEND = Prepared(
    update(vehicle_missions)
    .where(_key_of_row.in_(_missing.rows(*_KEY)), _table.due_at_us.is_(None))
    .values(due_at_us=bindparam("now"))
)
_received = GivenRows("received", **dict.fromkeys(_KEY, Text()), version=Integer())
_RECEIVED = Prepared(
    update(vehicle_missions)
    .where(*(_table[name] == _received.c(name) for name in _KEY))
    .values(received_version=_received.c("version"), received_at_us=bindparam("now", type_=BigInteger()))
)
_ended = GivenRows("ended", **dict.fromkeys(_KEY, Text()), version=Integer())
_DELETE = Prepared(
    delete(vehicle_missions).where(
        tuple_(*(_table[name] for name in _KEY), _table.version).in_(_ended.rows(*_KEY, "version"))
    )
)


class MissionReceipts:
    """SQL statements that compare missions with statuses."""

    async def compare(
        self, tx: Transaction, online: Sequence[tuple[RegisteredGateway, Mapping[str, int]]], now_us: int
    ) -> None:
        """Compare the missions of vehicles with what their gateways list: versions by encounter."""
        listed: dict[tuple[str, str], list[Mapping[str, int]]] = {}
        for gateway, versions in online:
            listed.setdefault((gateway.tenant_id, gateway.vehicle_id), []).append(versions)
        if not listed:
            return
        rows = await tx.driver.rows(_CURRENT, {"vehicles": given(sorted(listed)), "now": now_us})
        missing: list[tuple[str, str, str]] = []
        received: list[tuple[str, str, str, int]] = []
        ended: list[tuple[str, str, str, int]] = []
        for tenant_id, encounter_id, vehicle_id, version, status, received_version, due_at_us in rows:
            # A status is not signed: a number above the newest version would not fit into the column.
            held = [min(versions.get(encounter_id, 0), version) for versions in listed[tenant_id, vehicle_id]]
            if max(held) > (received_version or 0):
                received.append((tenant_id, encounter_id, vehicle_id, max(held)))
            if min(held) >= version:
                if status != MissionStatus.IN_PROGRESS.value:
                    ended.append((tenant_id, encounter_id, vehicle_id, version))
            elif due_at_us is None:
                missing.append((tenant_id, encounter_id, vehicle_id))
        await lock_missions(tx, [*missing, *(one[:3] for one in received), *(one[:3] for one in ended)])
        if missing:
            await tx.driver.run(_RESEND, {"missing": given(missing), "now": now_us})
        if received:
            await tx.driver.run(_RECEIVED, {"received": given(received), "now": now_us})
        if ended:
            await tx.driver.run(_DELETE, {"ended": given(ended)})
