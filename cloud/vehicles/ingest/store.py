"""The rows of epochs (lives of a gateway's store) and of gateway events."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import BigInteger, Text, select, update

from cloud.foundation.db import GivenRows, Prepared, Transaction, given, insert
from cloud.vehicles.fleet import GatewayName, RegisteredGateway
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


EpochName = tuple[str, str, str]
"""Tenant, gateway and epoch."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The beginning of an epoch to record. `replaces` is the previous epoch, None for the gateway's first. For an epoch
    of which only historical batches have arrived, `history_only` is True and `replaces` the epoch itself."""

    began_us: int
    replaces: str | None
    history_only: bool = False


_named = GivenRows("named", tenant_id=Text(), gateway_id=Text())
_epochs = gateway_epochs.c
_EPOCHS = Prepared(
    select(
        _epochs.tenant_id, _epochs.gateway_id, _epochs.epoch, _epochs.began_us, _epochs.contested_us, _epochs.replaces
    )
    .where(_epochs.tenant_id == _named.c("tenant_id"), _epochs.gateway_id == _named.c("gateway_id"))
    .order_by(_epochs.began_us, _epochs.epoch)
)
_KEY = ("tenant_id", "gateway_id", "epoch")
_FACTS = (*_KEY, "began_us", "replaces")
_begun = GivenRows("begun", **dict.fromkeys(_KEY, Text()), began_us=BigInteger(), replaces=Text())
_key = tuple(_epochs[name] for name in _KEY)
_ADD_EPOCHS = Prepared(
    insert(gateway_epochs)
    # SQLite parses `ON` after a SELECT without WHERE as a join.
    .from_select(_FACTS, _begun.rows(*_FACTS).where(_begun.c("epoch").is_not(None)))
    .on_conflict_do_nothing()
    .returning(*_key)
)
_PROMOTE_EPOCHS = Prepared(
    update(gateway_epochs)
    .where(*(_epochs[name] == _begun.c(name) for name in _KEY), _epochs.replaces == _epochs.epoch)
    .values(began_us=_begun.c("began_us"), replaces=_begun.c("replaces"))
    .returning(*_key)
)
_CONTEST_EPOCHS = Prepared(
    update(gateway_epochs)
    .where(*(_epochs[name] == _begun.c(name) for name in _KEY), _epochs.contested_us.is_(None))
    .values(contested_us=_begun.c("began_us"))
    .returning(*_key)
)


class EpochStore:
    """SQL statements on epochs, the lives of a gateway's store. The number of statements does not depend on that of the
    gateways."""

    async def of_gateways(self, tx: Transaction, names: Collection[GatewayName]) -> dict[GatewayName, list[KnownEpoch]]:
        """Return for each gateway its epochs (lives of the store) in the order in which they began."""
        found: dict[GatewayName, list[KnownEpoch]] = {name: [] for name in names}
        rows = await tx.driver.rows(_EPOCHS, {"named": given(sorted(names))}) if names else ()
        for tenant_id, gateway_id, epoch, began, contested, replaces in rows:
            found[tenant_id, gateway_id].append(
                KnownEpoch(epoch=epoch, began_us=began, contested_us=contested, history_only=replaces == epoch)
            )
        return found

    async def begin(self, tx: Transaction, begun: Mapping[EpochName, Beginning]) -> set[EpochName]:
        """Record that epochs (lives of a gateway's store) have begun, also those of which historical batches came
        first. Return the epochs for which this was not recorded yet. An epoch of which only historical batches have
        arrived is stored, and never returned."""
        if not begun:
            return set()
        added = await self._run(tx, _ADD_EPOCHS, begun)
        live = {name for name, one in begun.items() if not one.history_only}
        known = {name: begun[name] for name in live - added}
        promoted = await self._run(tx, _PROMOTE_EPOCHS, known) if known else set()
        return (added & live) | promoted

    async def contest(self, tx: Transaction, epochs: Collection[EpochName], now_us: int) -> set[EpochName]:
        """Record that epochs (lives of a gateway's store) are contested: two boxes use one identity. Return the epochs
        for which this was not recorded yet. Unknown epochs are left out."""
        return await self._run(tx, _CONTEST_EPOCHS, dict.fromkeys(epochs, Beginning(now_us, None))) if epochs else set()

    async def _run(self, tx: Transaction, statement: Prepared, begun: Mapping[EpochName, Beginning]) -> set[EpochName]:
        # All workers write in one order, so that two with the same epochs wait for each other without a deadlock.
        rows = [(*name, one.began_us, one.replaces) for name, one in sorted(begun.items())]
        return {(row[0], row[1], row[2]) for row in await tx.driver.rows(statement, {"begun": given(rows)})}


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
