"""Send missions that are due to the gateways of their vehicles, through the broker link of ingest.

A process claims due missions for some seconds, commits, and then publishes. If it is killed in between, or the broker
does not accept the message, the claim expires and the mission is sent again. Whether a gateway has the mission is known
only from its status (`receipts`), which also makes a mission due again that a vehicle without coverage missed.

A sender is woken when a mission was committed (`signals`), so that nothing on the way to the vehicle waits for a clock.
It also polls, for missions of another process on SQLite and for those whose claim has expired: the statement that finds
due missions is one look-up in an index of those alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import structlog
from sqlalchemy import Text, bindparam, select, tuple_, update

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, GivenRows, Prepared, Transaction, given
from cloud.foundation.errors import DomainError
from cloud.vehicles.fleet import GatewayAccess, gateways
from cloud.vehicles.missions.keys import MissionKeys
from cloud.vehicles.missions.locking import lock_missions
from cloud.vehicles.missions.model import VehicleMission
from cloud.vehicles.missions.signals import CHANNEL, MissionBell
from cloud.vehicles.missions.store import MISSIONS
from cloud.vehicles.missions.tables import vehicle_missions
from protocols.errors import LocalProtocolError
from protocols.uplink import topics
from protocols.uplink.missions import encode_mission

log = structlog.get_logger()

POLL_S = 0.25
"""Interval between queries for due missions without a signal."""
LEASE_US = 5_000_000
"""Time for which a claimed mission is left to the process that publishes it."""
CLAIM_COUNT = 64
FAILED_S = 10.0
"""Pause after an error of the database or of the master key."""

SendToGateways = Callable[[Sequence[tuple[str, bytes]]], Awaitable[Sequence[bool]]]
"""Publish messages to topics; return for each whether the broker accepted it."""

_table = vehicle_missions.c
_KEY = ("tenant_id", "encounter_id", "vehicle_id")
_DUE = (_table.due_at_us <= bindparam("now"), _table.expires_at_us > bindparam("now"))
_ANY_DUE = Prepared(select(_table.encounter_id).where(*_DUE).order_by(_table.due_at_us).limit(1))
_CLAIM = Prepared(
    MISSIONS.select()
    .where(*_DUE)
    .order_by(_table.due_at_us, *(_table[name] for name in _KEY))
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
)
_claimed = GivenRows("claimed", **dict.fromkeys(_KEY, Text()))
_LEASE = Prepared(
    update(vehicle_missions)
    .where(tuple_(*(_table[name] for name in _KEY)).in_(_claimed.rows(*_KEY)))
    .values(due_at_us=bindparam("lease_until"))
)
_SENT = Prepared(
    update(vehicle_missions)
    .where(
        tuple_(*(_table[name] for name in _KEY)).in_(_claimed.rows(*_KEY)),
        _table.due_at_us == bindparam("lease_until"),  # a change meanwhile made it due again
    )
    .values(due_at_us=None, sent_at_us=bindparam("now"))
)
_vehicles = GivenRows("vehicles", tenant_id=Text(), vehicle_id=Text())
_GATEWAYS = Prepared(
    select(gateways.c.tenant_id, gateways.c.vehicle_id, gateways.c.id, gateways.c.organization_id).where(
        gateways.c.tenant_id == _vehicles.c("tenant_id"),
        gateways.c.vehicle_id == _vehicles.c("vehicle_id"),
        gateways.c.access == GatewayAccess.ACTIVE.value,
    )
)


@dataclass(frozen=True, slots=True)
class _Claim:
    missions: Sequence[VehicleMission]
    lease_until_us: int
    recipients: dict[tuple[str, str, str], list[str]]
    """Gateways by tenant, organisation and vehicle."""

    def gateways_of(self, mission: VehicleMission) -> Sequence[str]:
        return self.recipients.get((mission.tenant_id, mission.organization_id, mission.vehicle_id), [])


class MissionSender:
    """Sends due missions. Several may run, in one process or in many."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: MissionKeys,
        bell: MissionBell | None = None,
        *,
        poll_s: float = POLL_S,
    ) -> None:
        self._bell = bell or MissionBell()
        self._poll_s = poll_s
        self._database = database
        self._clock = clock
        self._keys = keys

    async def run(self, send: SendToGateways) -> NoReturn:
        """Send due missions until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._database.listen(CHANNEL, self._bell.ring), name="mission signals")
            await self._send_due(send, self._bell.attach())
        raise AssertionError("it ends only by an exception")

    async def _send_due(self, send: SendToGateways, signalled: asyncio.Event) -> NoReturn:
        count: int | None
        while True:
            signalled.clear()
            try:
                count = await self.step(send)
            except DomainError as error:
                log.warning("missions.interrupted", code=error.code)
                count = None
            except Exception:
                log.exception("missions.failed")  # an error here must not end ingest, whose task group this loop is in
                count = None
            if count is None:
                await asyncio.sleep(FAILED_S)
                continue
            if not count:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await signalled.wait()

    async def step(self, send: SendToGateways) -> int:
        """Claim the missions that are due and send each to the gateways of its vehicle; return the number of missions
        that were sent. Raises the errors of the database and of the master key."""
        if not await self._database.peek(_ANY_DUE, {"now": self._clock.now_us()}):
            return 0
        async with self._database.transaction() as tx:
            claim = await self._claim(tx)
        messages: list[tuple[str, bytes]] = []
        owners: list[VehicleMission] = []
        for mission in claim.missions:
            for gateway in claim.gateways_of(mission):
                if (data := self._encode(mission, gateway)) is not None:
                    messages.append((topics.command(mission.tenant_id, gateway), data))
                    owners.append(mission)
        accepted = await send(messages) if messages else []
        failed = {_key(owner) for owner, done in zip(owners, accepted, strict=True) if not done}
        sent = [one for one in claim.missions if _key(one) not in failed]
        if failed:
            log.warning("missions.not_accepted", count=len(failed))
        if sent:
            async with self._database.transaction() as tx:
                keys = list(map(_key, sent))
                await lock_missions(tx, keys)
                values = {"claimed": given(keys), "lease_until": claim.lease_until_us}
                await tx.driver.run(_SENT, {**values, "now": self._clock.now_us()})
            log.info("missions.sent", missions=len(sent), messages=len(messages))
        return len(sent)

    async def _claim(self, tx: Transaction) -> _Claim:
        now_us = self._clock.now_us()
        rows = await tx.driver.rows(_CLAIM, {"now": now_us, "count": CLAIM_COUNT})
        missions = [MISSIONS.read(row) for row in rows]
        lease_until_us = now_us + LEASE_US
        recipients: dict[tuple[str, str, str], list[str]] = {}
        if missions:
            await tx.driver.run(_LEASE, {"claimed": given(list(map(_key, missions))), "lease_until": lease_until_us})
            vehicles = sorted({(one.tenant_id, one.vehicle_id) for one in missions})
            for tenant, vehicle, gateway, organization in await tx.driver.rows(
                _GATEWAYS, {"vehicles": given(vehicles)}
            ):
                recipients.setdefault((tenant, organization, vehicle), []).append(gateway)
        return _Claim(missions, lease_until_us, recipients)

    def _encode(self, mission: VehicleMission, gateway: str) -> bytes | None:
        try:
            return encode_mission(mission.for_gateway(gateway), lambda data: self._keys.sign(mission.tenant_id, data))
        except LocalProtocolError as error:
            log.error("missions.not_encoded", encounter=mission.encounter_id, why=str(error))
            return None


def _key(mission: VehicleMission) -> tuple[str, str, str]:
    return mission.tenant_id, mission.encounter_id, mission.vehicle_id
