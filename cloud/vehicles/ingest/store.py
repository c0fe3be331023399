"""The rows of epochs (lives of a gateway's store) and of gateway events."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import bindparam, select, update

from cloud.foundation.db import Prepared, Transaction, insert
from cloud.vehicles.custody import LaneKey
from cloud.vehicles.fleet import RegisteredGateway
from cloud.vehicles.ingest.tables import gateway_epochs, gateway_events
from protocols.uplink.events import GatewayEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEpoch:
    """An epoch (one life of a gateway's store) of which a signed batch has arrived. `began_us` and `contested_us` (two
    boxes use one identity since then; None: not contested) are by the cloud's clock."""

    epoch: str
    began_us: int
    contested_us: int | None
    history_only: bool
    """True when only historical batches of the epoch have arrived: it began before its gateway's current epoch. Its row
    names the epoch itself as the one that it replaces."""


_this_gateway = (
    gateway_epochs.c.tenant_id == bindparam("tenant"),
    gateway_epochs.c.gateway_id == bindparam("gateway"),
)
_this_epoch = (*_this_gateway, gateway_epochs.c.epoch == bindparam("of_epoch"))
_EPOCHS = Prepared(
    select(gateway_epochs.c.epoch, gateway_epochs.c.began_us, gateway_epochs.c.contested_us, gateway_epochs.c.replaces)
    .where(*_this_gateway)
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
    .where(*_this_epoch, gateway_epochs.c.contested_us.is_(None))
    .values(contested_us=bindparam("now_us"))
)
_PROMOTE_EPOCH = Prepared(
    update(gateway_epochs)
    .where(*_this_epoch, gateway_epochs.c.replaces == bindparam("of_epoch"))
    .values(began_us=bindparam("now_us"), replaces=bindparam("before"))
)


class EpochStore:
    """SQL statements on epochs, the lives of a gateway's store."""

    async def of_gateway(self, tx: Transaction, tenant_id: str, gateway_id: str) -> Sequence[KnownEpoch]:
        """Return the epochs (lives of the store) of a gateway in the order in which they began."""
        rows = await tx.driver.rows(_EPOCHS, {"tenant": tenant_id, "gateway": gateway_id})
        return [
            KnownEpoch(epoch=epoch, began_us=began, contested_us=contested, history_only=replaces == epoch)
            for epoch, began, contested, replaces in rows
        ]

    async def begin(self, tx: Transaction, key: LaneKey, *, replaces: str | None, now_us: int) -> bool:
        """Record that an epoch (life of a gateway's store) has begun, even if historical batches of it came first.
        Return False if that was already recorded. `replaces` is the previous epoch, None for the gateway's first."""
        values_of_row = {**_names(key), "now_us": now_us, "before": replaces}
        if await tx.driver.run(_ADD_EPOCH, values_of_row) == 1:
            return True
        return await tx.driver.run(_PROMOTE_EPOCH, values_of_row) == 1

    async def remember_earlier(self, tx: Transaction, key: LaneKey, *, current_since_us: int) -> None:
        """Store an epoch of which only historical batches have arrived, as one that began before the current epoch."""
        await tx.driver.run(_ADD_EPOCH, {**_names(key), "now_us": current_since_us - 1, "before": key.epoch})

    async def contest(self, tx: Transaction, key: LaneKey, now_us: int) -> bool:
        """Record that an epoch (life of a gateway's store) is contested: two boxes use one identity. Return False if
        that was already recorded or the epoch is not known."""
        return await tx.driver.run(_CONTEST_EPOCH, {**_names(key), "now_us": now_us}) == 1


def _names(key: LaneKey) -> dict[str, str]:
    return {"tenant": key.tenant_id, "gateway": key.gateway_id, "of_epoch": key.epoch}


def event_fields(event: GatewayEvent) -> dict[str, object]:
    """Return the columns of `gateway_events` that are taken from the event."""
    fields = orjson.dumps(dict(event.fields)).decode()
    return {
        "name": event.name,
        "at_us": event.at_us,
        "boot_id": event.boot_id,
        "device": event.device,
        "fields": fields,
    }


def event_row(event: GatewayEvent, gateway: RegisteredGateway, lane_id: int, sequence: int) -> dict[str, object]:
    """Return the row of an event for `gateway_events`, with its position in the chain and its owner."""
    return {
        "lane_id": lane_id,
        "sequence": sequence,
        "tenant_id": gateway.tenant_id,
        "organization_id": gateway.organization_id,
        "vehicle_id": gateway.vehicle_id,
        "gateway_id": gateway.id,
        **event_fields(event),
    }


async def append_events(tx: Transaction, rows: Sequence[dict[str, object]]) -> None:
    """Insert rows into `gateway_events`. Each row is the event of a different batch."""
    if rows:
        await tx.driver.append(gateway_events, tuple(rows[0]), [tuple(row.values()) for row in rows])
