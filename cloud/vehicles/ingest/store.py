"""The rows of epochs and of gateway events."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import bindparam, select, update

from cloud.foundation.db import Prepared, Transaction, insert
from cloud.vehicles.custody import LaneKey
from cloud.vehicles.ingest.tables import gateway_epochs, gateway_events
from protocols.uplink.events import GatewayEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEpoch:
    """An epoch that was proved by a signed batch. `began_us` and `contested_us` are by the cloud's clock."""

    epoch: str
    began_us: int
    contested_us: int | None
    history_only: bool
    """True when only history of it has arrived: it began before its gateway's current epoch. Its row names itself as
    the epoch that it replaces.
    """


_EPOCHS = Prepared(
    select(gateway_epochs.c.epoch, gateway_epochs.c.began_us, gateway_epochs.c.contested_us, gateway_epochs.c.replaces)
    .where(gateway_epochs.c.tenant_id == bindparam("tenant"), gateway_epochs.c.gateway_id == bindparam("gateway"))
    .order_by(gateway_epochs.c.began_us, gateway_epochs.c.epoch)
)
_ADD_EPOCH = Prepared(
    insert(gateway_epochs)
    .values(
        tenant_id=bindparam("tenant"),
        gateway_id=bindparam("gateway"),
        epoch=bindparam("of_epoch"),
        began_us=bindparam("now_us"),
        replaces=bindparam("before"),
    )
    .on_conflict_do_nothing()
)
_CONTEST_EPOCH = Prepared(
    update(gateway_epochs)
    .where(
        gateway_epochs.c.tenant_id == bindparam("tenant"),
        gateway_epochs.c.gateway_id == bindparam("gateway"),
        gateway_epochs.c.epoch == bindparam("of_epoch"),
        gateway_epochs.c.contested_us.is_(None),
    )
    .values(contested_us=bindparam("now_us"))
)


_PROMOTE_EPOCH = Prepared(
    update(gateway_epochs)
    .where(
        gateway_epochs.c.tenant_id == bindparam("tenant"),
        gateway_epochs.c.gateway_id == bindparam("gateway"),
        gateway_epochs.c.epoch == bindparam("of_epoch"),
        gateway_epochs.c.replaces == bindparam("of_epoch"),
    )
    .values(began_us=bindparam("now_us"), replaces=bindparam("before"))
)


class EpochStore:
    """The statements about epochs."""

    async def of_gateway(self, tx: Transaction, tenant_id: str, gateway_id: str) -> Sequence[KnownEpoch]:
        """Return the gateway's epochs in the order in which they began."""
        rows = await tx.driver.rows(_EPOCHS, {"tenant": tenant_id, "gateway": gateway_id})
        return [
            KnownEpoch(epoch=epoch, began_us=began, contested_us=contested, history_only=replaces == epoch)
            for epoch, began, contested, replaces in rows
        ]

    async def begin(self, tx: Transaction, key: LaneKey, *, replaces: str | None, now_us: int) -> bool:
        """Begin an epoch; True when this transaction is the one that begins it."""
        values = {"tenant": key.tenant_id, "gateway": key.gateway_id, "of_epoch": key.epoch}
        values_of_row = {**values, "now_us": now_us, "before": replaces}
        if await tx.driver.run(_ADD_EPOCH, values_of_row) == 1:
            return True
        return await tx.driver.run(_PROMOTE_EPOCH, values_of_row) == 1

    async def remember_earlier(self, tx: Transaction, key: LaneKey, *, current_since_us: int) -> None:
        """Record an epoch of which only history has arrived, as one that began before the current one."""
        values = {"tenant": key.tenant_id, "gateway": key.gateway_id, "of_epoch": key.epoch}
        await tx.driver.run(_ADD_EPOCH, {**values, "now_us": current_since_us - 1, "before": key.epoch})

    async def contest(self, tx: Transaction, key: LaneKey, now_us: int) -> bool:
        """Record that an epoch continues beside its successor; True for the first time."""
        values = {"tenant": key.tenant_id, "gateway": key.gateway_id, "of_epoch": key.epoch}
        return await tx.driver.run(_CONTEST_EPOCH, {**values, "now_us": now_us}) == 1


EVENT_COLUMNS = (
    "lane_id",
    "sequence",
    "tenant_id",
    "organization_id",
    "vehicle_id",
    "gateway_id",
    "name",
    "at_us",
    "boot_id",
    "device",
    "fields",
)


def event_row(
    event: GatewayEvent, *, lane_id: int, sequence: int, key: LaneKey, organization_id: str, vehicle_id: str
) -> tuple[object, ...]:
    """Return a row of `gateway_events` in the order of `EVENT_COLUMNS`."""
    return (lane_id, sequence, key.tenant_id, organization_id, vehicle_id, key.gateway_id, *told_of(event))


def told_of(event: GatewayEvent) -> tuple[object, ...]:
    """Return the last five of `EVENT_COLUMNS`, which come from the event itself."""
    return (event.name, event.at_us, event.boot_id, event.device, orjson.dumps(dict(event.fields)).decode())


async def append_events(tx: Transaction, rows: Sequence[tuple[object, ...]]) -> None:
    """Append the rows of gateway events, each from a batch of its own."""
    if rows:
        await tx.driver.append(gateway_events, EVENT_COLUMNS, rows)
