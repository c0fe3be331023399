"""The sources whose observations belong to an encounter, and the time in which they do.

A source is a device as carried by one vehicle. Its observations belong to the encounter while the device, or the device
that it was merged into, is assigned to the encounter (DESIGN D16). A device above the viewer's clearance has none.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, SmallInteger, Table, Text, and_, bindparam, func, or_, select

from cloud.clinical.assignments import assignments
from cloud.clinical.devices import devices
from cloud.clinical.observations.minutes.reading import TIME_MAX_US
from cloud.clinical.observations.tables import lane_days, observation_sources
from cloud.clinical.waveforms import waveform_runs, waveform_sources
from cloud.foundation.db import GivenRows, Prepared, Query, Transaction, given
from cloud.foundation.viewer import Viewer
from protocols.uplink.channels import DeviceRef


@dataclass(frozen=True, slots=True)
class EncounterSource:
    """A source in one interval of the encounter, from `from_us` until before `until_us`. `device_id` is the id that
    partners see: for a merged device, the id of the device that it was merged into. `vehicle_id` is None for posted
    observations of a device that is in no vehicle."""

    source_id: int
    device_id: str
    vehicle_id: str | None
    device: DeviceRef
    from_us: int
    until_us: int


def viewer_values(viewer: Viewer) -> dict[str, Any]:
    """Return the values of the parameters in the conditions of `of_viewer`."""
    return {
        "tenant": viewer.tenant_id,
        "organization": viewer.organization_id,
        "clearance": int(viewer.clearance),
    }


def of_viewer(*tables: Table, of_organization: bool) -> list[ColumnElement[bool]]:
    """Return the conditions under which a viewer may read rows of these tables, as `visible` does, with parameters
    instead of values: such a statement is compiled once."""
    conditions: list[ColumnElement[bool]] = []
    for table in tables:
        conditions.append(table.c.tenant_id == bindparam("tenant", type_=Text()))
        if of_organization:
            conditions.append(table.c.organization_id == bindparam("organization", type_=Text()))
    return conditions


def carried(*columns: ColumnElement[Any], of_organization: bool) -> Select[Any]:
    """Select these columns of the assignments of devices to the encounter `encounter`, with the sources of these
    devices and of devices merged with them."""
    named, owner, measuring = devices.alias("named"), devices.alias("owner"), devices.alias("measuring")
    of_owner = or_(measuring.c.id == owner.c.id, measuring.c.merged_into == owner.c.id)
    return (
        select(*columns, owner.c.id.label("device_id"))
        .select_from(assignments)
        .join(named, and_(named.c.tenant_id == assignments.c.tenant_id, named.c.id == assignments.c.device_id))
        .join(
            owner,
            and_(owner.c.tenant_id == named.c.tenant_id, owner.c.id == func.coalesce(named.c.merged_into, named.c.id)),
        )
        .join(measuring, and_(measuring.c.tenant_id == owner.c.tenant_id, of_owner))
        .join(
            observation_sources,
            and_(
                observation_sources.c.tenant_id == measuring.c.tenant_id,
                observation_sources.c.device_id == measuring.c.id,
            ),
        )
        .where(
            *of_viewer(assignments, observation_sources, of_organization=of_organization),
            owner.c.secrecy_level <= bindparam("clearance", type_=SmallInteger()),
            assignments.c.encounter_id == bindparam("encounter", type_=Text()),
            assignments.c.voided_at_us.is_(None),
        )
    )


_SOURCE = observation_sources.c
_COLUMNS = (
    _SOURCE.source_id,
    _SOURCE.vehicle_id,
    _SOURCE.system_id,
    _SOURCE.model,
    _SOURCE.unverified_link,
    assignments.c.from_us,
    assignments.c.until_us,
)


@cache
def _sources_statement(of_organization: bool) -> Prepared:
    return Prepared(carried(*_COLUMNS, of_organization=of_organization))


async def sources_of_encounter(query: Query, viewer: Viewer, encounter_id: str) -> list[EncounterSource]:
    """Return the sources of an encounter that the viewer may see. The caller must have checked that the viewer may see
    the encounter."""
    statement = _sources_statement(viewer.organization_id is not None)
    rows = await query(statement, {**viewer_values(viewer), "encounter": encounter_id})
    return [
        EncounterSource(
            source_id=source_id,
            device_id=device_id,
            vehicle_id=vehicle_id,
            device=DeviceRef(system_id, model, unverified_link=bool(unverified)),
            from_us=from_us,
            until_us=TIME_MAX_US if until_us is None else until_us,
        )
        for source_id, vehicle_id, system_id, model, unverified, from_us, until_us, device_id in rows
    ]


_wanted = GivenRows("sources", source_id=BigInteger())
_IN_MINUTES = Prepared(
    select(lane_days.c.source_id).where(_wanted.among(lane_days.c.source_id, _wanted.c("source_id"))).distinct()
)


async def sources_in_minutes(query: Query, source_ids: Collection[int]) -> set[int]:
    """Return those of the sources that have values in minute rows."""
    rows = await query(_IN_MINUTES, {"sources": given([(one,) for one in source_ids])}) if source_ids else ()
    return {source_id for (source_id,) in rows}


_objects = GivenRows("objects", object_id=BigInteger())
_OTHERS = Prepared(
    select(waveform_runs.c.object_id)
    .join(
        waveform_sources,
        and_(
            waveform_sources.c.lane_id == waveform_runs.c.lane_id,
            waveform_sources.c.sequence == waveform_runs.c.sequence,
        ),
    )
    .join(observation_sources, _SOURCE.source_id == waveform_sources.c.source_id)
    .where(_objects.among(waveform_runs.c.object_id, _objects.c("object_id")))
    .where(
        _SOURCE.system_id == bindparam("system_id", type_=Text()),
        _SOURCE.source_id != bindparam("source", type_=BigInteger()),
    )
    .limit(1)
)


async def is_mixed(tx: Transaction, source: EncounterSource, object_ids: Collection[int]) -> bool:
    """Return whether one of these waveform objects also has samples of another source with the same system id. The
    index of an object does not distinguish them."""
    if not object_ids:
        return False
    objects = given([(one,) for one in object_ids])
    values = {"objects": objects, "system_id": source.device.system_id, "source": source.source_id}
    return bool(await tx.driver.rows(_OTHERS, values))
