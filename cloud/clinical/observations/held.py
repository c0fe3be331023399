"""Find the observations that a legal hold of a device, an encounter or an incident keeps.

A hold keeps at least what belongs to its object. Where the data cannot decide (a gateway that did not know the time, an
assignment that was moved later), it keeps more.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select, true

from cloud.clinical.assignments import assignments
from cloud.clinical.devices import devices
from cloud.clinical.epcr import Joins, encounters
from cloud.clinical.incidents import incidents
from cloud.clinical.observations.tables import SYNCHRONISED_CLOCK_ID, observation_sources, observations
from cloud.clinical.waveforms import waveform_sources
from cloud.foundation.db import Transaction
from cloud.foundation.retention import Held, HoldScope

BATCH_MARGIN_US = 86_400_000_000
"""Time before and after an assignment in which batches of its vehicles are kept. A batch may be made long after its
first value, when the gateway had no room or its clock was corrected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSpan:
    """Observations of sources (devices as carried by vehicles) in the interval from `from_us` until before `until_us`.
    None: no limit."""

    source_ids: Collection[int]
    vehicle_ids: Collection[str]
    from_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldObservations:
    """The observations of one tenant that its narrow holds keep, and the encounters whose posted observations they
    keep."""

    spans: Sequence[HeldSpan] = ()
    encounter_ids: Collection[str] = ()

    def __bool__(self) -> bool:
        return bool(self.spans or self.encounter_ids)

    def rows(self) -> ColumnElement[bool]:
        """Return the condition on `observations` that a row is held."""
        row = observations.c
        conditions: list[ColumnElement[bool]] = []
        if self.encounter_ids:
            conditions.append(func.coalesce(row.encounter_id, "").in_(sorted(self.encounter_ids)))
        for span in self.spans:
            # The time of a row on a gateway's own clock may be wrong, so all such rows of the device are kept.
            unsure = func.coalesce(row.clock_id, SYNCHRONISED_CLOCK_ID) != SYNCHRONISED_CLOCK_ID
            within = or_(unsure, _between(row.observed_at_us, span.from_us, span.until_us))
            conditions.append(and_(row.source_id.in_(sorted(span.source_ids)), within))
        return or_(false(), *conditions)

    def overlapping(
        self,
        source_id: ColumnElement[Any],
        from_us: ColumnElement[Any],
        until_us: ColumnElement[Any],
        unsure: ColumnElement[bool],
    ) -> ColumnElement[bool]:
        """Return the condition that a row with observations of one source has a held one. `from_us` and `until_us` are
        its earliest and latest time, and `unsure` is the condition that these may be wrong: such rows are kept."""
        conditions: list[ColumnElement[bool]] = []
        for span in self.spans:
            within: list[ColumnElement[bool]] = [] if span.from_us is None else [until_us >= span.from_us]
            if span.until_us is not None:
                within.append(from_us < span.until_us)
            conditions.append(and_(source_id.in_(sorted(span.source_ids)), or_(unsure, and_(true(), *within))))
        return or_(false(), *conditions)

    def near(self, vehicle_id: ColumnElement[Any], at_us: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a vehicle's row is near a held interval, so that it is kept."""
        conditions = [
            and_(
                vehicle_id.in_(sorted(span.vehicle_ids)),
                _between(
                    at_us,
                    None if span.from_us is None else span.from_us - BATCH_MARGIN_US,
                    None if span.until_us is None else span.until_us + BATCH_MARGIN_US,
                ),
            )
            for span in self.spans
        ]
        return or_(false(), *conditions)

    def has_batch(self, vehicle_id: str, from_us: int, until_us: int) -> bool:
        """Return whether a batch of a vehicle that was made from `from_us` to `until_us` is near a held interval, so
        that it is kept."""
        return any(
            vehicle_id in span.vehicle_ids
            and (span.from_us is None or until_us >= span.from_us - BATCH_MARGIN_US)
            and (span.until_us is None or from_us < span.until_us + BATCH_MARGIN_US)
            for span in self.spans
        )


async def held_observations(tx: Transaction, tenant_id: str, holds: Iterable[Held]) -> HeldObservations:
    """Return the observations that the holds of a tenant keep. Holds of other scopes are ignored."""
    named = [one for one in holds if one.tenant_id == tenant_id]
    encounter_ids = {one.object_id for one in named if one.scope is HoldScope.ENCOUNTER}
    incident_ids = sorted({one.object_id for one in named if one.scope is HoldScope.INCIDENT})
    if incident_ids:
        encounter_ids |= await _encounters_of(tx, tenant_id, incident_ids)
    spans = []
    for device in sorted({one.object_id for one in named if one.scope is HoldScope.DEVICE}):
        spans.append(await _span(tx, tenant_id, device))
    if encounter_ids:
        table = assignments.c
        mine = (table.tenant_id == tenant_id, table.encounter_id.in_(sorted(encounter_ids)))
        found = await tx.execute(select(table.device_id, table.from_us, table.until_us).where(*mine))
        for row in found:
            spans.append(await _span(tx, tenant_id, row.device_id, row.from_us, row.until_us))
        encounter_ids |= await Joins().held(tx, tenant_id, encounter_ids)
    return HeldObservations(spans=[one for one in spans if one.source_ids], encounter_ids=frozenset(encounter_ids))


async def _encounters_of(tx: Transaction, tenant_id: str, incident_ids: Sequence[str]) -> set[str]:
    same = and_(
        encounters.c.tenant_id == incidents.c.tenant_id,
        encounters.c.organization_id == incidents.c.organization_id,
        encounters.c.cad_incident_id == incidents.c.cad_incident_id,
    )
    statement = select(encounters.c.id).select_from(incidents).join(encounters, same)
    found = await tx.execute(statement.where(incidents.c.tenant_id == tenant_id, incidents.c.id.in_(incident_ids)))
    return {row.id for row in found}


async def _span(
    tx: Transaction, tenant_id: str, device: str, from_us: int | None = None, until_us: int | None = None
) -> HeldSpan:
    """Return the span of a device (its id or system id), of the devices merged with it, and of the vehicles that have
    carried them."""
    named, measuring = devices.alias("named"), devices.alias("measuring")
    owner = func.coalesce(named.c.merged_into, named.c.id)
    statement = (
        select(observation_sources.c.source_id, observation_sources.c.vehicle_id)
        .select_from(named)
        .join(
            measuring,
            and_(
                measuring.c.tenant_id == named.c.tenant_id,
                or_(measuring.c.id == owner, measuring.c.merged_into == owner),
            ),
        )
        .join(
            observation_sources,
            and_(
                observation_sources.c.tenant_id == measuring.c.tenant_id,
                observation_sources.c.device_id == measuring.c.id,
            ),
        )
        .where(named.c.tenant_id == tenant_id, or_(named.c.id == device, named.c.system_id == device.lower()))
    )
    found = (await tx.execute(statement)).rows
    return HeldSpan(
        source_ids=frozenset(row.source_id for row in found),
        vehicle_ids=frozenset(row.vehicle_id for row in found if row.vehicle_id is not None),
        from_us=from_us,
        until_us=until_us,
    )


def held_runs(held: HeldObservations) -> ColumnElement[bool]:
    """Return the condition on `waveform_sources` that a run of packed waveforms is held."""
    row = waveform_sources.c
    return held.overlapping(row.source_id, row.from_us, row.until_us, row.clock_id != SYNCHRONISED_CLOCK_ID)


def _between(column: ColumnElement[int], from_us: int | None, until_us: int | None) -> ColumnElement[bool]:
    limits = [] if from_us is None else [column >= from_us]
    if until_us is not None:
        limits.append(column < until_us)
    return and_(true(), *limits)
