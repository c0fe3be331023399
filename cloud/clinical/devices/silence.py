"""Emit `device.offline` once for a device that has not reported for a while.

The first worker that writes the device's last-seen time into `silent_devices` reports the silence. When the device
reports again, its last-seen time is later than the recorded one, so ingest does not have to delete the record.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from cloud.clinical.devices.event_types import DEVICE_OFFLINE
from cloud.clinical.devices.model import DeviceStatus
from cloud.clinical.devices.tables import devices, silent_devices
from cloud.foundation.db import Transaction, insert
from cloud.foundation.events import SECRECY, Outbox
from cloud.foundation.ids import Ids
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import SecrecyLevel

DEVICES_MAX = 500
"""Devices of one transaction; the next run takes the others."""


class DeviceSilence:
    """A periodic job that reports silent devices. The first run is `silence_us` after the start of the process: before
    that, a device may seem silent only because the cloud was stopped."""

    def __init__(self, ids: Ids, silence_us: int) -> None:
        self._outbox = Outbox(ids)
        self._silence_us = silence_us

    async def report(self, tx: Transaction, now_us: int) -> int:
        """Emit an event for each of at most `DEVICES_MAX` active devices that were last seen `silence_us` ago or
        earlier and are not yet reported; return the number of events."""
        reported = 0
        for row in await self._silent(tx, now_us - self._silence_us):
            if await self._remember(tx, row):
                await self._emit(tx, row, now_us)
                reported += 1
        return reported

    async def _silent(self, tx: Transaction, before_us: int) -> Sequence[Any]:
        joined = devices.outerjoin(
            silent_devices,
            (silent_devices.c.tenant_id == devices.c.tenant_id) & (silent_devices.c.device_id == devices.c.id),
        )
        statement = (
            select(
                devices.c.tenant_id,
                devices.c.id,
                devices.c.organization_id,
                devices.c.vehicle_id,
                devices.c.last_seen_us,
                devices.c.secrecy_level,
            )
            .select_from(joined)
            .where(
                devices.c.status == DeviceStatus.ACTIVE.value,
                devices.c.last_seen_us <= before_us,
                silent_devices.c.last_seen_us.is_(None) | (silent_devices.c.last_seen_us < devices.c.last_seen_us),
            )
            .order_by(devices.c.tenant_id, devices.c.id)
            .limit(DEVICES_MAX)
            .with_for_update(of=devices, skip_locked=True, key_share=True)
        )
        return (await tx.execute(statement)).rows

    async def _remember(self, tx: Transaction, row: Any) -> bool:
        """Record in `silent_devices` that the silence of the device in `row` has been reported, with the last-seen time
        at which the silence began. Return False if another worker has already recorded it."""
        added = insert(silent_devices).values(tenant_id=row.tenant_id, device_id=row.id, last_seen_us=row.last_seen_us)
        statement = added.on_conflict_do_update(
            index_elements=["tenant_id", "device_id"],
            set_={"last_seen_us": added.excluded.last_seen_us},
            where=silent_devices.c.last_seen_us < added.excluded.last_seen_us,
        )
        return (await tx.execute(statement.returning(silent_devices.c.device_id))).first() is not None

    async def _emit(self, tx: Transaction, row: Any, now_us: int) -> None:
        payload = {
            "device_id": row.id,
            "vehicle_id": row.vehicle_id,
            "last_seen_at": write_moment(row.last_seen_us),
            SECRECY: SecrecyLevel(row.secrecy_level).word,
        }
        await self._outbox.emit(tx, DEVICE_OFFLINE, row, key=row.id, payload=payload, at_us=now_us)
