"""Emit `gateway.connected` and `gateway.offline` when a gateway becomes online or has been silent for a while.

A gateway sends a status every minute, and its MQTT will reports a broken connection. A vehicle drives through tunnels
all day, so a short loss is not reported. A gateway that has sent nothing, or only its will, for `silence_us` is
reported as offline. When its next status arrives, it is reported as connected. A newly registered gateway counts as
silent.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Text, delete, select, tuple_

from cloud.foundation.db import GivenRows, Prepared, Transaction, given, insert
from cloud.foundation.events import NewEvent, Outbox
from cloud.foundation.ids import Ids
from cloud.foundation.moments import write_moment
from cloud.vehicles.fleet.event_types import GATEWAY_CONNECTED, GATEWAY_OFFLINE
from cloud.vehicles.fleet.model import RegisteredGateway
from cloud.vehicles.fleet.tables import gateways, silent_gateways

REPORTED_MAX = 500
"""Gateways that one transaction reports. The next run reports the others."""

_online = GivenRows("online", tenant_id=Text(), gateway_id=Text())
_HEARD = Prepared(
    delete(silent_gateways)
    .where(
        tuple_(silent_gateways.c.tenant_id, silent_gateways.c.gateway_id).in_(_online.rows("tenant_id", "gateway_id"))
    )
    .returning(silent_gateways.c.tenant_id, silent_gateways.c.gateway_id)
)


async def begin_silent(tx: Transaction, gateway: RegisteredGateway) -> None:
    """Record a newly registered gateway as silent."""
    statement = insert(silent_gateways).values(
        tenant_id=gateway.tenant_id, gateway_id=gateway.id, since_us=gateway.registered_at_us
    )
    await tx.execute(statement)


async def end_silence(tx: Transaction, outbox: Outbox, online: Sequence[RegisteredGateway], now_us: int) -> None:
    """Record that these gateways are online, and emit `gateway.connected` for those that were silent. The caller must
    have updated the gateways' rows in `tx`: the rows are then locked against the job that reports silent gateways."""
    named = {(one.tenant_id, one.id): one for one in online}
    rows = await tx.driver.rows(_HEARD, {"online": given(sorted(named))}) if named else ()
    connected_at = write_moment(now_us)
    returned = [named[tenant_id, gateway_id] for tenant_id, gateway_id in sorted(map(tuple, rows))]
    await outbox.emit_all(
        tx,
        [
            NewEvent(
                GATEWAY_CONNECTED,
                one,
                one.id,
                {"gateway_id": one.id, "vehicle_id": one.vehicle_id, "connected_at": connected_at},
                now_us,
            )
            for one in returned
        ],
    )


class GatewaySilence:
    """A periodic job that reports silent gateways. Its first run is `silence_us` after the start of the process, so
    that each gateway can send a status first: while the cloud was stopped, no status was received."""

    def __init__(self, ids: Ids, silence_us: int) -> None:
        self._outbox = Outbox(ids)
        self._silence_us = silence_us

    async def report(self, tx: Transaction, now_us: int) -> int:
        """Emit `gateway.offline` for at most `REPORTED_MAX` gateways silent for `silence_us`; return their number."""
        reported = 0
        for row in await self._silent(tx, now_us - self._silence_us):
            noted = insert(silent_gateways).values(
                tenant_id=row.tenant_id, gateway_id=row.id, since_us=row.status_at_us
            )
            statement = noted.on_conflict_do_nothing().returning(silent_gateways.c.gateway_id)
            if (await tx.execute(statement)).first() is not None:  # else another worker was faster
                await self._emit_offline(tx, row, now_us)
                reported += 1
        return reported

    async def _silent(self, tx: Transaction, before_us: int) -> Sequence[Any]:
        joined = gateways.outerjoin(
            silent_gateways,
            (silent_gateways.c.tenant_id == gateways.c.tenant_id) & (silent_gateways.c.gateway_id == gateways.c.id),
        )
        statement = (
            select(
                gateways.c.tenant_id,
                gateways.c.id,
                gateways.c.organization_id,
                gateways.c.vehicle_id,
                gateways.c.status_at_us,
            )
            .select_from(joined)
            .where(gateways.c.status_at_us <= before_us, silent_gateways.c.gateway_id.is_(None))
            .order_by(gateways.c.tenant_id, gateways.c.id)
            .limit(REPORTED_MAX)
            # A gateway whose status arrives at this moment waits for this lock, and then deletes the row again.
            .with_for_update(of=gateways, skip_locked=True, key_share=True)
        )
        return (await tx.execute(statement)).rows

    async def _emit_offline(self, tx: Transaction, row: Any, now_us: int) -> None:
        last_us = row.status_at_us
        payload = {"gateway_id": row.id, "vehicle_id": row.vehicle_id, "last_heard_at": write_moment(last_us)}
        await self._outbox.emit(tx, GATEWAY_OFFLINE, row, key=row.id, payload=payload, at_us=now_us)
