"""Read the events in vehicles: what gateways reported, and the gaps in their lanes.

Each search reads at most `limit` rows of a table through an index: on the vehicle, the device or the gateway. A search
in a whole tenant reads the events of each gateway through its index and merges them, since an index of its own would
cost a write for each event and serves only the console.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_

from cloud.clinical.devices import GAP_RECORDED, EventSearch, VehicleEvent
from cloud.foundation.db import Transaction
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Viewer, visible
from cloud.vehicles.custody import gap_ranges, lanes
from cloud.vehicles.ingest.tables import gateway_events

_gap = gap_ranges.c
_gap_at = func.coalesce(_gap.first_us, _gap.received_at_us)


class EventReader:
    """The supplier of `VehicleEvents`."""

    async def search(self, tx: Transaction, viewer: Viewer, wanted: EventSearch) -> Sequence[VehicleEvent]:
        found: list[VehicleEvent] = []
        if wanted.gateway_id is None and wanted.vehicle_id is None and wanted.device is None:
            for gateway_id in await self._gateways(tx, viewer):
                rows = await tx.execute(_events(viewer, wanted).where(gateway_events.c.gateway_id == gateway_id))
                found += map(_event, rows)
        else:
            found += map(_event, await tx.execute(_events(viewer, wanted)))
        if wanted.device is None and _wants(wanted.names, GAP_RECORDED):
            found += map(_gap_event, await tx.execute(_gaps(viewer, wanted)))
        found.sort(key=lambda each: each.place, reverse=wanted.newest_first)
        return found[: wanted.limit]

    async def _gateways(self, tx: Transaction, viewer: Viewer) -> list[str]:
        of_tenant = select(lanes.c.gateway_id).where(lanes.c.tenant_id == viewer.tenant_id).distinct()
        return sorted(row.gateway_id for row in await tx.execute(of_tenant))


def _events(viewer: Viewer, wanted: EventSearch) -> Select[Any]:
    events = gateway_events.c
    statement = (
        select(gateway_events, lanes.c.epoch, lanes.c.lane)
        .join(lanes, lanes.c.lane_id == events.lane_id)
        .where(*visible(gateway_events, viewer))
    )
    if wanted.gateway_id is not None:
        statement = statement.where(events.gateway_id == wanted.gateway_id)
    if wanted.vehicle_id is not None:
        statement = statement.where(events.vehicle_id == wanted.vehicle_id)
    if wanted.device is not None:
        statement = statement.where(events.device == wanted.device)
    if wanted.names:
        statement = statement.where(or_(*(_is_named(name) for name in wanted.names)))
    return _within(statement, wanted, events.at_us, events.lane_id, events.sequence)


def _gaps(viewer: Viewer, wanted: EventSearch) -> Select[Any]:
    statement = (
        select(gap_ranges, _gap_at.label("at_us"), lanes.c.gateway_id, lanes.c.epoch, lanes.c.lane)
        .join(lanes, lanes.c.lane_id == _gap.lane_id)
        .where(lanes.c.tenant_id == viewer.tenant_id)
    )
    if viewer.organization_id is not None:
        statement = statement.where(_gap.organization_id == viewer.organization_id)
    if wanted.gateway_id is not None:
        statement = statement.where(lanes.c.gateway_id == wanted.gateway_id)
    if wanted.vehicle_id is not None:
        statement = statement.where(_gap.vehicle_id == wanted.vehicle_id)
    if wanted.since_us is not None:
        # A gap arrives after the data that it replaces, so the index on the time of arrival leaves out earlier ones.
        statement = statement.where(_gap.received_at_us >= wanted.since_us)
    return _within(statement, wanted, _gap_at, _gap.lane_id, _gap.sequence)


def _within(
    statement: Select[Any],
    wanted: EventSearch,
    at_us: ColumnElement[int],
    lane_id: ColumnElement[int],
    sequence: ColumnElement[int],
) -> Select[Any]:
    if wanted.since_us is not None:
        statement = statement.where(at_us >= wanted.since_us)
    if wanted.until_us is not None:
        statement = statement.where(at_us < wanted.until_us)
    order = at_us, lane_id, sequence
    if wanted.after is not None:
        here, place = tuple_(*order), tuple_(*wanted.after)
        statement = statement.where(here < place if wanted.newest_first else here > place)
    directed = [column.desc() for column in order] if wanted.newest_first else order
    return statement.order_by(*directed).limit(wanted.limit)


def _is_named(name: str) -> ColumnElement[bool]:
    column = gateway_events.c.name
    return or_(column == name, column.startswith(f"{name}.", autoescape=True))


def _wants(names: Sequence[str], name: str) -> bool:
    return not names or any(name == each or name.startswith(f"{each}.") for each in names)


def _event(row: Any) -> VehicleEvent:
    return VehicleEvent(
        name=row.name,
        at_us=row.at_us,
        organization_id=row.organization_id,
        vehicle_id=row.vehicle_id,
        gateway_id=row.gateway_id,
        device=row.device,
        fields=orjson.loads(row.fields),
        epoch=row.epoch,
        lane=row.lane,
        lane_id=row.lane_id,
        sequence=row.sequence,
    )


def _gap_event(row: Any) -> VehicleEvent:
    fields = {
        "lane": row.lane,
        "why": row.why,
        "first_sequence": row.sequence,
        "last_sequence": row.through_sequence,
        "batches": row.batches,
        "observations": row.observations,
        "first_at": write_moment(row.first_us),
        "last_at": write_moment(row.last_us),
    }
    return VehicleEvent(
        name=GAP_RECORDED,
        at_us=row.at_us,
        organization_id=row.organization_id,
        vehicle_id=row.vehicle_id,
        gateway_id=row.gateway_id,
        device=None,
        fields=fields,
        epoch=row.epoch,
        lane=row.lane,
        lane_id=row.lane_id,
        sequence=row.sequence,
    )
